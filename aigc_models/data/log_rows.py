"""From the cells of a file of operations to ordered, numbered events of sessions, with every fault and what was left
out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data.event_logs import FACTS, LABELS, EventLog, Labels
from aigc_models.data.event_rows import CellFaults, hashed, read_times
from aigc_models.data.event_times import Times
from aigc_models.data.log_columns import LogRole
from aigc_models.data.log_files import OpenedLog
from aigc_models.data.text_personal import masked

LEAST_EVENTS, LEAST_SESSIONS, LEAST_KINDS = 10, 4, 2
JOINER = " · "
_LONGEST = 500  # characters of a name; longer ones are cut


@dataclass(frozen=True, slots=True)
class LogRules:
    """What is to be kept of the events, and how.

    Attributes:
        pause_minutes: Sessions are cut where nothing happens for longer; None cuts none.
        drop_repeats: Whether an event that is the same as another one of its session and moment is left out.
        skip_broken: Whether rows with faults are left out instead of refused.
        mask: Whether personal data in names is replaced, and sessions are stored under a hash.
        test_percent: Percent of the sessions that are kept for testing.
    """

    pause_minutes: float | None = None
    drop_repeats: bool = False
    skip_broken: bool = False
    mask: bool = False
    test_percent: int = 10


@dataclass(frozen=True, slots=True)
class ReadLog:
    """An event log, and what is to be known of how it was read.

    Attributes:
        log: The events.
        times: How the times were read; None without a column of times.
        broken: Rows left out for their faults.
        repeats: Events that are the same as another one of their session and moment.
        dropped: How many of these were left out.
        mixed: Sessions with several tasks or outcomes, of which the last counts.
        cut: Sessions that a long pause cut.
        unordered: Events that stand in the file before an earlier one of their session.
        first: Events that come first in the file.
        spellings: The names of sessions in the file, before any were hashed.
    """

    log: EventLog
    times: Times | None
    broken: int
    repeats: int
    dropped: int
    mixed: int
    cut: int
    unordered: int
    first: NDArray[np.int64]
    spellings: Sequence[str]


def read_log(opened: OpenedLog, rules: LogRules) -> ReadLog:
    """Check all cells, number events and sessions, order them, and keep some sessions for testing.

    Raises:
        InputError: Cells are faulty, each named by row, column and value, or too little is left.
    """
    file, roles = opened.file, opened.roles
    faults = CellFaults(file, np.zeros(len(file), np.bool_))
    for role, sentence in (
        ("session", "Row {row} has no session in the column {column}."),
        ("event", "Row {row} has no event in the column {column}."),
    ):
        place = roles[role]  # type: ignore[index]  # both are roles
        faults.add((file.cells[place] == "").to_numpy(), place, sentence, "cell-missing")
    times = read_times(file, roles.get("time"), faults)
    if not rules.skip_broken:
        faults.refuse()
    frame = _frame(opened, times)[~faults.broken]
    repeated = frame.duplicated(["session", "time", "event", *FACTS])
    repeats = int(repeated.sum())
    dropped = repeats if rules.drop_repeats and times is not None else 0
    if dropped:
        frame = frame[~repeated]
    _refuse_few(frame)
    numbers, _ = pd.factorize(frame["session"])
    moments = frame["time"].to_numpy(np.float64)
    order = np.lexsort((np.where(np.isnan(moments), 0.0, moments), numbers))  # stable: equal times keep the order
    unordered = _unordered(numbers, moments)
    frame = frame.iloc[order]
    frame, cut = _cut(frame, rules.pause_minutes)
    if times is not None and times.unit == "numbers":  # an order, no clock
        frame = frame.assign(time=np.nan)
    log, mixed, spellings = _numbered(frame, rules)
    broken = int(faults.broken.sum()) + file.unreadable
    first = np.argsort(order, kind="stable")
    return ReadLog(log, times, broken, repeats, dropped, mixed, cut, unordered, first, spellings)


def _frame(opened: OpenedLog, times: Times | None) -> pd.DataFrame:
    file = opened.file

    def cells(role: LogRole) -> "pd.Series[str] | str":
        return file.cells[opened.roles[role]].str.slice(0, _LONGEST) if role in opened.roles else ""

    event = file.cells[opened.roles["event"]]
    for place in opened.joined:
        more = file.cells[place]
        event = event.where(more == "", event + JOINER + more)
    columns = {name: cells(name) for name in (*FACTS, *LABELS)}  # type: ignore[arg-type]  # all are roles
    return pd.DataFrame(
        {
            "session": file.cells[opened.roles["session"]],
            "event": event.str.slice(0, _LONGEST),
            "time": np.nan if times is None else times.seconds,
            **columns,
        }
    )


def _refuse_few(frame: pd.DataFrame) -> None:
    sessions, kinds = int(frame["session"].nunique()), int(frame["event"].nunique())
    if len(frame) < LEAST_EVENTS or sessions < LEAST_SESSIONS or kinds < LEAST_KINDS:
        sentence = (
            "Too little is left: events {events}, of them different {kinds}, sessions {sessions}. At least "
            "{least_events} events of {least_sessions} sessions and 2 different events are needed."
        )
        values = {
            "events": len(frame),
            "sessions": sessions,
            "kinds": kinds,
            "least_events": LEAST_EVENTS,
            "least_sessions": LEAST_SESSIONS,
        }
        raise InputError(Fault(sentence, values, code="too-few-events"))


def _unordered(numbers: NDArray[np.int64], moments: NDArray[np.float64]) -> int:
    by_session = np.argsort(numbers, kind="stable")
    inside = numbers[by_session][1:] == numbers[by_session][:-1]
    return int((inside & (np.diff(moments[by_session]) < 0)).sum())


def _cut(frame: pd.DataFrame, pause_minutes: float | None) -> tuple[pd.DataFrame, int]:
    """Pieces of sessions with a pause in them become sessions of their own; gives how many sessions were cut."""
    if pause_minutes is None:
        return frame, 0
    same = (frame["session"] == frame["session"].shift()).to_numpy()
    late = same & (frame["time"].diff().to_numpy(np.float64) > 60 * pause_minutes)
    piece = pd.Series(late, index=frame.index).groupby(frame["session"], sort=False).cumsum().astype("int64")
    named = frame["session"].where(piece == 0, frame["session"] + " #" + (piece + 1).astype("str"))
    return frame.assign(session=named), int(frame["session"][late].nunique())


def _numbered(frame: pd.DataFrame, rules: LogRules) -> tuple[EventLog, int, list[str]]:
    sessions, names = pd.factorize(frame["session"])
    spellings = [str(name) for name in names]
    labels, mixed = {}, np.zeros(len(spellings), np.bool_)
    for name in LABELS:
        one = _labels(frame[name], rules.mask)
        labels[name], several = _last(one, sessions, len(spellings))
        mixed |= several
    log = EventLog(
        sessions.astype(np.int64),
        _labels(frame["event"], rules.mask),
        frame["time"].to_numpy(np.float64),
        {name: _labels(frame[name], rules.mask) for name in FACTS},
        labels,
        [hashed(name, "s") for name in spellings] if rules.mask else spellings,
        _set_aside(frame, len(spellings), rules.test_percent),
    )
    return log, int(mixed.sum()), spellings


def _labels(cells: "pd.Series[str]", mask: bool) -> Labels:
    codes, names = pd.factorize(cells)
    spelled = [masked(str(name)) if mask else str(name) for name in names]
    kept: dict[str, int] = {}
    renamed = np.array([kept.setdefault(name, len(kept)) if name else -1 for name in spelled], np.int64)
    return Labels(renamed[codes] if len(renamed) else np.full(len(cells), -1, np.int64), list(kept))


def _last(one: Labels, sessions: NDArray[np.int64], count: int) -> tuple[Labels, NDArray[np.bool_]]:
    """The last of each session that says something, and which sessions say several things."""
    known = one.numbers >= 0
    found = np.full(count, -1, np.int64)
    found[sessions[known]] = one.numbers[known]  # of several, the last written stays
    several = np.zeros(count, np.bool_)
    several[sessions[known][one.numbers[known] != found[sessions[known]]]] = True
    return Labels(found, one.names), several


def _set_aside(frame: pd.DataFrame, sessions: int, percent: int) -> NDArray[np.bool_]:
    """Sessions kept for testing, drawn by what the log holds, so that the same log is always split alike."""
    digest = sha256("\0".join([*frame["session"], *frame["event"]]).encode("utf-8", "replace")).digest()
    order = np.random.default_rng(int.from_bytes(digest[:8], "big")).permutation(sessions)
    aside = np.zeros(sessions, np.bool_)
    aside[order[: max(1, round(sessions * percent / 100))]] = True
    return aside
