"""Several devices train together on the real stack: ranks that are killed, cancelled and refused."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs.errors import InvalidParams
from jobs.lifecycle import Lease
from jobs.submit import Submission, submit
from jobs.tables import Job
from tests.aigc_models.tiny_texts import write_texts
from tests.jobs.acting import Actor
from tests.worker.stack import Process, Stack, until
from tests.worker.test_survival import gone

pytestmark = pytest.mark.stack

STEPS = 160
SMALL = {"batch_size": 5, "width": 16, "num_layers": 1, "context": 16, "seed": 5, "patience": 1000, "steps": STEPS}


@pytest.fixture(scope="module")
def texts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a dataset of texts."""
    actor = Actor(stack.engine, stack.principal)
    made, job = actor.upload(b"some text", "texts.txt", kind="text")
    directory = write_texts(tmp_path_factory.mktemp("texts"))
    claim = actor.claim("generation", job.id)
    files = [actor.store(f"dataset/{path.name}", path.read_bytes()) for path in sorted(directory.iterdir())]
    Lease(stack.engine, claim).succeed({}, files)
    return made.id


@pytest.fixture(scope="module")
def pair(stack: Stack) -> Iterator[Process]:
    """A worker with two slots for trainings that share the CPU."""
    yield stack.start("worker.launch", "--devices", "cpu:2", "--lane", "training").wait_ready()
    stack.kill_launchers()


def train(stack: Stack, dataset: str, devices: int) -> str:
    """Submit a training on some devices."""
    wish = Submission("text_transformer.train", {**SMALL, "dataset": dataset, "devices": devices})
    return submit(stack.engine, stack.principal, wish).job.id


def ranks(pair: Process) -> list[psutil.Process]:
    """The further ranks that run now."""
    return pair.children("worker.rank")


def succeeded(stack: Stack, job: str) -> Job:
    return stack.wait_for(job, "succeeded", "failed")


def test_a_training_outlives_the_death_of_a_rank(stack: Stack, pair: Process, texts: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        train(stack, texts, devices=3)
    (fault,) = refused.value.faults
    assert (fault.pointer, fault.values["asked"], fault.values["most"]) == ("/devices", 3, 2)
    job = train(stack, texts, devices=2)
    stack.wait_for_checkpoint(job, 20)
    (mate,) = ranks(pair)
    mate.kill()
    done = succeeded(stack, job)
    assert (done.status, done.step) == ("succeeded", STEPS)
    first, second = stack.attempts(job)
    assert (first.outcome, first.failure_code, second.outcome) == ("retried", "internal", "succeeded")
    assert second.resumed_step is not None
    assert second.resumed_step >= 20
    assert {"model/weights.safetensors", "report.json"} <= set(stack.files(job))
    assert ranks(pair) == []


@pytest.mark.long
def test_two_devices_learn_what_one_learns_and_a_death_changes_nothing(stack: Stack, pair: Process, texts: str) -> None:
    together, alone, disturbed = (train(stack, texts, devices=count) for count in (2, 1, 2))
    stack.wait_for_checkpoint(disturbed, 20)
    (mate,) = ranks(pair)
    mate.kill()
    two, one, again = (succeeded(stack, job) for job in (together, alone, disturbed))
    weights = [stack.content(job, "model/weights.safetensors") for job in (together, disturbed)]
    assert weights[0] == weights[1]
    assert two.metrics == again.metrics
    assert two.metrics["validation_loss"] == pytest.approx(one.metrics["validation_loss"], rel=0.02)


@pytest.mark.long
def test_no_rank_outlives_its_runner_or_a_cancel(stack: Stack, pair: Process, texts: str) -> None:
    job = train(stack, texts, devices=2)
    stack.wait_for_checkpoint(job, 20)
    first = ranks(pair)
    psutil.Process(first[0].ppid()).kill()
    gone(*first)
    until(lambda: len(stack.attempts(job)) == 2, "another attempt")
    second = until(lambda: ranks(pair), "ranks of the second attempt")
    stack.cancel(job)
    stack.wait_for(job, "cancelled")
    gone(*second)
    assert ranks(pair) == []


@pytest.mark.long
def test_a_slot_that_is_lent_takes_no_job(stack: Stack, pair: Process, texts: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    small = stack.submit("train", gate=str(gate))
    stack.wait_for(small, "running")
    wide, later = train(stack, texts, devices=2), stack.submit("train", steps=1)
    gate.touch()
    stack.wait_for_checkpoint(wide, 20)
    assert stack.job(later).status == "queued", "it has waited, or the wide job might for ever"
    stack.cancel(wide)
    stack.wait_for(wide, "cancelled")
    assert succeeded(stack, later).status == "succeeded"
