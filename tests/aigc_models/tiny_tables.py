"""A tiny table with a column of every type, missing cells and Chinese headers."""

import json
from pathlib import Path

import numpy as np

from aigc_models.data.tables import Column, Table, TableSet, save_table

COLUMNS = (
    Column("编号", "identifier"),
    Column("Status", "categorical", ("good", "bad", "好"), missing="NA"),
    Column("Age", "integer", missing="?"),
    Column("Income", "continuous", decimals=2),
    Column("Day", "datetime", format="%d.%m.%Y"),
    Column("Married", "boolean", ("no", "yes")),
    Column("Land", "constant", ("DE",)),
    Column("Note", "text"),
)


def tiny_table(rows: int = 80, seed: int = 3) -> Table:
    """Rows whose income follows age and status."""
    draws = np.random.default_rng(seed)
    status = draws.choice([0, 1, 2, -1], rows, p=[0.6, 0.25, 0.1, 0.05]).astype(np.int32)
    age = draws.integers(18, 80, rows).astype(np.float64)
    income = np.round(1000 + 40 * age - 500 * (status == 1) + draws.normal(0, 150, rows), 2)
    age[draws.random(rows) < 0.3] = np.nan
    cells = {
        "编号": np.array([f"K-{number:05d}" for number in draws.permutation(90_000)[:rows] + 10_000], object),
        "Status": status,
        "Age": age,
        "Income": income,
        "Day": 86_400.0 * (15_000 + draws.integers(0, 2000, rows)),
        "Married": draws.integers(0, 2, rows).astype(np.int32),
        "Land": np.zeros(rows, np.int32),
        "Note": np.array([f"said {number}" for number in range(rows)], object),
    }
    return Table(COLUMNS, cells)


def tiny_tables(rows: int = 80) -> TableSet:
    """The same, a quarter kept for testing."""
    table = tiny_table(rows)
    split = rows * 3 // 4
    return TableSet(table.take(np.arange(split)), table.take(np.arange(split, rows)))


def write_tables(directory: Path, tables: TableSet) -> Path:
    """Write a set as an import would."""
    report = {"kind": "table", "train": len(tables.train), "test": len(tables.test), "hash": "0" * 64}
    save_table(tables, report, directory)
    return directory


def report_of(rows: int) -> dict[str, object]:
    """What an import's report says of such a table, for estimates."""
    columns = [{"name": column.name, "type": column.type, "categories": list(column.categories)} for column in COLUMNS]
    found: dict[str, object] = json.loads(json.dumps({"train": rows, "test": rows // 4, "columns": columns}))
    return found
