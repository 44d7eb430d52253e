"""From an uploaded file to rows that lie on disk column by column: CSV in any dialect, or Parquet."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from gzip import BadGzipFile
from pathlib import Path
from typing import Any

from aigc_models.data.column_words import split
from aigc_models.data.reading import refuse
from aigc_models.data.table_dialect import find_dialect
from aigc_models.data.table_faults import TableFaults
from aigc_models.data.table_numbers import PLAIN
from aigc_models.data.table_rows import RowReader, Rows, Spool, spool_rows
from aigc_models.data.table_wishes import Wishes

LEAST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Source:
    """A table that was read.

    Attributes:
        rows: What is known of its rows.
        facts: How the file is written: format, encoding, delimiter, whether it is packed.
        headless: Whether its first line looks like data.
    """

    rows: Rows
    facts: dict[str, Any] = field(default_factory=dict)
    headless: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read: settings, what its owner says of columns, where cells go, and whom to tell."""

    params: dict[str, Any]
    wishes: Wishes
    spool: Spool
    faults: TableFaults
    beat: Callable[[int], None]


def read_source(file: Path, reading: Reading) -> Source:
    """Read a whole file.

    Raises:
        InputError: It cannot be read, or holds too few rows.
    """
    with file.open("rb") as stream:
        is_parquet = stream.read(4) == b"PAR1"
    if is_parquet:
        from aigc_models.data.table_parquet import read_parquet  # needs a package that may be missing

        source = read_parquet(file, reading)
    else:
        try:
            source = _read_text(file, reading)
        except (BadGzipFile, EOFError, zlib.error):
            sentence = "The file {file} is damaged: it cannot be unpacked. Upload it again."
            raise refuse(sentence, "truncated-file", file=file.name) from None
    if not reading.params["skip_broken"]:
        reading.faults.refuse()
    _check_count(len(source.rows.digests), file.name, reading.faults)
    return source


def _check_count(count: int, name: str, faults: TableFaults) -> None:
    if count >= LEAST_ROWS:
        return
    faults.refuse()  # what was left out says more than that little is left
    if not count:
        raise refuse("The file {file} has no rows below the names of its columns.", "dataset-empty", file=name)
    sentence = "Only {count} rows were found. At least {least} are needed to learn from and to test on."
    raise refuse(sentence, "too-few-rows", count=count, least=LEAST_ROWS)


def _read_text(file: Path, reading: Reading) -> Source:
    params = reading.params
    dialect = find_dialect(file, params["encoding"], params["delimiter"])
    names = split(params["column_names"])
    reader = RowReader(file, dialect, reading.faults, names)
    rows = spool_rows(reader, reading.spool, reading.wishes.check, reading.wishes.account, reading.beat)
    if not reader.names:
        raise refuse("The file {file} holds no cells.", "dataset-empty", file=file.name)
    facts = {
        "format": "csv",
        "encoding": dialect.encoding.removesuffix("-sig"),
        "byte_order_mark": dialect.encoding in ("utf-8-sig", "utf-16"),
        "delimiter": dialect.delimiter,
        "packed": dialect.packed,
    }
    return Source(rows, facts, headless=not names and looks_like_data(reader.names))


def looks_like_data(names: Sequence[str]) -> bool:
    """Whether headers could be numbers, at least half of them."""
    numbers = sum(PLAIN.pattern.fullmatch(name) is not None for name in names)
    return 2 * numbers >= len(names) and numbers > 0
