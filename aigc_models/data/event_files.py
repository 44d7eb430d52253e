"""Opens an upload of events: one table, or a ZIP of tables of which one holds the events and one the titles."""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

import pandas as pd

from aigc_models.base import Fault, InputError
from aigc_models.data import event_columns
from aigc_models.data.event_columns import INTERACTIONS, REQUIRED, Role
from aigc_models.data.event_rows import EventFile
from aigc_models.data.image_files import true_names
from aigc_models.data.reading import refuse
from aigc_models.data.table_dialect import Dialect, find_dialect, open_bytes
from aigc_models.data.table_faults import TableFaults
from aigc_models.data.table_rows import LONGEST_LINE, RowReader, Spool
from aigc_models.data.table_source import Reading
from aigc_models.data.table_wishes import Wishes as TableWishes
from aigc_models.data.uploads import is_table_name

SAMPLE = 200
MOST_TABLES = 50
_NAME = re.compile(r"[^\w.\- ]+")
_DAY = r"\d{4}[-/.]\d\d?[-/.]\d\d?.*|\d\d?[-/.]\d\d?[-/.]\d{2,4}.*"
_DATUM = re.compile(rf"[-+]?\d[\d.,]*(e[-+]?\d+)?|{_DAY}", re.IGNORECASE)

Header = Literal["auto", "yes", "no"]
Beat = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the files are to be read, where their user says so."""

    columns: Mapping[Role, str] = field(default_factory=dict)
    header: Header = "auto"
    delimiter: str = "auto"
    encoding: str = "auto"
    skip_broken: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """An upload, read.

    Attributes:
        events: The file of events.
        roles: Its columns by what they hold.
        titles: What items are called, from a file of their own.
        titles_from: That file's name; empty without one.
        ignored: Tables of a ZIP that hold neither.
    """

    events: EventFile
    roles: Mapping[Role, int]
    titles: Mapping[str, str]
    titles_from: str = ""
    ignored: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was looked into: its headers (empty strings without any), and some cells of each column.

    A Parquet file is read whole at once; a text has a dialect instead.
    """

    path: Path
    dialect: Dialect | None
    columns: Sequence[str]
    sample: Sequence[Sequence[str]]
    whole: Sequence["pd.Series[str]"] | None = None

    def guess(self) -> dict[Role, int]:
        """What the columns hold, as far as headers or cells tell."""
        if any(self.columns):
            return event_columns.by_name(self.columns, INTERACTIONS)
        return event_columns.by_content(self.sample, INTERACTIONS)


def open_events(upload: Path, work: Path, wishes: Wishes, beat: Beat) -> Opened:
    """Read an upload.

    Args:
        upload: The file.
        work: A directory for what a ZIP holds.
        wishes: How to read it.
        beat: Told how many characters are read.

    Raises:
        InputError: It cannot be read, or what its columns hold stays unclear.
    """
    if not zipfile.is_zipfile(upload):
        table = look(upload, work, wishes)
        roles = event_columns.choose(table.columns, wishes.columns, table.sample, INTERACTIONS)
        return Opened(read(table, sorted(set(roles.values())), wishes, beat), roles, {})
    tables = [look(path, path.parent, wishes) for path in unpack(upload, work)]
    events = _events_among(tables, wishes)
    roles = event_columns.choose(events.columns, wishes.columns, events.sample, INTERACTIONS)
    named = _titles_among([table for table in tables if table is not events])
    titles = _titles(named, wishes, beat) if named is not None else {}
    ignored = [table.path.name for table in tables if table is not events and table is not named]
    titles_from = named.path.name if named is not None else ""
    return Opened(read(events, sorted(set(roles.values())), wishes, beat), roles, titles, titles_from, ignored)


def unpack(upload: Path, work: Path) -> list[Path]:
    """The tables of a ZIP, each in a directory of its own, under names that lead nowhere.

    Raises:
        InputError: It is damaged, holds no table, or too many.
    """
    found: list[Path] = []
    try:
        with zipfile.ZipFile(upload) as archive:
            infos = archive.infolist()
            tables = [(name, info) for name, info in zip(true_names(infos), infos, strict=True) if is_table_name(name)]
            if not 0 < len(tables) <= MOST_TABLES:
                sentence = "The archive {file} holds {count} tables. Put one file of events and one of titles into it."
                raise refuse(sentence, "no-tables", file=upload.name, count=len(tables))
            for place, (name, info) in enumerate(tables):
                path = work / str(place) / _NAME.sub("_", PurePosixPath(name).name)[-100:]
                path.parent.mkdir(parents=True)
                with archive.open(info) as packed, path.open("wb") as stream:
                    while block := packed.read(2**20):
                        stream.write(block)
                found.append(path)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        raise refuse(
            "The archive {file} is cut off or damaged. Upload it again.", "truncated-file", file=upload.name
        ) from None
    return found


