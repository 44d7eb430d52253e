"""Parquet files, read in batches and written to disk as text like the cells of a CSV file."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.reading import refuse
from aigc_models.data.table_faults import TableFaults
from aigc_models.data.table_rows import BLOCK_CELLS, MOST_ROWS, Rows, hashes, header
from aigc_models.data.table_source import Reading, Source


def read_parquet(file: Path, reading: Reading) -> Source:
    """Read a whole file.

    Raises:
        InputError: The package for it is not installed, the file is damaged, or a column holds lists or the like.
    """
    opened = _open(file)
    names = header(opened.schema_arrow.names, reading.faults)
    _check_types(opened.schema_arrow)
    gone = reading.wishes.check(names)
    keep = [place for place in range(len(names)) if place not in gone]
    wanted = sorted({*keep, *([names.index(reading.wishes.account)] if reading.wishes.account else [])})
    digests, accounts = [np.zeros(0, np.uint64)], []
    reading.spool.begin(len(keep))
    size, total = file.stat().st_size, max(1, opened.metadata.num_rows)
    if total > MOST_ROWS:
        raise refuse("The table has more than {limit} rows. Split the file.", "dataset-too-large", limit=MOST_ROWS)
    batch_size = max(1, BLOCK_CELLS // len(names))
    for batch in opened.iter_batches(batch_size, columns=[names[place] for place in wanted], use_threads=False):
        cells = {place: _texts(batch.column(at)) for at, place in enumerate(wanted)}
        kept = [cells[place] for place in keep]
        digests.append(hashes(map("\x1f".join, zip(*kept, strict=True))))
        if reading.wishes.account:
            accounts.append(hashes(cells[names.index(reading.wishes.account)]))
        reading.spool.add_columns(kept)
        reading.beat(size * reading.spool.rows // total)
    rows = Rows([names[place] for place in keep], np.concatenate(digests), _joined(accounts), first=1)
    return Source(rows, {"format": "parquet"})


def _joined(parts: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64] | None:
    return np.concatenate(parts) if parts else None


def _open(file: Path) -> Any:
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")  # the others reserve more than the limit allows
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        sentence = (
            "Reading Parquet files needs the package pyarrow on the worker. Install it with "
            "pip install 'aigc-foundry[parquet]', or upload the table as CSV."
        )
        raise refuse(sentence, "parquet-not-installed", file=file.name) from None
    arrow.set_cpu_count(1)
    arrow.set_io_thread_count(1)
    try:
        return parquet.ParquetFile(file, pre_buffer=False)
    except (arrow.ArrowException, OSError, ValueError):
        sentence = "The file {file} is cut off or damaged. Upload it again."
        raise refuse(sentence, "truncated-file", file=file.name) from None


def _check_types(schema: Any) -> None:
    import pyarrow as arrow

    faults = TableFaults()
    for one in schema:
        kind = one.type.value_type if arrow.types.is_dictionary(one.type) else one.type
        if arrow.types.is_nested(kind) or arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind):
            sentence = "The column {column} holds {type}, which is no single value. Leave it out or flatten it."
            faults.add(sentence, "wrong-type", {"column": one.name}, type=str(kind)[:80])
    faults.refuse()


def _texts(column: Any) -> list[str]:
    """The cells of a batch as text; a missing one is empty."""
    import pyarrow as arrow
    from pyarrow import compute

    if arrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if arrow.types.is_timestamp(column.type):
        unit = "s" if column.type.unit == "s" else "us"
        column = compute.cast(compute.cast(column, arrow.timestamp(unit), safe=False), arrow.string())
    texts = compute.fill_null(compute.cast(column, arrow.string()), "")
    found: list[str] = texts.to_pylist()
    return found
