"""Several short jobs ended in one transaction, as :func:`jobs.claiming.claim_several` took them in one.

Each keeps its own lease, attempt and history, and each write its own guard; what they share is the commit,
and for plain successes the statements.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from jobs import beats, curves, graph, results
from jobs.artifacts import NewFile
from jobs.beats import NOTHING, Beat
from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.lifecycle import END_ATTEMPT, Lease, Signals, Told, signals_in
from jobs.moves import Move, apply_each
from jobs.tables import Job

Write = Callable[[Session, datetime], None]


@dataclass(frozen=True, slots=True)
class Success:
    """What :meth:`jobs.lifecycle.Lease.succeed` is given.

    Attributes:
        lease: Of the attempt that ended well.
        metrics: Its figures.
        files: What it made; their bytes are in the store.
        last: What happened since the last heartbeat.
    """

    lease: Lease
    metrics: Mapping[str, float]
    files: Sequence[NewFile]
    last: Beat | None = None

    @property
    def plain(self) -> bool:
        """Whether it makes nothing but files."""
        return results.makes(self.lease.claim.family, self.lease.claim.operation) == "files"


def succeed_together(engine: Engine, successes: Sequence[Success]) -> list[bool]:
    """Record several successes in one transaction; says for each whether its lease still held.

    Raises:
        Exception: Whatever a write raises but :class:`LeaseLost`; then nothing of all was written.
    """
    if all(success.plain for success in successes):
        return _transact(engine, [success.lease for success in successes], lambda *at: _succeed(engine, successes, *at))
    ends = [(each.lease, each.lease.success(each.metrics, each.files, each.last)) for each in successes]
    return end_together(engine, ends)


def end_together(engine: Engine, ends: Sequence[tuple[Lease, Write]]) -> list[bool]:
    """End several attempts in one transaction, each with its own statements; as :func:`succeed_together`."""
    leases = [lease for lease, _ in ends]
    return _transact(engine, leases, lambda session, now: [_holds(write, session, now) for _, write in ends])


def beat_together(engine: Engine, told: Sequence[tuple[Lease, Beat]]) -> list[Signals | None]:
    """Renew several leases in one transaction, as :meth:`jobs.lifecycle.Lease.beat`; None for one that is lost."""
    with engine.db.begin() as session:
        now = engine.db.now(session)
        found = [_beat(lease, session, now, beat) for lease, beat in told]
    return [None if each is None else lease.remember(each) for (lease, _), each in zip(told, found, strict=True)]


def _beat(lease: Lease, session: Session, now: datetime, beat: Beat) -> Told | None:
    try:
        return lease.tell(session, now, beat)
    except LeaseLost:  # by its first statement, as below
        return None


def signals_together(engine: Engine, leases: Sequence[Lease]) -> list[Signals | None]:
    """Look what users ask of several jobs, as :meth:`jobs.lifecycle.Lease.signals`; None for a lease that is lost."""
    with engine.db.read() as session:
        rows = session.connection().execute(_ASKED, _named(leases))
        found = {row.lease_id: signals_in(row) for row in rows}
    return [found.get(lease.claim.lease_id) for lease in leases]


def _named(leases: Sequence[Lease]) -> dict[str, list[str]]:
    return {
        "jobs": [lease.claim.job_id for lease in leases],
        "leases": [lease.claim.lease_id for lease in leases],
    }


_ASKED = select(Job.lease_id, Job.cancel_requested_at, Job.pause_requested_at).where(
    Job.id.in_(bindparam("jobs", expanding=True)),
    Job.lease_id.in_(bindparam("leases", expanding=True)),
    Job.status == "running",
)


def _transact(engine: Engine, leases: Sequence[Lease], write: Callable[[Session, datetime], list[bool]]) -> list[bool]:
    def work(session: Session, now: datetime) -> tuple[list[bool], list[Row[Any]]]:
        held = write(session, now)
        ended = [lease.claim.job_id for lease, holds in zip(leases, held, strict=True) if holds]
        return held, graph.settle(session, ended, now) if ended else []

    held, freed = engine.db.transact(work)
    graph.announce(engine, freed)
    return held


def _holds(write: Write, session: Session, now: datetime) -> bool:
    try:
        write(session, now)
    except LeaseLost:  # by its first statement, which changed nothing: there is nothing to take back
        return False
    return True


_LOCKED = (
    select(Job.id, Job.lease_id, Job.last_seq, Job.checkpoint_step)
    .where(Job.id.in_(bindparam("ids", expanding=True)), Job.status == "running")
    .order_by(Job.id)
    .with_for_update()
)


def _succeed(engine: Engine, successes: Sequence[Success], session: Session, now: datetime) -> list[bool]:
    """The successes whose lease still holds: looked at under a lock, then guarded by it once more."""
    ids = [success.lease.claim.job_id for success in successes]
    rows = {row.id: row for row in session.connection().execute(_LOCKED, {"ids": ids})}
    held = [_is_held(success, rows) for success in successes]
    kept = [success for success, holds in zip(successes, held, strict=True) if holds]
    jobs = [rows[success.lease.claim.job_id] for success in kept]
    apply_each(session, jobs, [_move(engine, success, now) for success in kept], now)
    for success, job in zip(kept, jobs, strict=True):
        if success.last is not None:
            curves.write(engine.db, session, job.id, curves.merge(success.last.points))
        if job.checkpoint_step >= 0:
            results.drop_checkpoints(session, job.id)
    placed = [
        (results.Place(each.lease.claim.tenant_id, each.lease.claim.job_id, "output"), each.files) for each in kept
    ]
    results.keep_all_files(engine, session, placed, now)
    if kept:
        ended = {"now": now, "outcome_": "succeeded", "code": None, "tail": None}
        session.connection().execute(END_ATTEMPT, [ended | {"lease": each.lease.claim.lease_id} for each in kept])
    return held


def _is_held(success: Success, rows: Mapping[str, Any]) -> bool:
    row = rows.get(success.lease.claim.job_id)
    return row is not None and row.lease_id == success.lease.claim.lease_id


def _move(engine: Engine, success: Success, now: datetime) -> Move:
    last = success.last or NOTHING
    seen = success.lease.seen(curves.merge(last.points))
    move = beats.success(engine.settings, last, seen, curves.clean(success.metrics), now)
    return replace(move, bound={**move.bound, "lease": success.lease.claim.lease_id})
