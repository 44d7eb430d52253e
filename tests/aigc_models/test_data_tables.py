"""Tables come back from disk as they were stored."""

from pathlib import Path

import numpy as np

from aigc_models.data.tables import Column, Table, TableSet, load_report, load_table, save_table

COLUMNS = (
    Column("金额", "continuous", decimals=2),
    Column("kind", "categorical", categories=("red", "blue"), missing="NA"),
    Column("when", "datetime", format="%d.%m.%Y"),
    Column("note", "text", personal="email"),
)


def _table(rows: int) -> Table:
    notes = np.empty(rows, object)
    notes[:] = [None if row % 3 == 0 else "ä" * row for row in range(rows)]
    cells = {
        "金额": np.where(np.arange(rows) % 2, np.nan, np.arange(rows) / 4),
        "kind": (np.arange(rows, dtype=np.int32) % 3) - 1,
        "when": np.arange(rows) * 86400.0,
        "note": notes,
    }
    return Table(COLUMNS, cells)


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    stored = TableSet(_table(7), _table(0))
    save_table(stored, {"kind": "table", "columns": [{"seen": number} for number in range(4)]}, tmp_path)
    found = load_table(tmp_path)
    assert found.columns == COLUMNS
    assert (len(found.train), len(found.test)) == (7, 0)
    for name, cells in stored.train.cells.items():
        np.testing.assert_array_equal(found.train.cells[name], cells)
    assert [column["seen"] for column in load_report(tmp_path)["columns"]] == [0, 1, 2, 3]


def test_rows_are_taken_by_number_and_by_mask() -> None:
    table = _table(4)
    assert table.take(np.array([3, 1])).cells["when"].tolist() == [3 * 86400.0, 86400.0]
    assert table.take(np.array([True, False, False, True])).cells["note"].tolist() == [None, None]
    assert table.column("kind").missing == "NA"
