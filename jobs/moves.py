"""The one statement that changes a job: guard, move and events in a single UPDATE whose row count decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Update, bindparam, insert, select, update
from sqlalchemy.orm import Session

from jobs.tables import FINAL, Job, JobEvent, JobStatus

LEGAL: frozenset[tuple[JobStatus, JobStatus]] = frozenset(
    {
        ("blocked", "queued"),
        ("blocked", "paused"),
        ("blocked", "cancelled"),
        ("queued", "running"),
        ("queued", "paused"),
        ("queued", "cancelled"),
        ("queued", "failed"),
        ("running", "running"),
        ("running", "succeeded"),
        ("running", "queued"),
        ("running", "failed"),
        ("running", "cancelled"),
        ("running", "paused"),
        ("paused", "queued"),
        ("paused", "blocked"),
        ("paused", "cancelled"),
    }
)


class IllegalMove(Exception):
    """The program asked for a move that is not in the table of states."""


class NotAsExpected(Exception):
    """A row that was held changed under its holder, or was never looked at."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event on its way into the job's history."""

    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Rule:
    """What is always the same of a frequent move: make it once, at import, and the move costs a fifth.

    Attributes:
        guards: What must hold beside id and status; values come by ``bindparam``.
        computed: Columns that the database reckons; their parameters come the same way.
    """

    guards: Sequence[ColumnElement[bool]] = ()
    computed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """What an UPDATE does to a job.

    Attributes:
        source: Status the job must have.
        target: Status it gets.
        values: Further columns.
        events: What is added to the history, in the same transaction.
        visible: Whether a reader could see the difference; if so, the row's version grows.
        rule: What else holds and changes; ``values`` must then be plain.
        bound: Parameters of the rule.
    """

    source: JobStatus
    target: JobStatus
    values: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[NewEvent] = ()
    visible: bool = True
    rule: Rule | None = None
    bound: Mapping[str, Any] = field(default_factory=dict)


def apply(session: Session, job_id: str, move: Move, now: datetime, *guards: ColumnElement[bool]) -> Row[Any] | None:
    """Make a move if the job is as expected.

    Returns:
        The whole new row, or None when the guards did not hold: then nothing was changed.

    Raises:
        IllegalMove: The table of states has no such move.
    """
    if move.rule is not None:
        rows = apply_to_all(session, [job_id], move, now)
        return rows[0] if rows else None
    values = _values(move, now)
    if move.visible:
        values |= {"version": Job.version + 1, "updated_at": now}
    if move.events:
        values["last_seq"] = Job.last_seq + len(move.events)
    wanted = (Job.id == job_id, Job.status == move.source, *guards)
    row = session.execute(_UPDATE.where(*wanted).values(**values)).one_or_none()
    if row is not None:
        add_events(session, [row], move.events, now)
    return row


def apply_to_all(session: Session, ids: Sequence[str], move: Move, now: datetime) -> list[Row[Any]]:
    """Make the same move, which has a rule, with each job that is as expected.

    Its statement is kept: putting one together costs several times what running it does.

    Returns:
        The whole new rows in the order of the ids, without those whose guards did not hold.

    Raises:
        IllegalMove: The table of states has no such move.
    """
    assert move.rule is not None
    values = _values(move, now)
    several = len(ids) != 1
    statement = _statement(move.rule, tuple(sorted(values)), move.visible, several)
    given = _parameters(ids if several else ids[0], move, values, now)
    rows = session.connection().execute(statement, given).all()
    if several:
        places = {job_id: place for place, job_id in enumerate(ids)}
        rows = sorted(rows, key=lambda row: places[row.id])
    add_events(session, rows, move.events, now)
    return list(rows)


