"""What a person should know about a table before anything learns from it, in sentences with gaps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models.data.table_faults import cut
from aigc_models.data.table_typing import Spellings, Typed
from aigc_models.data.tables import Column

FEW_ROWS = 100
_MOSTLY_MISSING = 0.5
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LOOKED_AT = 10_000

Warnings = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was noted about a column while it was read.

    Attributes:
        column: The column.
        missing: How many cells are missing.
        rows: How many there are.
        stray: A cell that keeps the column from being one of numbers, with its row; empty if there is none.
        either: Whether its dates could have day and month the other way round.
        formulas: Whether cells begin as formulas do in a spreadsheet.
    """

    column: Column
    missing: int
    rows: int
    stray: str
    stray_row: int
    either: bool
    formulas: bool


def is_formula(text: str) -> bool:
    """Whether a spreadsheet would take a cell for a formula."""
    return text.startswith(_FORMULA) and not text.lstrip("+-").replace(".", "").replace(",", "").isdigit()


def has_formulas(typed: Typed, found: Spellings) -> bool:
    """Whether cells of a column of texts begin like formulas."""
    if len(typed.values) and typed.column.type not in ("categorical", "boolean", "constant"):
        return False
    return any(map(is_formula, found.texts[:_LOOKED_AT]))


def check(seen: Sequence[Seen], rows: int, copies: int, *, headless: bool) -> Warnings:
    """Look at what was noted of all columns."""
    told: Warnings = []

    def tell(applies: bool, message: str, **values: Any) -> None:
        if applies:
            told.append({"message": message, "values": values})

    tell(rows < FEW_ROWS, "There are only {count} rows; results will be poor.", count=rows)
    tell(len(seen) == 1, "The table has only one column. If that is wrong, set the delimiter.")
    tell(headless, "The first line looks like data, not like names of columns. If so, set the column names.")
    tell(copies > 0, "{count} rows are exact copies of others.", count=copies)
    for one in seen:
        _tell_column(one, tell)
    formulas = [one.column.name for one in seen if one.formulas]
    tell(
        bool(formulas),
        "Cells of {count} columns, such as {name}, begin like formulas. They are kept as they are; files made from "
        "this data mark them as text, so that no spreadsheet runs them.",
        count=len(formulas),
        name=formulas[0] if formulas else "",
    )
    return told


def _tell_column(one: Seen, tell: Any) -> None:
    name, share = one.column.name, one.missing / one.rows
    constant = one.column.type == "constant"
    tell(constant and one.missing < one.rows, "The column {name} has the same value in every row.", name=name)
    tell(one.missing == one.rows, "The column {name} is empty.", name=name)
    tell(
        _MOSTLY_MISSING < share < 1,
        "{percent} % of the cells of the column {name} are missing.",
        percent=round(100 * share),
        name=name,
    )
    tell(
        bool(one.stray),
        "The column {name} holds numbers for the most part, but {value} in row {row} is none, so it is not read as "
        "numbers. Correct the file, or set the column's type to see every such cell.",
        name=name,
        value=cut(one.stray),
        row=one.stray_row,
    )
    tell(
        one.either,
        "The dates of the column {name} are read with the month first. If the day comes first, set its type to {type}.",
        name=name,
        type=f"datetime {one.column.format.replace('%m/%d', '%d/%m')}",
    )
