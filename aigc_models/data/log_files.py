"""Opens an upload of operations: a table of text (CSV), a Parquet file, or JSON lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from aigc_models.data import column_words, event_columns, event_files, text_bytes, text_rows
from aigc_models.data.event_files import SAMPLE, Table, Wishes
from aigc_models.data.event_rows import EventFile
from aigc_models.data.log_columns import LOG, ROLES, LogRole
from aigc_models.data.reading import refuse
from aigc_models.data.table_faults import TableFaults

Beat = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class OpenedLog:
    """An upload, read.

    Attributes:
        file: Its cells.
        roles: Its columns by what they hold.
        joined: Further columns that make up what was done.
    """

    file: EventFile
    roles: Mapping[LogRole, int]
    joined: Sequence[int] = ()


def open_log(upload: Path, work: Path, params: Mapping[str, Any], beat: Beat) -> OpenedLog:
    """Read an upload.

    Args:
        upload: The file.
        work: A directory for what lies on disk meanwhile.
        params: The settings of the import.
        beat: Told how many characters are read.

    Raises:
        InputError: It cannot be read, or what its columns hold stays unclear.
    """
    if upload.stat().st_size and _is_json(upload):
        whole = _read_json(upload, params)
        roles, joined = _roles(whole.columns, [whole.cells[n].head(SAMPLE).tolist() for n in whole.cells], params)
        return OpenedLog(whole, roles, joined)
    wishes = Wishes({}, params["header"], params["delimiter"], params["encoding"], params["skip_broken"])
    table: Table = event_files.look(upload, work, wishes)
    roles, joined = _roles(table.columns, table.sample, params)
    return OpenedLog(
        event_files.read(table, sorted({*roles.values(), *joined}), wishes, beat),
        roles,
        joined,
    )


def _roles(
    columns: Sequence[str], sample: Sequence[Sequence[str]], params: Mapping[str, Any]
) -> tuple[dict[LogRole, int], list[int]]:
    settings = {role: params[f"{role}_column"] for role in ROLES}
    none = [role for role, text in settings.items() if text.strip().casefold() == "none" and text not in columns]
    wished = {role: text for role, text in settings.items() if role not in none}
    joined = [
        event_columns.find(columns, "joined_columns", name) for name in column_words.split(params["joined_columns"])
    ]
    roles = event_columns.choose(columns, wished, sample, LOG)
    return {role: place for role, place in roles.items() if role not in none and place not in joined}, joined


def _is_json(path: Path) -> bool:
    if path.name.lower().removesuffix(".gz").endswith((".csv", ".tsv", ".parquet")):
        return False
    with text_bytes.unpacked(path) as stream:
        return stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _read_json(path: Path, params: Mapping[str, Any]) -> EventFile:
    """Lines of objects as a table; a value that is a list is joined, one that is an object is left out."""
    faults = TableFaults()
    rows = text_rows.read_rows(path, {**params, "delimiter": "auto"}, faults)
    if not params["skip_broken"]:
        faults.refuse()
    if not rows.columns:
        raise refuse("The file {file} holds no rows.", "dataset-empty", file=path.name)
    taken = {row.number for row in rows.rows}
    last = max(taken)
    cells = {
        place: pd.Series([text_rows.flat(row.cells.get(name, "")) for row in rows.rows], dtype="str").str.strip()
        for place, name in enumerate(rows.columns)
    }
    missing = [number for number in range(1, last + 1) if number not in taken]
    return EventFile(rows.columns, cells, path.name, 1, missing, faults.count, rows.encoding)
