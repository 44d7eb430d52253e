"""What every generated row must say: "Status=bad, Age=30", or the same as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import InputError
from aigc_models.data.table_numbers import PLAIN, Style
from aigc_models.data.tables import CODED, NUMERIC, Column, Table
from aigc_models.tables.condition_text import not_a_cell, read_pairs, unknown_column

_POINTER = "/conditions"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Condition:
    """One column's cell in every row.

    Attributes:
        column: Whose cell it is.
        value: Its code, or its number; -1 or NaN for a missing cell.
        text: As it was asked for.
    """

    column: Column
    value: float
    text: str

    def holds(self, table: Table) -> Mask:
        """For which rows it is so, (N,)."""
        cells = table.cells[self.column.name]
        if np.isnan(self.value):
            return np.asarray(np.isnan(cells))
        return np.asarray(cells == self.value)

    def __str__(self) -> str:
        return f"{self.column.name}={self.text}"


def parse_conditions(text: str, columns: Sequence[Column]) -> tuple[Condition, ...]:
    """Conditions on a table with these columns.

    Raises:
        InputError: The text cannot be read, or names a column or a value that is not there.
    """
    pairs = read_pairs(text)
    known = {column.name: column for column in columns}
    found, faults = [], []
    for name, value in pairs.items():
        column = known.get(name)
        if column is None:
            faults.append(unknown_column(name, known, _POINTER))
            continue
        try:
            found.append(Condition(column, read_cell(column, value), value))
        except ValueError:
            faults.append(not_a_cell(column, value))
    if faults:
        raise InputError(faults)
    return tuple(found)


def read_cell(column: Column, text: str) -> float:
    """A cell as the table holds it: a code, a number, seconds since 1970.

    Raises:
        ValueError: The column has no such cell.
    """
    if column.type in CODED:
        if text in column.categories:
            return float(column.categories.index(text))
        if text in ("", column.missing):
            return -1.0
        raise ValueError(text)
    if column.type not in NUMERIC:
        raise ValueError(text)
    if text in ("", column.missing):
        return float("nan")
    if column.type == "datetime":
        moment = datetime.strptime(text, column.format or "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        return moment.timestamp()
    style = Style(column.format[0], column.format[1:]) if column.format else PLAIN
    return float(style.plain(text) if style.pattern.fullmatch(text) else text)
