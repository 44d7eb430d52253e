"""What a person should know about an event log before anything learns from it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.event_columns import shown
from aigc_models.data.event_logs import FACTS, LABELS, EventLog, Labels
from aigc_models.data.event_report import moment_of, spread
from aigc_models.data.log_files import OpenedLog
from aigc_models.data.log_rows import ReadLog
from aigc_models.data.table_personal import find_personal, find_pieces

SHOWN_EVENTS, SHOWN_SESSIONS, SHOWN_PATH = 20, 5, 40
_SAMPLE = 20_000
_FEW_SESSIONS, _MANY_KINDS, _LONG = 50, 2_000, 1_000


def report(read: ReadLog, opened: OpenedLog, masked: bool) -> dict[str, Any]:
    """Counts, spans, how events spread over sessions, the commonest events, tasks, outcomes and the first events.

    ``hash`` is of the content, so that the same log makes the same dataset wherever it is read.
    """
    log, file = read.log, opened.file
    per_session = np.bincount(log.sessions, minlength=len(log.session_names))
    unit = read.times.unit if read.times else ""
    columns = {role: shown(file.columns, place) for role, place in opened.roles.items()}
    return {
        "kind": "event_log",
        "events": len(log),
        "sessions": len(log.session_names),
        "actions": len(log.events.names),
        "train": int((~log.is_test).sum()),
        "test": int(log.is_test.sum()),
        "columns": columns,
        "joined": [shown(file.columns, place) for place in opened.joined],
        "all_columns": [shown(file.columns, place) for place in range(len(file.columns))],
        "time_unit": unit,
        "first_time": moment_of(float(np.nanmin(log.times)), unit) if log.is_timed else "",
        "last_time": moment_of(float(np.nanmax(log.times)), unit) if log.is_timed else "",
        "encoding": file.encoding,
        "delimiter": file.delimiter,
        "repeats": read.repeats,
        "left_out": {"broken": read.broken, "repeats": read.dropped},
        "per_session": spread(per_session),
        "duration": _durations(log),
        "common": list(_common(log)),
        "tasks": list(_tasks(log)),
        "outcomes": _counted(log.labels["outcome"]),
        "first": [_event(log, int(row), unit) for row in read.first[:SHOWN_EVENTS]],
        "paths": list(_paths(log)),
        "personal": [] if masked else list(_personal(read, opened)),
        "masked": masked,
        "warnings": [
            {"message": message, "values": values} for message, values in _warnings(read, per_session, opened)
        ],
        "hash": _content(log),
    }


def _durations(log: EventLog) -> dict[str, float] | None:
    """Seconds from the first to the last event of sessions with several: the middle, and where nine in ten end."""
    if not log.is_timed:
        return None
    starts = log.starts
    taken = log.times[starts[1:] - 1] - log.times[starts[:-1]]
    taken = taken[np.diff(starts) > 1]
    if not len(taken):
        return None
    return {"middle": float(np.median(taken)), "most": float(np.quantile(taken, 0.9))}


def _common(log: EventLog) -> Iterator[dict[str, Any]]:
    counts = np.bincount(log.events.numbers, minlength=len(log.events.names))
    for number in np.argsort(-counts, kind="stable")[:SHOWN_EVENTS].tolist():
        sessions = len(np.unique(log.sessions[log.events.numbers == number]))
        yield {"event": log.events.names[number], "events": int(counts[number]), "sessions": sessions}


def _counted(labels: Labels) -> list[dict[str, Any]]:
    counts = Counter(labels.numbers[labels.numbers >= 0].tolist())
    return [{"name": labels.names[number], "sessions": count} for number, count in counts.most_common(SHOWN_EVENTS)]


def _tasks(log: EventLog) -> Iterator[dict[str, Any]]:
    """The tasks with most sessions, and how these ended."""
    tasks, outcomes = log.labels["task"], log.labels["outcome"]
    for one in _counted(tasks):
        own = tasks.numbers == tasks.names.index(one["name"])
        ended = _counted(outcomes.take(own))
        yield {**one, "outcomes": {each["name"]: each["sessions"] for each in ended[:4]}}


def _event(log: EventLog, row: int, unit: str) -> dict[str, Any]:
    known = {name: one.name(row) for name, one in log.facts.items()}
    return {
        "session": log.session_names[int(log.sessions[row])],
        "event": log.events.name(row),
        "time": moment_of(float(log.times[row]), unit) if unit else "",
        **{name: value for name, value in known.items() if value},
    }


def _paths(log: EventLog) -> Iterator[dict[str, Any]]:
    """The events of the first sessions in order, to see whether the columns mean what they were taken for."""
    starts = log.starts
    for session in range(min(SHOWN_SESSIONS, len(log.session_names))):
        rows = range(int(starts[session]), int(starts[session + 1]))
        yield {
            "session": log.session_names[session],
            "events": [log.events.name(row) for row in rows[:SHOWN_PATH]],
            "more": max(0, len(rows) - SHOWN_PATH),
            **{name: log.labels[name].name(session) for name in LABELS},
        }


def _personal(read: ReadLog, opened: OpenedLog) -> Iterator[dict[str, Any]]:
    """Columns that probably hold personal data: the sessions as a whole, other names piece by piece."""
    log, columns = read.log, opened.file.columns
    kind = find_personal(columns[opened.roles["session"]], list(read.spellings[:_SAMPLE]))
    if kind:
        yield {"role": "session", "kind": kind, "count": len(read.spellings)}
    for role, one in (("event", log.events), *log.facts.items(), *log.labels.items()):
        found = Counter(kind for name in one.names[:_SAMPLE] for kind, _ in find_pieces(name))
        for kind, count in found.most_common():
            yield {"role": role, "kind": kind, "count": count}


def _warnings(
    read: ReadLog, per_session: NDArray[np.int64], opened: OpenedLog
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Sentences with gaps, each with what fills them."""
    log, times = read.log, read.times
    if not any(opened.file.columns):
        yield "The file has no header; columns are named by their number.", {}
    if times is None:
        yield "The file has no times, so the order of its rows is taken as the order in time.", {}
    elif times.unit == "numbers":
        yield "The times are small numbers; they are taken as an order, not as dates.", {}
    elif len(np.unique(log.times)) == 1:
        yield "All events have the same time, so the order of the rows is taken as the order in time.", {}
    if times is not None and times.unclear:
        yield "Day and month of the dates could be the other way round; day first was taken.", {}
    if read.unordered:
        yield (
            "{count} events stood before an earlier one of their session; all were put in order.",
            {"count": read.unordered},
        )
    if read.broken:
        yield "{count} rows could not be read and were left out.", {"count": read.broken}
    if read.dropped:
        yield "{count} events repeat another one at the same time and were left out.", {"count": read.dropped}
    elif read.repeats and times is not None:
        sentence = "{count} events are the same as another one of their session at the same time, and were kept."
        yield sentence, {"count": read.repeats}
    if read.mixed:
        yield "{count} sessions have several tasks or outcomes; the last of each counts.", {"count": read.mixed}
    if read.cut:
        yield "{count} sessions were cut where nothing happened for long.", {"count": read.cut}
    yield from _more_warnings(log, per_session)


