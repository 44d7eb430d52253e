"""What a job's row means for a reader: the state to show, and one sentence on what it waits for."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from jobs.tables import Job

WORKER_PATIENCE = timedelta(seconds=10)
BROKER_PATIENCE = timedelta(seconds=5)

NO_WORKER = "No worker is running. Start one with: aigc worker"
ALL_PAUSED = "The workers of this queue are paused. Resume them on the page Workers."
BROKER_DOWN = "The queue cannot be reached. The job is kept and starts when the queue is back."
RETRY = "The last attempt failed. The next one starts by itself soon."
DISK_FULL = "The disk is full. The job goes on by itself when there is room."
IN_PARTS = "The device ran out of memory. The next attempt starts soon and computes each batch in {parts} parts."
LOWER_RATE = "The loss became NaN. The next attempt starts soon with the learning rate halved."
STALLED = "The worker has stopped answering. Another one takes over by itself."
STOPPING = "The worker is finishing the current step."
QUOTA = "Waiting until fewer of your jobs run: at most {count} may run at a time."
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


Lanes = Set[tuple[str, str]]


def label(job: Job, now: datetime, served: Lanes, full: Lanes = frozenset(), paused: Lanes = frozenset()) -> Label:
    """Derive a job's label.

    Args:
        job: The row.
        now: The database's clock.
        served: The (lane, kind of device) pairs that live workers take jobs of.
        full: Those of them whose workers all have too little room on their disks.
        paused: Those of them whose workers all are paused.
    """
    if job.status == "running":
        return _running(job, now)
    if job.status == "queued":
        if (job.lane, job.device_kind) in paused and job.not_before <= now:
            return Label("waiting_for_worker", ALL_PAUSED)
        return _queued(job, now, served, full)
    return Label(job.status)


def held_back(found: Label, quota: int) -> Label:
    """The label of a queued job whose owner has as many jobs running as may."""
    return Label("queued", QUOTA, {"count": quota}) if found.state == "queued" else found


def rests(job: Job, now: datetime) -> bool:
    """Whether a job may not be taken yet, as an attempt failed a moment ago.

    Not whether it was submitted after the caller looked at the clock.
    """
    return job.not_before > max(now, job.created_at)


def _running(job: Job, now: datetime) -> Label:
    if job.cancel_requested_at is not None:
        return Label("cancelling", STOPPING)
    if job.lease_until is not None and job.lease_until < now:
        return Label("stalled", STALLED)
    if job.pause_requested_at is not None:
        return Label("pausing", PAUSING)
    return Label("running")


def _queued(job: Job, now: datetime, served: Lanes, full: Lanes) -> Label:
    if rests(job, now):
        return _waiting_retry(job)
    waiting = now - max(job.not_before, job.created_at)
    if waiting > WORKER_PATIENCE and (job.lane, job.device_kind) in full:
        return Label("waiting_for_worker", DISK_FULL)
    if waiting > WORKER_PATIENCE and (job.lane, job.device_kind) not in served:
        return Label("waiting_for_worker", NO_WORKER)
    if waiting > BROKER_PATIENCE and job.dispatched_at is None:
        return Label("broker_down", BROKER_DOWN)
    return Label("queued")


def _waiting_retry(job: Job) -> Label:
    code, parts = (job.failure or {}).get("code"), job.adjustments.get("micro_batches", 1)
    if code == "disk_full":
        return Label("waiting_retry", DISK_FULL)
    if code == "out_of_memory" and parts > 1 and "batch_size" in job.params:
        return Label("waiting_retry", IN_PARTS, {"parts": parts})
    if code == "diverged":
        return Label("waiting_retry", LOWER_RATE)
    return Label("waiting_retry", RETRY)
