"""What a slot does with jobs, on the real stack."""

from pathlib import Path

import pytest

from jobs.lifecycle import request_cancel, request_pause, resume
from tests.worker.stack import Process, Stack, until

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("slots")]


@pytest.fixture(scope="module")
def model(stack: Stack, slots: Process) -> str:
    """A trained toy."""
    job = stack.submit("train", steps=4, seed=5)
    stack.wait_for(job, "succeeded")
    return stack.model_of(job)


def test_a_job_is_carried_from_the_queue_to_its_results(stack: Stack) -> None:
    job = stack.wait_for(stack.submit("train", steps=20), "succeeded", "failed")
    assert job.status == "succeeded"
    assert job.step == job.total == 20
    assert set(stack.files(job.id)) == {"model/weights.safetensors", "samples.png"}
    assert set(stack.files(job.id, "sample")) == {"samples-000020.png"}
    assert stack.content(job.id, "samples.png").startswith(b"\x89PNG")
    assert stack.curve(job.id)[-1] == 20
    assert {"sum"} == set(job.metrics)
    assert any(line.startswith("pid ") for line in stack.lines(job.id))


def test_a_generation_slot_keeps_its_runner_and_its_model(stack: Stack, model: str) -> None:
    drawn = [stack.wait_for(stack.submit("generate", model=model, seed=seed), "succeeded") for seed in (1, 2, 3)]
    assert len({job.metrics["pid"] for job in drawn}) == 1
    assert {job.metrics["loads"] for job in drawn} == {1}


def test_a_queued_job_is_cancelled_without_a_worker(stack: Stack, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    first = stack.submit("train", gate=str(gate))
    stack.wait_for(first, "running")
    second = stack.submit("train")
    assert request_cancel(stack.engine, stack.principal, second).status == "cancelled"
    gate.touch()
    stack.wait_for(first, "succeeded")
    assert stack.attempts(second) == []


def test_a_running_job_stops_when_it_is_cancelled(stack: Stack, tmp_path: Path) -> None:
    job = stack.submit("train", gate=str(tmp_path / "never"))
    stack.wait_for_step(job, 10)
    assert request_cancel(stack.engine, stack.principal, job).status == "running"
    stack.wait_for(job, "cancelled", seconds=10)
    assert stack.files(job) == {}
    assert stack.attempts(job)[0].outcome == "cancelled"


def test_a_runner_that_does_not_stop_is_killed(stack: Stack, slots: Process, tmp_path: Path) -> None:
    job = stack.submit("generate", fault="stubborn")
    until(lambda: "stubborn" in stack.lines(job))
    before = {child.pid for child in slots.children("worker.runner")}
    stack.cancel(job)
    stack.wait_for(job, "cancelled", seconds=10)
    until(lambda: before - {child.pid for child in slots.children("worker.runner")}, "the runner is gone")
    stack.wait_for(stack.submit("generate"), "succeeded")


def test_a_fault_of_the_data_ends_the_job_and_spares_the_runner(stack: Stack) -> None:
    ran = stack.wait_for(stack.submit("generate"), "succeeded")
    failed = stack.wait_for(stack.submit("generate", fault="input"), "failed")
    assert failed.failure is not None
    assert failed.failure["code"] == "invalid_data"
    assert failed.failure["faults"][0]["where"] == {"row": 3}
    assert len(stack.attempts(failed.id)) == 1
    assert stack.wait_for(stack.submit("generate"), "succeeded").metrics["pid"] == ran.metrics["pid"]


@pytest.mark.parametrize(
    ("fault", "code"),
    [("memory", "host_out_of_memory"), ("garbage", "internal")],
)
def test_a_program_fault_is_tried_again_in_a_new_runner(stack: Stack, tmp_path: Path, fault: str, code: str) -> None:
    before = stack.wait_for(stack.submit("generate"), "succeeded")
    job = stack.wait_for(stack.submit("generate", fault=fault, once=str(tmp_path / "once")), "succeeded")
    assert job.metrics["pid"] != before.metrics["pid"]
    first, second = stack.attempts(job.id)
    assert first.stderr_tail
    assert (first.outcome, first.failure_code, second.outcome) == ("retried", code, "succeeded")


def test_a_training_without_a_model_is_no_success(stack: Stack) -> None:
    job = stack.wait_for(stack.submit("train", steps=2, fault="nothing_made"), "succeeded", "failed")
    assert job.status == "failed"
    assert job.failure is not None
    assert job.failure["faults"][0]["values"]["kind"] == "IncompleteResult"


def test_a_paused_job_goes_on_where_it_was(stack: Stack) -> None:
    job = stack.submit("train", steps=200, seed=8, delay=0.01)
    stack.wait_for_step(job, 20)
    request_pause(stack.engine, stack.principal, job)
    paused = stack.wait_for(job, "paused", "succeeded")
    assert paused.status == "paused"
    resume(stack.engine, stack.principal, job)
    stack.wait_for(job, "succeeded")
    _, second = stack.attempts(job)
    assert second.resumed_step == paused.checkpoint_step
    pids = [line for line in stack.lines(job) if line.startswith("pid ")]
    assert len(set(pids)) == 2, "each training gets a fresh runner"
    assert f"resumed after step {paused.checkpoint_step}" in stack.lines(job)


def test_no_secret_reaches_a_runner(slots: Process) -> None:
    runners = until(lambda: slots.children("worker.runner"))
    for runner in runners:
        environment = runner.environ()
        assert not [name for name in environment if name.startswith("AIGC_")]
        assert "canary" not in " ".join(environment.values())
        assert str(environment.get("CUDA_VISIBLE_DEVICES")) == ""


def test_only_runners_have_torch(slots: Process) -> None:
    slot_processes = slots.children("celery")
    assert len(slot_processes) == 2
    for process in slot_processes:
        assert not _has_torch(process.pid)
    assert any(_has_torch(runner.pid) for runner in slots.children("worker.runner"))


def _has_torch(pid: int) -> bool:
    return "libtorch" in Path(f"/proc/{pid}/maps").read_text()
