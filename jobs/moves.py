"""The one statement that changes a job: guard, move and events in a single UPDATE whose row count decides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, update
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


@dataclass(frozen=True, slots=True)
class Move:
    """What an UPDATE does to a job.

    Attributes:
        source: Status the job must have.
        target: Status it gets.
        values: Further columns.
        events: What is added to the history, in the same transaction.
        visible: Whether a reader could see the difference; if so, the row's version grows.
    """

    source: JobStatus
    target: JobStatus
    values: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[NewEvent] = ()
    visible: bool = True


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
    if move.visible:
        values |= {"version": Job.version + 1, "updated_at": now}
    if move.events:
        values["last_seq"] = Job.last_seq + len(move.events)
    statement = (
        update(Job.__table__)  # type: ignore[arg-type]
        .where(Job.id == job_id, Job.status == move.source, *guards)
        .values(status=move.target, **values)
        .returning(*Job.__table__.c)
    )
    row = session.execute(statement).one_or_none()
    if row is not None and move.events:
        add_events(session, job_id, row.last_seq - len(move.events) + 1, move.events, now)
    return row


def add_events(session: Session, job_id: str, first: int, events: Sequence[NewEvent], now: datetime) -> None:
    """Write events under the numbers that the UPDATE has taken for them."""
    session.execute(
        insert(JobEvent.__table__),  # type: ignore[arg-type]
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
