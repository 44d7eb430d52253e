"""The one statement that changes a job: guard, move and events in a single UPDATE whose row count decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Update, bindparam, insert, update
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
    if (move.source, move.target) not in LEGAL:
        raise IllegalMove(f"{move.source} -> {move.target}")
    values = dict(move.values)
    if move.target != move.source:
        values |= _entering(move.target, now)
    if move.visible and move.rule is None:
        values |= {"version": Job.version + 1, "updated_at": now}
    if move.events and move.rule is None:
        values["last_seq"] = Job.last_seq + len(move.events)
    if move.rule is None:
        wanted = (Job.id == job_id, Job.status == move.source, *guards)
        row = session.execute(_UPDATE.where(*wanted).values(status=move.target, **values)).one_or_none()
    else:
        row = _apply_rule(session, job_id, move, {"status": move.target, **values}, now)
    if row is not None and move.events:
        add_events(session, job_id, row.last_seq - len(move.events) + 1, move.events, now)
    return row


def _apply_rule(session: Session, job_id: str, move: Move, values: Mapping[str, Any], now: datetime) -> Row[Any] | None:
    """The same with a statement that is kept: putting one together costs several times what running it does."""
    assert move.rule is not None
    statement = _statement(move.rule, tuple(sorted(values)), move.visible)
    given = {"at_id": job_id, "at_status": move.source, "at_now": now, "at_events": len(move.events)}
    new = {f"new_{name}": value for name, value in values.items()}
    return session.connection().execute(statement, given | new | dict(move.bound)).one_or_none()


@lru_cache(maxsize=256)
def _statement(rule: Rule, names: tuple[str, ...], visible: bool) -> Update:
    columns = Job.__table__.c
    values: dict[str, Any] = {name: bindparam(f"new_{name}", type_=columns[name].type) for name in names}
    values |= {"last_seq": Job.last_seq + bindparam("at_events"), **rule.computed}
    if visible:
        values |= {"version": Job.version + 1, "updated_at": bindparam("at_now", type_=columns.updated_at.type)}
    where = (Job.id == bindparam("at_id"), Job.status == bindparam("at_status"), *rule.guards)
    kept: Update = _UPDATE.where(*where).values(values)
    return kept


_UPDATE: Any = update(Job.__table__).returning(*Job.__table__.c)  # type: ignore[arg-type]
_ADD = insert(JobEvent.__table__)  # type: ignore[arg-type]


def add_events(session: Session, job_id: str, first: int, events: Sequence[NewEvent], now: datetime) -> None:
    """Write events under the numbers that the UPDATE has taken for them."""
    session.connection().execute(
        _ADD,
        [
            {
                "job_id": job_id,
                "seq": first + place,
                "at": now,
                "kind": event.kind,
                "terminal": event.kind == "end",
                "data": dict(event.data),
            }
            for place, event in enumerate(events)
        ],
    )


def state_event(status: JobStatus, **more: Any) -> NewEvent:
    """The event that tells of a new status; a final one is the job's last event."""
    return NewEvent("end" if status in FINAL else "state", {"status": status} | more)


def _entering(target: JobStatus, now: datetime) -> dict[str, Any]:
    """Columns that follow from the status alone; the database checks the first two as well."""
    values: dict[str, Any] = {}
    if target != "running":
        values |= {"lease_id": None, "lease_until": None}
    if target in FINAL:
        values["finished_at"] = now
    if target == "queued":
        values |= {"worker_id": None, "dispatched_at": None, "phase": None}
    return values
