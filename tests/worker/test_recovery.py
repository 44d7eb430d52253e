"""What becomes of jobs whose attempts fail, by the kind of failure, on the real stack."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from jobs.tables import Attempt, Job
from tests.worker.stack import Process, Stack, until

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def patient(stack: Stack) -> Iterator[Process]:
    """Both lanes, with the usual two retries."""
    yield stack.slots(AIGC_MAX_APP_FAILURES="2").wait_ready()
    stack.kill_launchers()


def outcomes(attempts: list[Attempt]) -> list[tuple[str | None, str | None]]:
    return [(attempt.outcome, attempt.failure_code) for attempt in attempts]


@pytest.mark.usefixtures("patient")
def test_a_batch_that_does_not_fit_is_computed_in_parts(stack: Stack) -> None:
    job = stack.wait_for(stack.submit("train", fault="whole_batch", parts=4), "succeeded", "failed")
    assert job.status == "succeeded"
    retried = ("retried", "out_of_memory")
    assert outcomes(stack.attempts(job.id)) == [retried, retried, ("succeeded", None)]
    assert (job.app_failures, job.adjustments) == (2, {"micro_batches": 4})
    said = [line for line in stack.lines(job.id) if line.startswith("batches in")]
    assert said == [f"batches in {parts} parts, rate times 1.0" for parts in (1, 2, 4)]
    assert sum("each batch in" in line for line in stack.lines(job.id)) == 2


@pytest.mark.usefixtures("patient")
def test_what_fits_in_no_way_fails_with_advice(stack: Stack) -> None:
    job = stack.wait_for(stack.submit("train", fault="device_memory", batch_size=64), "succeeded", "failed")
    assert job.failure is not None
    assert job.failure["suggestion"] == {"params": {"batch_size": 8}}
    assert "Try {suggested}." in job.failure["faults"][0]["message"]
    assert len(stack.attempts(job.id)) == 3


@pytest.mark.usefixtures("patient")
def test_a_generation_draws_fewer_at_once(stack: Stack, tmp_path: Path) -> None:
    job = stack.submit("generate", fault="device_memory", once=str(tmp_path / "once"))
    done = stack.wait_for(job, "succeeded", "failed")
    assert (done.status, done.adjustments) == ("succeeded", {"micro_batches": 2})


@pytest.mark.usefixtures("patient")
def test_a_diverged_training_goes_back_to_its_checkpoint_with_a_lower_rate(stack: Stack) -> None:
    job = stack.wait_for(stack.submit("train", fault="full_rate", steps=60, delay=0.02), "succeeded", "failed")
    assert (job.status, job.app_failures) == ("succeeded", 1)
    first, second = stack.attempts(job.id)
    assert (first.outcome, first.failure_code) == ("retried", "diverged")
    assert second.resumed_step is not None
    assert f"Going back to step {second.resumed_step} with the learning rate halved" in " ".join(stack.lines(job.id))
    assert "batches in 1 parts, rate times 0.5" in stack.lines(job.id)
    assert stack.curve(job.id)[-1] == 60


@pytest.mark.usefixtures("patient")
def test_a_training_that_diverges_again_fails_with_a_rate_to_try(stack: Stack) -> None:
    job = stack.wait_for(stack.submit("train", fault="diverged", learning_rate=0.008), "succeeded", "failed")
    assert job.failure is not None
    assert (job.failure["code"], len(stack.attempts(job.id))) == ("diverged", 2)
    assert job.failure["suggestion"] == {"params": {"learning_rate": 0.002}}
    assert job.failure["faults"][0]["values"] == {"step": 7, "suggested": "0.002"}


@pytest.mark.usefixtures("patient")
def test_a_job_stops_at_its_time_limit_and_keeps_its_state(stack: Stack) -> None:
    limit = timedelta(seconds=5)
    job = stack.wait_for(stack.submit("train", time_limit=limit, steps=10**6, delay=0.01), "succeeded", "failed")
    assert job.failure is not None
    assert (job.failure["code"], job.app_failures) == ("timeout", 0)
    assert job.failure["faults"][0]["values"] == {"limit": "5 s"}
    assert job.checkpoint_step > 0
    assert stack.files(job.id, "checkpoint")
    (attempt,) = stack.attempts(job.id)
    assert attempt.ended_at is not None
    assert (attempt.outcome, attempt.ended_at - attempt.started_at >= limit) == ("failed", True)


def test_a_job_that_does_not_stop_at_its_limit_is_killed(stack: Stack, patient: Process) -> None:
    before = {child.pid for child in patient.children("worker.runner")}
    job = stack.wait_for(
        stack.submit("generate", fault="stubborn", time_limit=timedelta(seconds=1)), "succeeded", "failed"
    )
    assert job.failure is not None
    assert job.failure["code"] == "timeout"
    until(lambda: before - {child.pid for child in patient.children("worker.runner")}, "the runner is gone")


@pytest.mark.usefixtures("patient")
def test_a_success_within_the_limit_is_one(stack: Stack) -> None:
    job = stack.wait_for(stack.submit("train", time_limit=timedelta(hours=1)), "succeeded", "failed")
    assert (job.status, job.time_limit_seconds) == ("succeeded", 3600)


class TestAlone:
    """With a worker of its own."""

    @pytest.fixture(autouse=True)
    def _no_other_worker(self, stack: Stack) -> Iterator[None]:
        stack.kill_launchers()
        yield
        stack.kill_launchers()

    def test_a_job_waits_for_a_full_disk_and_goes_on_when_there_is_room(self, stack: Stack, tmp_path: Path) -> None:
        ballast = stack.home / "ballast"
        ballast.write_bytes(bytes(32 << 20))
        stack.slots("training", AIGC_RETRY_SECONDS="1000")
        job = stack.submit("train", fault="disk_full", once=str(tmp_path / "once"), steps=60, delay=0.02)
        until(lambda: outcomes(stack.attempts(job))[:1] == [("retried", "disk_full")], "the disk was full")
        waiting = stack.job(job)
        assert (waiting.app_failures, waiting.checkpoint_step > 0) == (0, True)
        ballast.unlink()
        done: Job = stack.wait_for(job, "succeeded", "failed")
        assert (done.status, done.app_failures, done.worker_losses) == ("succeeded", 0, 0)
        _, second = stack.attempts(job)
        assert second.resumed_step == waiting.checkpoint_step

    def test_a_job_that_takes_its_workers_along_is_quarantined_with_its_last_words(self, stack: Stack) -> None:
        slot = stack.slots("training")
        job = stack.wait_for(stack.submit("train", fault="kill_parent"), "succeeded", "failed")
        assert job.failure is not None
        assert (job.failure["code"], job.worker_losses, job.app_failures) == ("poisoned", 3, 0)
        attempts = stack.attempts(job.id)
        assert outcomes(attempts) == [("lost", "worker_lost")] * 3
        assert ["these are my last words" in (attempt.stderr_tail or "") for attempt in attempts] == [True] * 3
        stack.wait_for(stack.submit("train"), "succeeded")
        assert slot.popen.poll() is None
