"""What a job's row means for a reader: the state to show, and one sentence on what it waits for."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jobs.tables import Job

WORKER_PATIENCE = timedelta(seconds=10)
BROKER_PATIENCE = timedelta(seconds=5)

NO_WORKER = "No worker is running. Start one with: aigc worker"
BROKER_DOWN = "The queue cannot be reached. The job is kept and starts when the queue is back."
RETRY = "The last attempt failed. The next one starts by itself soon."
STALLED = "The worker has stopped answering. Another one takes over by itself."
STOPPING = "The worker is finishing the current step."
PAUSING = "The worker is saving the job's state."


@dataclass(frozen=True, slots=True)
class Label:
    """How a job's state reads.

    Attributes:
        state: The status, or ``cancelling``, ``pausing``, ``stalled``, ``waiting_retry``,
            ``waiting_for_worker``, ``broker_down``.
        hint: One sentence with ``{gaps}``, which is also the translation key.
        values: What fills the gaps.
    """

    state: str
    hint: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


def label(job: Job, now: datetime, served: Set[tuple[str, str]]) -> Label:
    """Derive a job's label.

    Args:
        job: The row.
        now: The database's clock.
        served: The (lane, kind of device) pairs that live workers take jobs of.
    """
    if job.status == "running":
        return _running(job, now)
    if job.status == "queued":
        return _queued(job, now, served)
    return Label(job.status)


def _running(job: Job, now: datetime) -> Label:
    if job.cancel_requested_at is not None:
        return Label("cancelling", STOPPING)
    if job.lease_until is not None and job.lease_until < now:
        return Label("stalled", STALLED)
    if job.pause_requested_at is not None:
        return Label("pausing", PAUSING)
    return Label("running")


def _queued(job: Job, now: datetime, served: Set[tuple[str, str]]) -> Label:
    if job.not_before > now:
        return Label("waiting_retry", RETRY)
    waiting = now - max(job.not_before, job.created_at)
    if waiting > WORKER_PATIENCE and (job.lane, job.device_kind) not in served:
        return Label("waiting_for_worker", NO_WORKER)
    if waiting > BROKER_PATIENCE and job.dispatched_at is None:
        return Label("broker_down", BROKER_DOWN)
    return Label("queued")
