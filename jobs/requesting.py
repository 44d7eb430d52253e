"""What users ask of a job: stop, pause, go on. A running job is only asked; its worker answers."""

from collections.abc import Callable
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.engine import Engine
from jobs.errors import JobAlreadyFinished, JobNotFound
from jobs.moves import IllegalMove, Move, NewEvent, apply, state_event
from jobs.principal import Principal
from jobs.tables import FINAL, Job, JobStatus


def request_cancel(engine: Engine, principal: Principal, job_id: str) -> Job:
    """Stop a job: one that waits is cancelled at once, one that runs is asked to stop.

    Raises:
        JobNotFound: The caller has no such job.
        JobAlreadyFinished: It has succeeded or failed.
    """

    def step(session: Session, job: Job, now: datetime) -> bool:
        if job.status == "cancelled" or (job.status == "running" and job.cancel_requested_at is not None):
            return True
        if job.status in FINAL:
            raise JobAlreadyFinished(status=job.status)
        if job.status == "running":
            event = NewEvent("state", {"status": "running", "requested": "cancel", "by": principal.owner})
            move = Move("running", "running", {"cancel_requested_at": now}, [event])
        else:
            event = state_event("cancelled", by=principal.owner)
            move = Move(_status(job), "cancelled", {"cancel_requested_at": now}, [event])
        return apply(session, job.id, move, now) is not None

    return _request(engine, principal, job_id, step)


def request_pause(engine: Engine, principal: Principal, job_id: str) -> Job:
    """Ask a running job to save its state and stop until it is resumed.

    Raises:
        JobNotFound: The caller has no such job.
        JobAlreadyFinished: It has ended.
        IllegalMove: It waits; only what runs can be paused.
    """

    def step(session: Session, job: Job, now: datetime) -> bool:
        if job.status == "paused" or job.pause_requested_at is not None:
            return True
        if job.status in FINAL:
            raise JobAlreadyFinished(status=job.status)
        if job.status != "running":
            raise IllegalMove(f"{job.status} -> paused")
        event = NewEvent("state", {"status": "running", "requested": "pause", "by": principal.owner})
        move = Move("running", "running", {"pause_requested_at": now}, [event])
        return apply(session, job.id, move, now) is not None

    return _request(engine, principal, job_id, step)


def resume(engine: Engine, principal: Principal, job_id: str) -> Job:
    """Queue a paused job again; it goes on from its checkpoint.

    Raises:
        JobNotFound: The caller has no such job.
        JobAlreadyFinished: It has ended.
    """

    def step(session: Session, job: Job, now: datetime) -> bool:
        if job.status in FINAL:
            raise JobAlreadyFinished(status=job.status)
        if job.status != "paused":
            return True
        event = state_event("queued", by=principal.owner)
        return apply(session, job.id, Move("paused", "queued", {"not_before": now}, [event]), now) is not None

    job = _request(engine, principal, job_id, step)
    engine.dispatcher.announce(job.lane, job.device_kind)
    return job


def _request(engine: Engine, principal: Principal, job_id: str, step: Callable[[Session, Job, datetime], bool]) -> Job:
    """Read, move by compare-and-swap, and read again when a worker was faster."""
    wanted = select(Job).where(Job.id == job_id, Job.tenant_id == principal.tenant_id)
    with engine.db.begin() as session:
        while True:
            job = session.scalar(wanted.execution_options(populate_existing=True))
            if job is None:
                raise JobNotFound(kind="job", id=job_id)
            if step(session, job, engine.db.now(session)):
                session.refresh(job)
                return job


def _status(job: Job) -> JobStatus:
    return cast(JobStatus, job.status)