def look(path: Path, work: Path, wishes: Wishes) -> Table:
    """Look into a file: what its columns are called, and some of their cells.

    Raises:
        InputError: It holds no rows, or cannot be read.
    """
    if path.stat().st_size == 0:
        sentence = "The file {file} is empty (0 bytes). Choose a file with data in it."
        raise refuse(sentence, "dataset-empty", file=path.name)
    if _is_parquet(path):
        return _look_into_parquet(path, work)
    dialect = find_dialect(path, wishes.encoding, wishes.delimiter)
    first = _first_row(path, dialect)
    headless = wishes.header == "no" or (wishes.header == "auto" and any(map(_DATUM.fullmatch, map(str.strip, first))))
    names = [str(place) for place in range(1, len(first) + 1)] if headless else []
    reader = RowReader(path, dialect, TableFaults(), names)
    rows = next(reader.blocks(), [])[:SAMPLE]
    columns = [""] * len(first) if headless else list(reader.names)
    if not rows:
        raise refuse("The file {file} holds no rows below its header.", "dataset-empty", file=path.name)
    return Table(path, dialect, columns, [[cell.strip() for cell in cells] for cells in zip(*rows, strict=True)])


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"


def _look_into_parquet(path: Path, work: Path) -> Table:
    from aigc_models.data.table_parquet import read_parquet  # needs a package that may be missing

    with Spool(work / "cells.spool") as spool:
        reading = Reading({}, TableWishes({}, (), (), ""), spool, TableFaults(), lambda _: None)
        names = read_parquet(path, reading).rows.names
        if not spool.rows:
            raise refuse("The file {file} holds no rows.", "dataset-empty", file=path.name)
        whole = [_stripped(spool.column(place)) for place in range(len(names))]
    return Table(path, None, names, [cells.head(SAMPLE).tolist() for cells in whole], whole)


def _first_row(path: Path, dialect: Dialect) -> list[str]:
    """The cells of the first line, to see whether they are headers; what cannot be decoded is told by the reader."""
    with (
        open_bytes(path, packed=dialect.packed) as stream,
        io.TextIOWrapper(stream, dialect.encoding, errors="replace", newline="") as text,
    ):
        line = text.readline(LONGEST_LINE)
    if dialect.delimiter == " ":
        return line.split()
    return next(csv.reader([line], delimiter=dialect.delimiter, skipinitialspace=dialect.spaced), [])


def read(table: Table, places: Sequence[int], wishes: Wishes, beat: Beat) -> EventFile:
    """All rows, of the columns at some places."""
    if table.whole is not None:
        cells = {place: table.whole[place] for place in places}
        return EventFile(table.columns, cells, table.path.name, first_row=1)
    return _read_text(table, places, wishes, beat)


def _read_text(table: Table, places: Sequence[int], wishes: Wishes, beat: Beat) -> EventFile:
    assert table.dialect is not None
    headless = not any(table.columns)
    faults = TableFaults()
    names = [str(place) for place in range(1, len(table.columns) + 1)] if headless else []
    reader = RowReader(table.path, table.dialect, faults, names)
    blocks: dict[int, list[pd.Series[str]]] = {place: [] for place in places}
    for rows in reader.blocks():
        for place in places:
            blocks[place].append(_stripped([row[place] for row in rows]))
        beat(reader.read)
    if not wishes.skip_broken:
        faults.refuse()
    if not blocks[places[0]]:
        raise refuse("The file {file} holds no rows that can be read.", "dataset-empty", file=table.path.name)
    return EventFile(
        columns=table.columns,
        cells={place: pd.concat(found, ignore_index=True) for place, found in blocks.items()},
        name=table.path.name,
        first_row=reader.first,
        skipped=tuple(reader.skipped),
        unreadable=faults.count,
        encoding=table.dialect.encoding,
        delimiter=table.dialect.delimiter,
    )


def _stripped(cells: Sequence[str]) -> "pd.Series[str]":
    return pd.Series(cells, dtype="str").str.strip()


def _events_among(tables: Sequence[Table], wishes: Wishes) -> Table:
    """The table with users and items; of several the one with a rating, then the largest."""
    named = [text for role, text in wishes.columns.items() if text and role != "title"]

    def fits(table: Table) -> bool:
        if named and any(table.columns):
            return all(text in table.columns for text in named)
        return set(REQUIRED) <= set(table.guess())

    fitting = list(filter(fits, tables))
    if not fitting:
        names = ", ".join(table.path.name for table in tables)
        sentence = (
            "None of the tables {names} has a column of users and one of items. Name them under User column and Item "
            "column."
        )
        raise InputError(Fault(sentence, {"names": names}, "/user_column", code="column-unclear"))
    return max(fitting, key=lambda table: ("rating" in table.guess(), table.path.stat().st_size))


def _titles_among(tables: Sequence[Table]) -> Table | None:
    fitting = [table for table in tables if any(table.columns) and {"item", "title"} <= set(table.guess())]
    fitting = [table for table in fitting if "user" not in table.guess()] or fitting
    return max(fitting, key=lambda table: table.path.stat().st_size, default=None)


def _titles(table: Table, wishes: Wishes, beat: Beat) -> dict[str, str]:
    roles: dict[Role, int] = {role: place for role, place in table.guess().items() if role in ("item", "title")}
    file = read(table, sorted(set(roles.values())), wishes, beat)
    pairs: Iterator[tuple[str, str]] = zip(file.cells[roles["item"]], file.cells[roles["title"]], strict=True)
    found: dict[str, str] = {}
    for item, title in pairs:
        if item and title:
            found.setdefault(item, title)
    return found
