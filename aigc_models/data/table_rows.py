"""The rows of a text, one block after the other, and a place on disk where they lie column by column.

Nothing is held in memory but one block of rows, and later the cells of one column.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.reading import refuse
from aigc_models.data.table_dialect import Dialect, open_bytes, unreadable
from aigc_models.data.table_faults import TableFaults, cut

LONGEST_LINE = 2**20  # characters of a line, and of a cell that runs over several lines
MOST_COLUMNS = 2_000
MOST_ROWS = 5_000_000
BLOCK_CELLS = 200_000

Row = Sequence[str]


class Spool:
    """Cells of a table in one file, column by column in blocks; used in a with statement."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._blocks: list[list[tuple[int, int, int]]] = []
        self.rows = 0

    def __enter__(self) -> Self:
        self._file = self._path.open("w+b")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, width: int) -> None:
        """Say how many columns there will be."""
        self._blocks = [[] for _ in range(width)]

    def add(self, rows: Sequence[Row]) -> None:
        """Add a block of rows."""
        for blocks, cells in zip(self._blocks, zip(*rows, strict=True), strict=True):
            self._append(blocks, cells)
        self.rows += len(rows)

    def add_columns(self, columns: Sequence[Sequence[str]]) -> None:
        """Add a block that lies column by column already."""
        for blocks, cells in zip(self._blocks, columns, strict=True):
            self._append(blocks, cells)
        self.rows += len(columns[0])

    def _append(self, blocks: list[tuple[int, int, int]], cells: Sequence[str]) -> None:
        data = "".join(cells).encode()
        lengths = np.fromiter(map(len, cells), np.uint32, len(cells))
        blocks.append((self._file.tell(), len(cells), len(data)))
        self._file.write(lengths.tobytes())
        self._file.write(data)

    def column(self, place: int) -> list[str]:
        """All cells of a column, in the order of the rows."""
        cells: list[str] = []
        for start, count, size in self._blocks[place]:
            self._file.seek(start)
            ends = np.cumsum(np.frombuffer(self._file.read(4 * count), np.uint32), dtype=np.int64).tolist()
            text = self._file.read(size).decode()
            begin = 0
            for end in ends:
                cells.append(text[begin:end])
                begin = end
        return cells


@dataclass(slots=True)
class Rows:
    """What was read of a table beside its cells.

    Attributes:
        names: Headers of the kept columns.
        digests: A hash of each row's kept cells, uint64 (N,).
        accounts: A hash of each row's account, uint64 (N,), or None.
        skipped: Numbers of rows that were left out, in order.
        first: Number of the first row of data, as a spreadsheet counts.
    """

    names: Sequence[str]
    digests: NDArray[np.uint64]
    accounts: NDArray[np.uint64] | None
    skipped: Sequence[int] = ()
    first: int = 2

    def number(self, index: int) -> int:
        """The number that a spreadsheet gives a row, by its index among the kept ones."""
        gaps = np.asarray(self.skipped, np.int64) - np.arange(len(self.skipped))
        return index + self.first + int(np.searchsorted(gaps, index + self.first, side="right"))