def _more_warnings(log: EventLog, per_session: NDArray[np.int64]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    single = int((per_session == 1).sum())
    if single:
        yield "{count} sessions have one event only.", {"count": single}
    if per_session.max() > _LONG:
        sentence = "The longest session has {count} events. If it is many sittings in one, cut it at long pauses."
        yield sentence, {"count": int(per_session.max())}
    kinds = len(log.events.names)
    if kinds > _MANY_KINDS or kinds > 0.5 * len(log):
        sentence = (
            "There are {count} different events. If the column holds numbers or names that hardly repeat, choose "
            "another one; a how-to needs events that come again."
        )
        yield sentence, {"count": kinds}
    if not (log.labels["task"].names or log.labels["outcome"].names):
        sentence = (
            "No column says what a session was for or how it ended; a how-to then needs an event to begin and one to "
            "end with."
        )
        yield sentence, {}
    if len(log.session_names) < _FEW_SESSIONS:
        values = {"events": len(log), "sessions": len(log.session_names)}
        yield "There are only {events} events of {sessions} sessions; results will be poor.", values


def _content(log: EventLog) -> str:
    content = sha256()
    for one in (log.events, *(log.facts[name] for name in FACTS), *(log.labels[name] for name in LABELS)):
        content.update(np.ascontiguousarray(one.numbers).tobytes())
        content.update("\n".join(one.names).encode() + b"\0")
    for array in (log.sessions, log.times, log.is_test):
        content.update(np.ascontiguousarray(array).tobytes())
    content.update("\n".join(log.session_names).encode())
    return content.hexdigest()
