"""Tables as CSV files that scripts read and spreadsheets open."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from flask import Response

FORMULA = ("=", "+", "-", "@", "\t", "\r")
MARK = "\ufeff"  # without it Excel reads UTF-8 as the system's own encoding


def reply(filename: str, rows: Iterable[Sequence[Any]]) -> Response:
    """A download."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows([_cell(value) for value in row] for row in rows)
    body = text.getvalue()
    found = Response(body if body.isascii() else MARK + body, content_type="text/csv; charset=utf-8")
    found.headers["Content-Disposition"] = f'attachment; filename="{filename}"'
    return found


def _cell(value: Any) -> Any:
    """What stands in a cell; a text that a spreadsheet would compute is kept a text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
