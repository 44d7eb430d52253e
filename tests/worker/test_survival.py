"""Processes that are killed, frozen and stopped while a training runs: it ends as if nothing had been."""

from collections.abc import Iterator
from itertools import pairwise

import psutil
import pytest

from jobs.tables import Attempt
from tests.worker.stack import SECONDS, Process, Stack, until

pytestmark = pytest.mark.stack

STEPS = 200
DELAY = 0.01


@pytest.fixture(scope="module")
def undisturbed(stack: Stack) -> bytes:
    """The weights of a training that nothing has disturbed."""
    launcher = stack.slots("training")
    job = stack.submit("train", steps=STEPS, seed=3)
    stack.wait_for(job, "succeeded")
    launcher.stop()
    return stack.content(job, "model/weights.safetensors")


@pytest.fixture
def slot(stack: Stack, undisturbed: bytes) -> Iterator[Process]:
    """A launcher with one training slot; at the end of the test no launcher is left."""
    yield stack.slots("training").wait_ready()
    stack.kill_launchers()


def test_nothing_is_lost_when_runner_and_slot_are_killed(stack: Stack, slot: Process, undisturbed: bytes) -> None:
    job = started(stack)
    runner_of(slot, stack, job).kill()
    until(lambda: len(stack.attempts(job)) == 2, "another attempt")
    second_runner = runner_of(slot, stack, job)
    before = slot.children("celery")[0]
    before.kill()
    gone(before, second_runner)
    first, second, third = finished(stack, job, undisturbed)
    assert (first.outcome, first.failure_code) == ("retried", "internal")
    assert (second.outcome, third.outcome) == ("lost", "succeeded")
    assert second.resumed_step is not None
    assert second.resumed_step >= 20
    assert stack.job(job).worker_losses == 1
    assert len(slot.children("celery")) == 1, "the slot was started again"


def test_nothing_is_lost_when_the_whole_worker_is_killed(stack: Stack, slot: Process, undisturbed: bytes) -> None:
    job = started(stack)
    processes = [*slot.children("celery"), runner_of(slot, stack, job)]
    slot.kill()
    gone(*processes)
    stack.slots("training")
    finished(stack, job, undisturbed)


def test_a_deploy_releases_the_job_with_a_checkpoint(stack: Stack, slot: Process, undisturbed: bytes) -> None:
    job = started(stack)
    stack.broker.kill()  # stopping and starting must not need it
    assert slot.stop() == 0
    released = stack.job(job)
    assert (released.status, released.releases, released.app_failures) == ("queued", 1, 0)
    assert released.checkpoint_step >= 20
    stack.slots("training")
    first, second = finished(stack, job, undisturbed)
    assert first.outcome == "released"
    assert second.resumed_step == released.checkpoint_step
    stack.broker.start()


def test_a_runner_that_cannot_save_is_not_waited_for_long(stack: Stack, slot: Process) -> None:
    job = stack.submit("train", fault="stubborn")
    until(lambda: "stubborn" in stack.lines(job), "it is stubborn")
    assert slot.stop() == 0
    assert stack.job(job).status == "queued"
    stack.cancel(job)


def test_a_frozen_worker_writes_nothing_when_it_thaws(stack: Stack, slot: Process, undisturbed: bytes) -> None:
    job = started(stack)
    runner = runner_of(slot, stack, job)
    frozen = [psutil.Process(slot.popen.pid), *slot.children("")]
    for process in frozen:
        process.suspend()
    other = stack.slots("training")
    until(lambda: len(stack.attempts(job)) == 2, "another worker takes over")
    for process in frozen:
        process.resume()
    gone(runner)
    first, second = finished(stack, job, undisturbed)
    assert (first.outcome, second.outcome) == ("lost", "succeeded")
    assert "lost its lease; wrote nothing" in stack.log.read_text()
    other.stop()


def test_the_broker_may_die_while_a_job_runs(stack: Stack, slot: Process, undisturbed: bytes) -> None:
    free = stack.slots("generation").wait_ready()
    job = started(stack)
    stack.broker.kill()
    drawn = stack.submit("generate")  # accepted, though nobody can be told
    stack.wait_for(drawn, "succeeded")  # an idle slot looks for itself
    finished(stack, job, undisturbed)  # a slot whose job ends meanwhile must not wait for its acknowledgement
    stack.broker.start()
    until(lambda: stack.consumers() == 2, "both slots listen again")
    stack.wait_for(stack.submit("generate"), "succeeded")
    assert len(free.children("celery")) == len(slot.children("celery")) == 1
    assert free.stop() == 0


def test_a_hung_runner_is_noticed(stack: Stack) -> None:
    stack.slots("training", AIGC_STALL_SECONDS="3", AIGC_MAX_APP_FAILURES="0")
    job = stack.wait_for(stack.submit("train", fault="hang"), "failed")
    stack.kill_launchers()
    assert job.failure is not None
    assert job.failure["code"] == "stalled"


def test_nothing_is_lost_on_postgresql_either(emptied_postgres: str, toys: None) -> None:
    stack = Stack(emptied_postgres)
    try:
        stack.broker.start()
        stack.scheduler()
        slot = stack.slots("training")
        job = started(stack)
        slot.children("celery")[0].kill()
        done = stack.wait_for(job, "succeeded", "failed")
        assert (done.status, done.worker_losses) == ("succeeded", 1)
        assert stack.curve(job)[-1] == STEPS
    finally:
        stack.close()


def started(stack: Stack) -> str:
    """A training that has come past its first checkpoints."""
    job = stack.submit("train", steps=STEPS, seed=3, delay=DELAY)
    stack.wait_for_checkpoint(job, 20)
    return job


def finished(stack: Stack, job: str, weights: bytes) -> list[Attempt]:
    """Wait for the end, and check that nobody could tell the training from an undisturbed one."""
    done = stack.wait_for(job, "succeeded", "failed")
    assert done.status == "succeeded", done.failure
    assert stack.content(job, "model/weights.safetensors") == weights
    curve = stack.curve(job)
    assert curve[0] <= 2
    assert curve[-1] == STEPS
    assert max(after - before for before, after in pairwise(curve)) <= STEPS / 4
    return stack.attempts(job)


def runner_of(slot: Process, stack: Stack, job: str) -> psutil.Process:
    """The runner that works on a job, by the process id in its log."""

    def named() -> list[psutil.Process]:
        pids = [int(line.split()[1]) for line in stack.lines(job) if line.startswith("pid ")]
        return [child for child in slot.children("worker.runner") if child.pid in pids[-1:]]

    return until(named, "the log names a living runner")[0]


def gone(*processes: psutil.Process) -> None:
    """Wait for processes to end, whoever is their parent by now."""
    assert not psutil.wait_procs(processes, timeout=SECONDS)[1]
