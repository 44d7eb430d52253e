"""Table datasets as families read them: one array for each column, split into a training and a test part."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

ARRAYS = "table.safetensors"
COLUMNS = "columns.json"
REPORT = "dataset.json"

ColumnType = Literal["continuous", "integer", "categorical", "boolean", "datetime", "identifier", "text", "constant"]
NUMERIC: frozenset[ColumnType] = frozenset({"continuous", "integer", "datetime"})
CODED: frozenset[ColumnType] = frozenset({"categorical", "boolean", "constant"})
WRITTEN: frozenset[ColumnType] = frozenset({"identifier", "text"})

Cells = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds and how its cells are written in a file.

    Attributes:
        name: The header, as in the file.
        type: How its cells are read; see :data:`NUMERIC`, :data:`CODED` and :data:`WRITTEN`.
        categories: The spellings that codes stand for, in the order of the codes; coded columns only.
        decimals: Most digits after the decimal mark; whole numbers may be written with them, too ("129.0").
        format: How a date-time is written, in the signs of :meth:`datetime.datetime.strftime`; of a number its
            decimal mark and its mark between thousands, such as ``,.``, and empty for 1234.5.
        missing: How a missing cell is written mostly, such as an empty string or ``NA``.
        personal: Kind of personal data it probably holds, such as ``email``; empty if none was seen.
    """

    name: str
    type: ColumnType
    categories: tuple[str, ...] = ()
    decimals: int = 0
    format: str = ""
    missing: str = ""
    personal: str = ""

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Column":
        """From JSON; what only a report knows of a column is left out."""
        known = {each.name: stored[each.name] for each in fields(cls) if each.name in stored}
        return cls(**known | {"categories": tuple(stored.get("categories", ()))})


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a table, column by column.

    Shape: every array of ``cells`` has one entry for a row, (N,). Numeric columns are float64 with NaN where a
    cell is missing, date-times in seconds since 1970 UTC; coded columns are int32 with -1 where one is missing;
    written columns are arrays of ``str`` with None where one is missing.
    """

    columns: tuple[Column, ...]
    cells: Mapping[str, Cells]

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.cells.values()))) if self.cells else 0

    def column(self, name: str) -> Column:
        """A column by its header; KeyError if there is none."""
        return {column.name: column for column in self.columns}[name]

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "Table":
        """Some of the rows, by number or by mask."""
        return Table(self.columns, {name: cells[rows] for name, cells in self.cells.items()})


@dataclass(frozen=True, slots=True)
class TableSet:
    """A dataset: rows to learn from, and rows kept for testing, with the same columns."""

    train: Table
    test: Table

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of both parts."""
        return self.train.columns


def load_table(directory: Path) -> TableSet:
    """Read what an import wrote."""
    arrays = load_file(directory / ARRAYS)
    columns = tuple(Column.read(stored) for stored in json.loads((directory / COLUMNS).read_text(encoding="utf-8")))
    parts = (Table(columns, _cells(arrays, columns, part)) for part in ("train", "test"))
    return TableSet(*parts)


def load_report(directory: Path) -> dict[str, Any]:
    """Read what the import found out: counts, columns with their figures, warnings, the hash of the content."""
    report: dict[str, Any] = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    return report


def save_table(tables: TableSet, report: Mapping[str, Any], directory: Path) -> None:
    """Write a dataset's directory, to be read by :func:`load_table`.

    Args:
        tables: The rows.
        report: What is to be known about them; where it holds ``columns``, one mapping for each column, these get
            what the :class:`Column` itself says.
        directory: Where; made if it is not there.
    """
    arrays: dict[str, Cells] = {}
    for part, table in (("train", tables.train), ("test", tables.test)):
        for place, column in enumerate(table.columns):
            arrays |= stored_cells(f"{part}.{place}", column, table.cells[column.name])
    save_arrays(arrays, tables.columns, report, directory)


def save_arrays(
    arrays: Mapping[str, Cells], columns: Sequence[Column], report: Mapping[str, Any], directory: Path
) -> None:
    """Write a dataset's directory from arrays of :func:`stored_cells`.

    The categories of a column lie beside the report, which goes wherever the dataset is told of.
    """
    directory.mkdir(parents=True, exist_ok=True)
    save_file(dict(arrays), directory / ARRAYS)
    figures: Sequence[Mapping[str, Any]] = report.get("columns") or [{} for _ in columns]
    known = [asdict(column) for column in columns]
    (directory / COLUMNS).write_text(json.dumps(known, ensure_ascii=False), encoding="utf-8")
    told = [
        {**found, **{name: value for name, value in column.items() if name != "categories"}}
        for found, column in zip(figures, known, strict=True)
    ]
    text = json.dumps({**report, "columns": told}, ensure_ascii=False, indent=1)
    (directory / REPORT).write_text(text, encoding="utf-8")


def _cells(arrays: Mapping[str, Cells], columns: Sequence[Column], part: str) -> dict[str, Cells]:
    found = {}
    for place, column in enumerate(columns):
        key = f"{part}.{place}"
        found[column.name] = _texts(arrays, key) if column.type in WRITTEN else arrays[key]
    return found


def stored_cells(key: str, column: Column, cells: Cells) -> dict[str, Cells]:
    """The arrays a column's cells are stored as; ``key`` is the part and the column's place, such as ``train.0``."""
    if column.type not in WRITTEN:
        return {key: np.ascontiguousarray(cells, np.int32 if column.type in CODED else np.float64)}
    encoded = [b"" if cell is None else cell.encode() for cell in cells]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    present = np.array([cell is not None for cell in cells], np.bool_)
    return {key: np.frombuffer(b"".join(encoded), np.uint8), f"{key}.ends": ends, f"{key}.present": present}


def _texts(arrays: Mapping[str, Cells], key: str) -> Cells:
    data, ends, present = arrays[key].tobytes(), arrays[f"{key}.ends"].tolist(), arrays[f"{key}.present"]
    texts = np.empty(len(present), object)
    for row in np.flatnonzero(present).tolist():
        texts[row] = data[ends[row] : ends[row + 1]].decode()
    return texts
