"""Tables back as text, in the formats their columns had in the file they came from."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from aigc_models.data.table_checks import is_formula
from aigc_models.data.table_dates import write_date
from aigc_models.data.table_numbers import write_number
from aigc_models.data.tables import CODED, WRITTEN, Cells, Column, Table

_BLOCK = 10_000


def write_cells(column: Column, cells: Cells) -> list[str]:
    """The cells of a column as they would stand in its file; nothing is escaped."""
    if column.type in WRITTEN:
        return [column.missing if cell is None else cell for cell in cells]
    if column.type in CODED:
        texts = (*column.categories, column.missing)
        return [texts[code] for code in cells.tolist()]
    if column.type == "datetime":
        return [column.missing if np.isnan(cell) else write_date(cell, column.format) for cell in cells]
    return [column.missing if np.isnan(cell) else write_number(cell, column.decimals, column.format) for cell in cells]


def escape(text: str) -> str:
    """A cell that no spreadsheet runs: what it would take for a formula gets an apostrophe in front.

    Source: OWASP, CSV Injection.
    """
    return f"'{text}" if is_formula(text) else text


def rows_of(table: Table) -> Iterator[Sequence[str]]:
    """The rows of a table as text, escaped."""
    for start in range(0, len(table), _BLOCK):
        part = slice(start, start + _BLOCK)
        columns = [map(escape, write_cells(column, table.cells[column.name][part])) for column in table.columns]
        yield from zip(*columns, strict=True)


def write_csv(table: Table, path: Path) -> None:
    """Write a table as CSV in UTF-8, with its headers in the first line."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([escape(column.name) for column in table.columns])
        writer.writerows(rows_of(table))