@dataclass(slots=True)
class RowReader:
    """Reads the rows of a CSV file.

    Attributes:
        path: The file.
        dialect: How it is written.
        faults: Is told of rows that cannot be used; these are left out.
        names: Headers, for a file without a line of them.
        first: Number of the first row of data, as a spreadsheet counts.
    """

    path: Path
    dialect: Dialect
    faults: TableFaults
    names: list[str] = field(default_factory=list)
    skipped: list[int] = field(default_factory=list)
    read: int = 0
    quotes: int = 0
    first: int = 1
    has_nul: bool = False

    def blocks(self) -> Iterator[list[Row]]:
        """Rows with the right number of cells; the headers are known before the first block comes.

        Raises:
            InputError: The file is no text in its encoding, or has a line that never ends.
        """
        try:
            yield from self._blocks()
        except UnicodeError:
            raise unreadable(self.path.name, self.dialect.encoding) from None

    def _blocks(self) -> Iterator[list[Row]]:
        records = self._records()
        if not self.names:
            named = next((row for row in self._counted(records) if any(row) and not self._is_hint(row)), ())
            self.names = header(named, self.faults)
        width, rows = len(self.names), list[Row]()
        most = max(1, BLOCK_CELLS // max(width, 1))
        for number, row in enumerate(records, self.first):
            if len(row) != width:
                self._wrong(number, row, width)
                continue
            rows.append(row)
            if len(rows) >= most:
                yield self._without_nuls(rows, number)
                rows = []
        if rows:
            yield self._without_nuls(rows, number)

    def _is_hint(self, row: Row) -> bool:
        """Whether this is the line ``sep=;`` with which spreadsheets tell each other the delimiter."""
        return row[0].strip().lower() in ("sep=", f"sep={self.dialect.delimiter}") and not any(row[1:])

    def _counted(self, records: Iterator[Row]) -> Iterator[Row]:
        """The same, with a count of those that come before the data."""
        for row in records:
            self.first += 1
            yield row

    def _records(self) -> Iterator[Row]:
        with open_bytes(self.path, packed=self.dialect.packed) as stream:
            text = io.TextIOWrapper(stream, self.dialect.encoding, newline="")
            lines = self._lines(text)
            if self.dialect.delimiter == " ":
                yield from (line.split() for line in lines)
                return
            yield from self._cut(lines)

    def _cut(self, lines: Iterator[str]) -> Iterator[Row]:
        csv.field_size_limit(LONGEST_LINE)
        reader = csv.reader(lines, delimiter=self.dialect.delimiter, skipinitialspace=self.dialect.spaced)
        start = end = 0
        try:
            for row in reader:
                start, end = end, reader.line_num
                yield row
        except csv.Error:
            sentence = (
                "A cell that ends in line {line} or later is longer than {limit} characters. Look for a "
                "quotation mark that is not closed."
            )
            raise refuse(sentence, "cell-too-long", line=reader.line_num, limit=LONGEST_LINE) from None
        if self.quotes % 2 and end - start > 1:
            sentence = "A quotation mark in line {line} is not closed. Close it, or leave it out."
            raise refuse(sentence, "cell-too-long", line=start + 1)

    def _lines(self, text: io.TextIOWrapper) -> Iterator[str]:
        number = 0
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                sentence = "Line {line} is longer than {limit} characters. Check that the file is a CSV with line ends."
                raise refuse(sentence, "cell-too-long", line=number, limit=LONGEST_LINE)
            if "\0" in line:
                self.has_nul = True
            self.read += len(line)
            self.quotes += line.count('"')
            yield line

    def _wrong(self, number: int, row: Row, width: int) -> None:
        self.skipped.append(number)
        if any(cell.strip() for cell in row):
            sentence = "Row {row} has {found} cells, but there are {wanted} columns. It begins with {value}."
            if len(row) == 1:
                sentence = "Row {row} has one cell, but there are {wanted} columns. It is {value}."
            start = cut(self.dialect.delimiter.join(row[:3]))
            self.faults.add(sentence, "wrong-cell-count", {"row": number, "value": start}, found=len(row), wanted=width)

    def _without_nuls(self, rows: list[Row], last: int) -> list[Row]:
        """Leave out rows with NUL bytes; which rows these are is looked up only where there are some."""
        if not self.has_nul:
            return rows
        self.has_nul = False
        gone = set(self.skipped)
        numbers, kept = last, list[Row]()
        for row in reversed(rows):
            while numbers in gone:
                numbers -= 1
            bad = [place for place, cell in enumerate(row) if "\0" in cell]
            if bad:
                self._tell_nul(numbers, self.names[bad[0]], row[bad[0]])
            else:
                kept.append(row)
            numbers -= 1
        self.skipped.sort()
        return kept[::-1]

    def _tell_nul(self, number: int, column: str, value: str) -> None:
        self.skipped.append(number)
        sentence = "Row {row}, column {column}: the cell holds a NUL byte. Remove it, or save the file anew."
        where = {"row": number, "column": column, "value": cut(value.replace("\0", "\\0"))}
        self.faults.add(sentence, "nul-byte", where)


def header(cells: Row, faults: TableFaults) -> list[str]:
    """The names of the columns, without blanks around them; what is wrong with them is told at once.

    Raises:
        InputError: A name is missing or there twice, or there are too many columns.
    """
    names = [cell.strip().replace("\0", "") for cell in cells]
    if len(names) > MOST_COLUMNS:
        sentence = "The table has {count} columns. The limit is {limit}; leave some out."
        raise refuse(sentence, "too-many-columns", count=len(names), limit=MOST_COLUMNS)
    seen: dict[str, int] = {}
    for place, name in enumerate(names, 1):
        if not name:
            sentence = "Column {place} has no name. Give it one in the first line, or set the column names."
            faults.add(sentence, "empty-header", {"row": 1}, place=place)
        elif name in seen:
            sentence = "The columns {first} and {place} are both called {column}. Give each a name of its own."
            faults.add(sentence, "duplicate-header", {"row": 1, "column": name}, first=seen[name], place=place)
        seen.setdefault(name, place)
    if faults.count:
        faults.refuse()
    return names


def spool_rows(
    reader: RowReader,
    spool: Spool,
    drop: Callable[[Sequence[str]], set[int]],
    account: str,
    beat: Callable[[int], None],
) -> Rows:
    """Read all rows to disk.

    Args:
        reader: Reads them.
        spool: Where to put them.
        drop: Gives the places of columns to leave out, from the headers; it may raise.
        account: The column whose equal cells keep rows together; empty for none.
        beat: Told how many characters are read.
    """
    digests, accounts = [np.zeros(0, np.uint64)], list[NDArray[np.uint64]]()
    take: Callable[[Row], Row] | None = None
    keep: list[int] | None = None
    for rows in reader.blocks():
        if keep is None:
            gone = drop(reader.names)
            keep = [place for place in range(len(reader.names)) if place not in gone]
            take = _taking(keep) if gone else None
            spool.begin(len(keep))
        if account:
            accounts.append(hashes(row[reader.names.index(account)] for row in rows))
        kept = [take(row) for row in rows] if take else rows
        digests.append(hashes(map("\x1f".join, kept)))
        spool.add(kept)
        if spool.rows > MOST_ROWS:
            sentence = "The table has more than {limit} rows. Split the file."
            raise refuse(sentence, "dataset-too-large", limit=MOST_ROWS)
        beat(reader.read)
    names = [reader.names[place] for place in keep or ()]
    found = np.concatenate(digests)
    return Rows(names, found, np.concatenate(accounts) if accounts else None, reader.skipped, reader.first)


def _taking(keep: Sequence[int]) -> Callable[[Row], Row]:
    if len(keep) == 1:
        return lambda row: (row[keep[0]],)
    getter: Any = itemgetter(*keep)
    return getter  # type: ignore[no-any-return]


def hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """A 64-bit hash of each text, uint64 (N,); the same on every machine."""
    return np.frombuffer(b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts), "<u8")
