"""From an uploaded file of events to a dataset of interactions, with a report on it."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aigc_models.base import Fault, InputError, Run
from aigc_models.data import event_report, event_rows
from aigc_models.data.event_columns import Role
from aigc_models.data.event_files import Opened, Wishes, open_events
from aigc_models.data.event_rows import Rules
from aigc_models.data.interactions import save_interactions
from aigc_models.data.kinds import INTERACTIONS, precheck
from aigc_models.data.table_personal import find_personal
from aigc_models.dataset.interactions_params import DatasetImportInteractions

_PERSONAL_SAMPLE = 2000


def import_interactions(params: DatasetImportInteractions, run: Run) -> dict[str, float]:
    """Check an upload and write ``dataset/`` into the run's directory.

    Raises:
        InputError: The upload cannot be used; faults of cells name row, column and value.
    """
    run.phase("preparing")
    (upload,) = run.inputs["upload"].iterdir()
    precheck(upload, upload.name, INTERACTIONS.name)
    work = run.out_dir / ".unpacked"
    try:
        opened = _open(params, run, upload, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    if params.least_rating is not None and "rating" not in opened.roles:
        sentence = "The file has no column of ratings, so Least rating has no meaning for it."
        raise InputError(Fault(sentence, {}, "/least_rating", code="column-unclear"))
    rules = Rules(params.least_rating, params.least_events, params.drop_repeats, params.skip_broken, params.hash_users)
    read = event_rows.read_events(opened.events, opened.roles, rules, opened.titles)
    run.phase("saving")
    report = event_report.report(read, opened.events)
    report |= {"titles_from": opened.titles_from, "hashed": params.hash_users, "personal": _personal(opened, params)}
    report["warnings"] += [{"message": message, "values": values} for message, values in _notes(opened)]
    save_interactions(read.data, report, run.out_dir / "dataset")
    run.report(1, 1)
    return {name: float(report[name]) for name in ("events", "users", "items")}


def _open(params: DatasetImportInteractions, run: Run, upload: Path, work: Path) -> Opened:
    columns: Mapping[Role, str] = {
        "user": params.user_column,
        "item": params.item_column,
        "time": params.time_column,
        "rating": params.rating_column,
        "title": params.title_column,
    }
    wishes = Wishes(columns, params.header, params.delimiter, params.encoding, params.skip_broken)
    size = upload.stat().st_size
    return open_events(upload, work, wishes, lambda done: run.report(min(done, size), size))


def _personal(opened: Opened, params: DatasetImportInteractions) -> str:
    """The kind of personal data the users' names probably are; nothing where they are hashed."""
    if params.hash_users:
        return ""
    place = opened.roles["user"]
    names = opened.events.cells[place].unique()[:_PERSONAL_SAMPLE].tolist()
    return find_personal(opened.events.columns[place], [name for name in names if name])


def _notes(opened: Opened) -> Iterator[tuple[str, dict[str, Any]]]:
    if not any(opened.events.columns):
        yield "The file has no header; columns are named by their number.", {}
    if opened.ignored:
        yield "These tables of the archive were not used: {names}.", {"names": ", ".join(opened.ignored)}
