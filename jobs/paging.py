"""Pages of lists by key: the place after the last row, not a number of rows to skip."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, or_
from sqlalchemy.orm import InstrumentedAttribute, Session

from aigc_models.base import Fault
from jobs.errors import InvalidParams

LIMIT = 20
MOST = 100

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, the newest first, and where the next ones begin (None after the last)."""

    items: list[Row]
    next_cursor: str | None = None


def page(session: Session, rows: Select[Any], table: Any, cursor: str | None, limit: int = LIMIT) -> Page[Any]:
    """Read one page of a table that has ``created_at`` and ``id``.

    Raises:
        InvalidParams: The cursor is none of ours.
    """
    created: InstrumentedAttribute[datetime] = table.created_at
    if cursor is not None:
        at, id_ = _decode(cursor)
        # Written out: SQLite uses the index for this, as it does not for a row of bound values of mixed types.
        rows = rows.where(created <= at, or_(created < at, table.id < id_))
    size = max(1, min(limit, MOST))
    found: Sequence[Any] = session.scalars(rows.order_by(created.desc(), table.id.desc()).limit(size + 1)).all()
    more = len(found) > size
    return Page(list(found[:size]), _encode(found[size - 1]) if more else None)


def _encode(row: Any) -> str:
    return base64.urlsafe_b64encode(f"{row.created_at.isoformat()} {row.id}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        moment, _, id_ = text.partition(" ")
        at: datetime | None = datetime.fromisoformat(moment)
    except (ValueError, binascii.Error):
        at, id_ = None, ""
    if at is None or at.tzinfo is None or not id_ or not id_.isprintable():
        fault = Fault("The cursor is not one that this server gave.", pointer="/cursor", code="invalid-cursor")
        raise InvalidParams(faults=[fault])
    return at, id_
