"""Rows as files: every cell spelt as in the original, as CSV, as Parquet where that is installed, and as a dataset."""

import csv
import io
import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from aigc_models.data.table_numbers import write_number
from aigc_models.data.tables import CODED, NUMERIC, Cells, Column, Table, TableSet, save_table

_BLOCK = 50_000
# What a spreadsheet takes for a formula; such a cell gets an apostrophe, which makes it text there.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def spell(column: Column, cells: Cells) -> list[str]:
    """Cells as they are written in a file. Shape: (N,)."""
    if column.type in CODED:
        names = [*column.categories, column.missing]
        return [names[code] for code in cells.tolist()]
    if column.type not in NUMERIC:
        return [column.missing if cell is None else cell for cell in cells]
    gaps = np.isnan(cells)
    if column.type == "datetime":
        texts = _dates(column, np.where(gaps, 0.0, cells))
    elif column.type == "integer":
        whole = np.where(gaps, 0, cells).astype(np.int64).tolist()
        texts = [write_number(value, 0, column.format) if column.format else str(value) for value in whole]
    else:
        texts = _decimals(column, np.where(gaps, 0.0, cells))
    for row in np.flatnonzero(gaps).tolist():
        texts[row] = column.missing
    return texts


def _decimals(column: Column, values: Cells) -> list[str]:
    """Few digits as they are; many, or very large numbers, in the shortest form that reads back the same."""
    if column.decimals <= 15 and (not len(values) or np.abs(values).max() < 1e15):
        if column.format:  # a decimal comma, or marks between thousands
            return [write_number(value, column.decimals, column.format) for value in values.tolist()]
        form = f"%.{column.decimals}f"
        return [form % value for value in values.tolist()]
    return [repr(value) for value in values.tolist()]


def _dates(column: Column, values: Cells) -> list[str]:
    form = column.format or "%Y-%m-%d %H:%M:%S"
    places, inverse = np.unique(values, return_inverse=True)  # dates repeat
    texts = [datetime.fromtimestamp(value, UTC).strftime(form) for value in places.tolist()]
    return [texts[place] for place in inverse.tolist()]


def escape(text: str) -> str:
    """A cell that a spreadsheet does not run."""
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return "'" + text
    return text


def spelt(table: Table, escaped: bool = True) -> list[list[str]]:
    """All columns as texts; those of text and categories are escaped."""
    found = []
    for column in table.columns:
        texts = spell(column, table.cells[column.name])
        if escaped and column.type not in NUMERIC and any(text.startswith(_FORMULA) for text in texts):
            texts = [escape(text) for text in texts]
        found.append(texts)
    return found


def write_csv(table: Table, path: Path, source: Mapping[str, Any] | None = None) -> Path:
    """Write rows with a header, in UTF-8; a block at a time, as texts take ten times the memory of numbers.

    Args:
        table: The rows.
        path: The file.
        source: How the file that was learnt from is written, as its dataset's report says: its delimiter and its
            byte order mark are kept. Blanks between columns become commas.
    """
    source = source or {}
    delimiter, marked = str(source.get("delimiter", ",")), bool(source.get("byte_order_mark"))
    with path.open("w", encoding="utf-8-sig" if marked else "utf-8", newline="") as stream:
        _write(table, stream, delimiter if delimiter.strip(" ") else ",")
    return path


def as_csv(table: Table, delimiter: str = ",") -> str:
    """Rows with a header."""
    stream = io.StringIO()
    _write(table, stream, delimiter)
    return stream.getvalue()


def _write(table: Table, stream: TextIO, delimiter: str) -> None:
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow([escape(column.name) for column in table.columns])
    for start in range(0, len(table), _BLOCK):
        block = table.take(slice(start, start + _BLOCK))  # type: ignore[arg-type]
        writer.writerows(zip(*spelt(block), strict=True))


def write_parquet(table: Table, path: Path) -> Path | None:
    """Write typed columns; None where pyarrow is not installed."""
    if find_spec("pyarrow") is None:
        return None
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {column.name: _arrow(pa, column, table.cells[column.name]) for column in table.columns}
    pq.write_table(pa.table(columns), path)
    return path


def _arrow(pa: Any, column: Column, cells: Cells) -> Any:
    if column.type in CODED:
        names = pa.array(column.categories, pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(cells, mask=cells < 0), names)
    if column.type not in NUMERIC:
        return pa.array(list(cells), pa.string())
    gaps = np.isnan(cells)
    known = np.where(gaps, 0, cells)
    if column.type == "integer":
        return pa.array(known.astype(np.int64), mask=gaps)
    if column.type == "datetime":
        return pa.array((known * 1e6).astype(np.int64), mask=gaps).cast(pa.timestamp("us"))
    return pa.array(known, mask=gaps)


def write_results(
    table: Table, directory: Path, manifest: Mapping[str, Any], source: Mapping[str, Any] | None = None
) -> None:
    """Write ``synthetic.csv``, ``.parquet``, the rows as a dataset in ``synthetic/``, and all as ``samples.zip``."""
    files = [write_csv(table, directory / "synthetic.csv", source)]
    parquet = write_parquet(table, directory / "synthetic.parquet")
    files += [parquet] if parquet else []
    nothing = table.take(np.empty(0, np.int64))
    save_table(TableSet(table, nothing), {"kind": "table", "train": len(table), "test": 0}, directory / "synthetic")
    listed = {**manifest, "files": [path.name for path in files], "rows": len(table)}
    _zip(files, listed, directory / "samples.zip")


def _zip(files: Sequence[Path], manifest: Mapping[str, Any], path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            entry = zipfile.ZipInfo(file.name)
            entry.compress_type, entry.file_size = zipfile.ZIP_DEFLATED, file.stat().st_size
            with file.open("rb") as source, archive.open(entry, "w") as packed:
                shutil.copyfileobj(source, packed)
        text = json.dumps(manifest, indent=1, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo("manifest.json"), text.encode())
