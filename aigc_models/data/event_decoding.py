"""Reads an upload of events and writes a dataset; runs as a process of its own with limits.

``python -m aigc_models.data.event_decoding REQUEST`` where the request is JSON: ``file``, ``work`` (a directory for
what lies on disk meanwhile), ``out`` (the run's directory) and ``params`` (the import's settings). It writes
``dataset/`` below ``out``, and ``result.json`` into ``work``: some counts, or the faults.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aigc_models.base import Fault, InputError
from aigc_models.data import event_report, event_rows
from aigc_models.data.event_columns import Role
from aigc_models.data.event_files import Opened, Wishes, open_events
from aigc_models.data.event_rows import Rules
from aigc_models.data.interactions import save_interactions
from aigc_models.data.reading import Beat
from aigc_models.data.sandbox import answer
from aigc_models.data.table_personal import find_personal

COUNTS = ("events", "users", "items")
_PERSONAL_SAMPLE = 2000


def read_upload(request: Mapping[str, Any], beat: Beat) -> dict[str, Any]:
    """Read everything, write the dataset, and give its counts.

    Raises:
        InputError: The upload cannot be used; faults of cells name row, column and value.
    """
    params: Mapping[str, Any] = request["params"]
    opened = _open(Path(request["file"]), Path(request["work"]), params, beat)
    if params["least_rating"] is not None and "rating" not in opened.roles:
        sentence = "The file has no column of ratings, so Least rating has no meaning for it."
        raise InputError(Fault(sentence, {}, "/least_rating", code="column-unclear"))
    names = ("least_rating", "least_events", "drop_repeats", "skip_broken", "hash_users")
    rules = Rules(**{name: params[name] for name in names})
    read = event_rows.read_events(opened.events, opened.roles, rules, opened.titles)
    report = event_report.report(read, opened.events)
    report |= {"titles_from": opened.titles_from, "hashed": rules.hash_users, "personal": _personal(opened, rules)}
    report["warnings"] += [{"message": message, "values": values} for message, values in _notes(opened)]
    save_interactions(read.data, report, Path(request["out"]) / "dataset")
    return {name: report[name] for name in COUNTS}


def _open(file: Path, work: Path, params: Mapping[str, Any], beat: Beat) -> Opened:
    roles: tuple[Role, ...] = ("user", "item", "time", "rating", "title")
    columns = {role: params[f"{role}_column"] for role in roles}
    wishes = Wishes(columns, params["header"], params["delimiter"], params["encoding"], params["skip_broken"])
    size = file.stat().st_size
    return open_events(file, work, wishes, lambda done: beat(min(done, size), size))


def _personal(opened: Opened, rules: Rules) -> str:
    """The kind of personal data the users' names probably are; nothing where they are hashed."""
    if rules.hash_users:
        return ""
    place = opened.roles["user"]
    names = opened.events.cells[place].unique()[:_PERSONAL_SAMPLE].tolist()
    return find_personal(opened.events.columns[place], [name for name in names if name])


def _notes(opened: Opened) -> Iterator[tuple[str, dict[str, Any]]]:
    if not any(opened.events.columns):
        yield "The file has no header; columns are named by their number.", {}
    if opened.ignored:
        yield "These tables of the archive were not used: {names}.", {"names": ", ".join(opened.ignored)}


if __name__ == "__main__":
    answer(json.loads(sys.argv[1]), read_upload)
