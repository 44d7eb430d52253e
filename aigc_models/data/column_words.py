"""Words of columns that pages, forms and settings know, too: types, kinds of personal data, and lists of names."""

import csv
import io
from collections.abc import Iterable

TYPES = ("continuous", "integer", "categorical", "boolean", "datetime", "identifier", "text", "constant")
EMAIL, PHONE, CARD, NATIONAL_ID, IBAN, NAME = "email", "phone", "card", "national_id", "iban", "name"


def split(text: str) -> list[str]:
    """Parts with commas or line ends between them; a part that has one itself stands in quotation marks."""
    rows = csv.reader([line + "\n" for line in text.split("\n")], skipinitialspace=True)
    return [part.strip() for row in rows for part in row if part.strip()]


def join(parts: Iterable[str]) -> str:
    """The text of which :func:`split` makes these parts."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(list(parts))
    return text.getvalue().removesuffix("\n")


def split_types(text: str) -> list[tuple[str, str]]:
    """Names of columns with what is said of their types, as in ``age=integer, when=datetime %d.%m.%Y``."""
    entries = (entry.rpartition("=") for entry in split(text))
    return [(name.strip(), wished.strip()) for name, _, wished in entries]
