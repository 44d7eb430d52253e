"""What users ask of a job: stop, pause, go on. A running job is only asked; its worker answers."""

from collections.abc import Callable
from datetime import datetime
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs import graph
from jobs.engine import Engine
from jobs.errors import JobAlreadyFinished, JobCancelling, JobNotFound, JobPausing
from jobs.moves import Move, NewEvent, apply, state_event
from jobs.principal import Principal
from jobs.tables import FINAL, Job, JobStatus

NO_PAUSE = "The job has already {status}, so it cannot be paused."
NO_RESUME = "The job has already {status}, so it cannot go on. Retry it instead."


def request_cancel(engine: Engine, principal: Principal, job_id: str) -> Job:
    """Stop a job: one that waits is cancelled at once, with those that wait for it; one that runs is asked to stop.

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
        return _move(session, job, move, now)

    return _request(engine, principal, job_id, step)


def request_pause(engine: Engine, principal: Principal, job_id: str) -> Job:
    """Hold a job until it is resumed: one that waits at once, one that runs when its worker has saved its state.

    Raises:
        JobNotFound: The caller has no such job.
        JobAlreadyFinished: It has ended.
        JobCancelling: It is being cancelled.
    """

    def step(session: Session, job: Job, now: datetime) -> bool:
        if job.status in FINAL:
            raise JobAlreadyFinished(NO_PAUSE, status=job.status)
        if job.status == "running":
            if job.cancel_requested_at is not None:
                raise JobCancelling
            if job.pause_requested_at is not None:
                return True
            event = NewEvent("state", {"status": "running", "requested": "pause", "by": principal.owner})
            return _move(session, job, Move("running", "running", {"pause_requested_at": now}, [event]), now)
        if job.status == "paused":
            return True
        event = state_event("paused", by=principal.owner)
        return _move(session, job, Move(_status(job), "paused", {"pause_requested_at": None}, [event]), now)

    return _request(engine, principal, job_id, step)


def resume(engine: Engine, principal: Principal, job_id: str) -> Job:
    """Let a paused job go on from its checkpoint: queued, or blocked while what it needs has not succeeded yet.

    Raises:
        JobNotFound: The caller has no such job.
        JobAlreadyFinished: It has ended.
        JobCancelling: It is being cancelled.
        JobPausing: Its worker is still saving its state.
    """
    moved = False

    def step(session: Session, job: Job, now: datetime) -> bool:
        nonlocal moved
        if job.status in FINAL:
            raise JobAlreadyFinished(NO_RESUME, status=job.status)
        if job.status == "running" and job.cancel_requested_at is not None:
            raise JobCancelling
        if job.status == "running" and job.pause_requested_at is not None:
            raise JobPausing
        if job.status != "paused":
            return True
        held = graph.hold(session, job.id)
        if held is None or held.status != "paused":
            return False
        moved = _move(session, job, graph.next_move(session, held, now, by=principal.owner), now)
        return moved

    job = _request(engine, principal, job_id, step)
    if moved and job.status == "queued":
        engine.dispatcher.announce(job.lane, job.device_kind)
    return job


def _move(session: Session, job: Job, move: Move, now: datetime) -> bool:
    """Make the move, and move on what waits for the job where that has ended it."""
    if apply(session, job.id, move, now) is None:
        return False
    if move.target in FINAL:
        graph.settle(session, [job.id], now)
    return True


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