def apply_each(session: Session, jobs: Sequence[Any], moves: Sequence[Move], now: datetime) -> None:
    """Make a move of its own, which has a rule, with each of several jobs that nobody else can change meanwhile.

    Args:
        session: In whose transaction the rows are locked.
        jobs: The rows, or as much of them as ``id`` and ``last_seq``.
        moves: What becomes of them, in the same order.
        now: The database's clock.

    Raises:
        NotAsExpected: A guard did not hold, which the caller had looked at.
    """
    alike: dict[Update, list[dict[str, Any]]] = {}
    for job, move in zip(jobs, moves, strict=True):
        assert move.rule is not None
        values = _values(move, now)
        statement = _statement(move.rule, tuple(sorted(values)), move.visible, returning=False)
        alike.setdefault(statement, []).append(_parameters(job.id, move, values, now))
    for statement, given in alike.items():
        if session.connection().execute(statement, given).rowcount != len(given):
            raise NotAsExpected
    rows = [row for job, move in zip(jobs, moves, strict=True) for row in _event_rows(job, move.events, now, taken=0)]
    if rows:
        session.connection().execute(_ADD, rows)


@lru_cache(maxsize=256)
def _statement(
    rule: Rule, names: tuple[str, ...], visible: bool, several: bool = False, returning: bool = True
) -> Update:
    columns = Job.__table__.c
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=columns[name].type) for name in names}
    values |= {"last_seq": Job.last_seq + bindparam("at_events"), **rule.computed}
    if visible:
        values |= {"version": Job.version + 1, "updated_at": bindparam("at_now", type_=columns.updated_at.type)}
    job = Job.id.in_(bindparam("at_id", expanding=True)) if several else Job.id == bindparam("at_id")
    changing: Any = _UPDATE if returning else update(Job.__table__)  # type: ignore[arg-type]
    kept: Update = changing.where(job, Job.status == bindparam("at_status"), *rule.guards).values(values)
    return kept


def untouched(*wanted: ColumnElement[bool]) -> Select[str]:
    """Ids of jobs that nobody else is changing at this moment, and lock them.

    Whoever changes the others may be frozen and keep its locks for seconds: what is done for all jobs must not
    wait for it, and comes to those at the next time. SQLite has one lock for everything, and knows no such thing.
    """
    return select(Job.id).where(*wanted).with_for_update(skip_locked=True)


def _parameters(ids: str | Sequence[str], move: Move, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    given = {"at_id": ids, "at_status": move.source, "at_now": now, "at_events": len(move.events)}
    return given | {f"new_{name}": value for name, value in values.items()} | dict(move.bound)


_UPDATE: Any = update(Job.__table__).returning(*Job.__table__.c)  # type: ignore[arg-type]
_ADD = insert(JobEvent.__table__)  # type: ignore[arg-type]


def add_events(session: Session, jobs: Sequence[Any], events: Sequence[NewEvent], now: datetime) -> None:
    """Write events of each job under the last of its numbers, which it has taken for them already."""
    rows = [row for job in jobs for row in _event_rows(job, events, now, taken=len(events))]
    if rows:
        session.connection().execute(_ADD, rows)


def _event_rows(job: Any, events: Sequence[NewEvent], now: datetime, taken: int) -> list[dict[str, Any]]:
    return [
        {
            "job_id": job.id,
            "seq": job.last_seq - taken + 1 + place,
            "at": now,
            "kind": event.kind,
            "terminal": event.kind == "end",
            "data": dict(event.data),
        }
        for place, event in enumerate(events)
    ]


def state_event(status: JobStatus, **more: Any) -> NewEvent:
    """The event that tells of a new status; a final one is the job's last event."""
    return NewEvent("end" if status in FINAL else "state", {"status": status} | more)


def _values(move: Move, now: datetime) -> dict[str, Any]:
    """The columns a move sets: its own, and those that follow from the new status alone."""
    source, target = move.source, move.target
    if (source, target) not in LEGAL:
        raise IllegalMove(f"{source} -> {target}")
    values = {**move.values, "status": target}
    if target == source:
        return values
    if target != "running":  # the database checks this, too
        values |= {"lease_id": None, "lease_until": None}
    if target in FINAL:
        values["finished_at"] = now
    if target == "queued":
        values |= {"worker_id": None, "dispatched_at": None, "phase": None}
    return values
