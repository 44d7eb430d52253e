"""What keeps the queue going: every action is a compare-and-swap, so any number of schedulers may run."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, or_, select, update
from sqlalchemy.orm import Session

from jobs import graph, staging, workers
from jobs.dispatch import DEVICE_KINDS, LANES
from jobs.engine import Engine
from jobs.moves import Move, apply, state_event, untouched
from jobs.picking import claimable
from jobs.tables import Attempt, Job

log = logging.getLogger("aigc.maintenance")

BATCH = 1_000
COUNT_CAP = 10_000
# A row that was committed a moment ago is just being announced by whoever wrote it.
SETTLE = timedelta(seconds=1)

LOST = "The worker stopped answering {count} times while it ran this job, so the job is not tried again."


def redispatch(engine: Engine) -> int:
    """Announce what nobody was told of, or nobody came for; gives the number of rows that were due.

    As many announcements are sent as the queue lacks, so a long queue does not fill the broker.
    Rows are marked after the broker took them, never before.
    """
    due = 0
    for lane in LANES:
        for kind in DEVICE_KINDS:
            due += _redispatch(engine, lane, kind)
    return due


def rehome(engine: Engine) -> int:
    """Give waiting jobs to the other kind of device when only that one has workers; gives their number."""
    with engine.db.begin() as session:
        now = engine.db.now(session)
        served = workers.served(session, now)
        moved = 0
        for lane, kind in sorted(served):
            other = DEVICE_KINDS[1 - DEVICE_KINDS.index(kind)]
            if (lane, other) in served:
                continue
            patience = now - timedelta(seconds=engine.settings.redispatch_seconds)
            stranded = update(Job).where(Job.id.in_(untouched(*claimable(lane, other, now), Job.updated_at < patience)))
            changes = {"device_kind": kind, "dispatched_at": None, "version": Job.version + 1, "updated_at": now}
            ids = session.scalars(
                stranded.values(**changes).returning(Job.id).execution_options(synchronize_session=False)
            )
            moved += len(ids.all())
    return moved


class Reaper:
    """Takes jobs away from attempts whose lease ran out.

    It waits one full lease after its own start, and after any time in which it could not look: then
    the workers could not renew their leases either, and must not lose their jobs for it (amnesty).

    Args:
        engine: Where the jobs are.
        monotonic: Replaces the clock in tests.
    """

    def __init__(self, engine: Engine, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._monotonic = engine, monotonic
        self._looked = monotonic()
        self._reaps_from = 0.0
        self.grant_amnesty()

    def grant_amnesty(self) -> None:
        """Reap nothing for the length of a lease."""
        self._reaps_from = self._monotonic() + self._engine.settings.lease_seconds

    def tick(self) -> int:
        """Reap what is overdue; gives the number of jobs."""
        now = self._monotonic()
        if now - self._looked > self._engine.settings.lease_seconds / 2:
            self.grant_amnesty()  # this process was frozen, and perhaps the machine with it
        self._looked = now
        if now < self._reaps_from:
            return 0
        try:
            return reap(self._engine)
        except Exception:
            self.grant_amnesty()
            raise


def reap(engine: Engine) -> int:
    """Move on every job whose lease has run out; gives their number. Amnesty is the caller's business."""
    with engine.db.read() as session:
        now = engine.db.now(session)
        overdue = select(Job.id, Job.lease_id).where(Job.status == "running", Job.lease_until < now)
        found = session.execute(overdue.limit(BATCH)).all()
    reaped = 0
    for job_id, lease_id in found:
        with engine.db.begin() as session:
            job = _reap(engine, session, job_id, str(lease_id))
        if job is not None:
            reaped += 1
            log.warning("Job %s lost its worker; it is now %s", job.id, job.status)
            if job.status == "queued":
                engine.dispatcher.announce(job.lane, job.device_kind)
    return reaped


def expire(engine: Engine) -> int:
    """Fail jobs that did not start in time; gives their number."""
    with engine.db.read() as session:
        now = engine.db.now(session)
        late = session.scalars(select(Job.id).where(Job.status == "queued", Job.expires_at < now).limit(BATCH)).all()
    failure, event = {"code": "expired", "faults": []}, state_event("failed", code="expired")
    move = Move("queued", "failed", {"failure": failure}, [event])
    expired = 0
    for job_id in late:
        with engine.db.begin() as session:
            if not session.scalar(untouched(Job.id == job_id)):
                continue
            if apply(session, job_id, move, now, Job.expires_at < now) is not None:
                graph.settle(session, [job_id], now)
                expired += 1
    return expired


def _redispatch(engine: Engine, lane: str, kind: str) -> int:
    with engine.db.read() as session:
        now = engine.db.now(session)
        due = _due(session, lane, kind, now, timedelta(seconds=engine.settings.redispatch_seconds))
        if not due:
            return 0
        some = select(Job.id).where(*claimable(lane, kind, now)).limit(COUNT_CAP).subquery()
        waiting = session.scalar(select(func.count()).select_from(some)) or 0
    announced = engine.dispatcher.waiting(lane, kind)
    if announced is None:
        return 0
    for _ in range(min(len(due), max(0, waiting - announced))):
        if not engine.dispatcher.announce(lane, kind):
            return 0
    with engine.db.begin() as session:
        mark = update(Job).where(Job.id.in_(untouched(Job.id.in_(due), Job.status == "queued")))
        session.execute(mark.values(dispatched_at=engine.db.now(session)).execution_options(synchronize_session=False))
    return len(due)


def _due(session: Session, lane: str, kind: str, now: datetime, every: timedelta) -> Sequence[str]:
    told = or_(
        Job.dispatched_at.is_(None) & (Job.updated_at < now - SETTLE),
        Job.dispatched_at < now - every,
    )
    rows = select(Job.id).where(*claimable(lane, kind, now), told)
    return session.scalars(rows.order_by(Job.priority.desc(), Job.created_at).limit(BATCH)).all()


def _reap(engine: Engine, session: Session, job_id: str, lease_id: str) -> Row[Any] | None:
    now = engine.db.now(session)
    overdue = (Job.lease_id == lease_id, Job.lease_until < now)
    # Under this lock: a cancel between the moves below would leave a queued job that nobody may claim.
    if not session.scalar(untouched(Job.id == job_id, *overdue)):
        return None
    most, lost = engine.settings.max_worker_losses, {"worker_losses": Job.worker_losses + 1}
    cancelled = Move("running", "cancelled", lost, [state_event("cancelled", code="worker_lost")])
    fault = {"message": LOST, "values": {"count": most}, "pointer": "", "where": {}, "code": "poisoned"}
    failure = {"code": "poisoned", "faults": [fault]}
    poisoned = Move("running", "failed", lost | {"failure": failure}, [state_event("failed", code="poisoned")])
    again = Move("running", "queued", lost | {"not_before": now}, [state_event("queued", code="worker_lost")])
    spent = Job.worker_losses + 1 >= most
    job = (
        apply(session, job_id, cancelled, now, *overdue, Job.cancel_requested_at.is_not(None))
        or apply(session, job_id, poisoned, now, *overdue, spent)
        or apply(session, job_id, again, now, *overdue)
    )
    if job is not None:
        printed = staging.last_words(staging.directory(engine.settings, job_id, job.attempt, lease_id))
        ended = update(Attempt).where(Attempt.lease_id == lease_id)
        session.execute(
            ended.values(ended_at=now, outcome="lost", failure_code="worker_lost", stderr_tail=printed or None)
        )
        graph.settle(session, [job_id], now)
    return job
