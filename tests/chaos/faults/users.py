"""What users do at the worst moment: cancel, pause, submit the same thing many times over."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psutil

from jobs.errors import JobAlreadyFinished
from jobs.lifecycle import request_cancel, request_pause, resume
from jobs.moves import IllegalMove
from jobs.submit import Submission
from jobs.tables import FINAL
from tests.chaos.faults.processes import MOST_FREEZE, last_pid, runs
from tests.chaos.field import Field
from tests.chaos.load import PRINCIPAL, STOPS, patiently

CANCELS_AT_ANY_TIME, CANCELS_AT_WORK = 6, 4
COPIES = 20
GONE_SECONDS = 10.0  # and what a frozen one may need to learn of it


def cancel_jobs(field: Field) -> None:
    """Several jobs are cancelled: some at a random moment from now on, some while they run."""
    for number in range(CANCELS_AT_ANY_TIME):
        submit = field.load.walk if number else field.load.train
        job = submit(STOPS)
        field.later(field.rng.uniform(0, 5), partial(_cancel, field, job))
    for number in range(CANCELS_AT_WORK):
        submit = field.load.walk if number else field.load.train
        job = submit(STOPS)
        field.expect("never_ran", float("inf"), partial(_cancel_at_work, field, job, field.rng.uniform(0, 1.2)))


def pause_job(field: Field) -> None:
    """A job is paused when it runs, and resumed."""
    job = field.load.walk(steps=40, delay=0.03)
    paused = False

    def passed() -> bool:
        nonlocal paused
        row = field.load.job(job)
        if row.status == "paused":
            resume(field.engine, PRINCIPAL, job)
        elif row.status == "running" and not paused:
            try:
                request_pause(field.engine, PRINCIPAL, job)
            except (IllegalMove, JobAlreadyFinished):  # another attempt, or its end, was faster
                return False
            paused = True
        return row.status in FINAL

    field.expect("paused_for_ever", float("inf"), passed)


def submit_copies(field: Field) -> None:
    """Twenty clients send the same request with the same key: one job."""
    key = f"copies-{field.rng.randrange(10**12)}"
    submission = Submission("toy.evaluate", {"steps": 5, "seed": 1}, idempotency_key=key)
    with ThreadPoolExecutor(COPIES) as clients:
        made = {future.result() for future in [clients.submit(field.load.send, submission) for _ in range(COPIES)]}
    field.promise("one_key_many_jobs", len(made) == 1)


def _cancel_at_work(field: Field, job: str, after: float) -> bool:
    """Cancel a job some time after it was seen to run; whether that is arranged."""
    status = field.load.job(job).status
    if status == "running":
        field.later(after, partial(_cancel, field, job))
    return status == "running" or status in FINAL


def _cancel(field: Field, job: str) -> None:
    try:
        patiently(lambda: request_cancel(field.engine, PRINCIPAL, job))
    except JobAlreadyFinished:
        return
    field.cancels += 1
    field.expect("cancelled_and_unseen", float("inf"), _over(field, job))


def _over(field: Field, job: str) -> Callable[[], bool]:
    """Whether a cancelled job is final and the runner of a training is gone; one that stays warm only stops."""
    ended: float | None = None

    def over() -> bool:
        nonlocal ended
        row = field.load.job(job)
        if row.status not in FINAL:
            return False
        ended = ended or time.monotonic()
        pid = last_pid(field, job) if row.lane == "training" else None
        if pid is None or not _alive(pid):
            return True
        if time.monotonic() > ended + GONE_SECONDS + MOST_FREEZE * field.lease_seconds:
            field.promise("cancelled_runner_lives", False)
            return True
        return False

    return over


def _alive(pid: int) -> bool:
    try:
        return runs(psutil.Process(pid))
    except psutil.NoSuchProcess:
        return False
