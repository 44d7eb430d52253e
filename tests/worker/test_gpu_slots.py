"""Real slots on GPUs that are not there: pinned by UUID, killed, added and taken away while jobs run.

What tells of the GPUs is a stand-in for NVIDIA's library; the toys that run on them compute nothing.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jobs import workers
from jobs.tables import WorkerNode
from tests.worker import fake_gpus
from tests.worker.fake_gpus.cards import Cards
from tests.worker.stack import Process, Stack, until
from tests.worker.test_survival import gone

pytestmark = [pytest.mark.stack, pytest.mark.long]

GIB = 2**30


def card(name: str) -> dict[str, object]:
    return {"uuid": name, "memory": 80 * GIB, "temperature": 40, "watts": 100, "joules": 5}


@pytest.fixture
def cards(tmp_path: Path) -> Cards:
    """Two cards."""
    made = Cards(tmp_path / "cards.json")
    made.tell(card("GPU-a"), card("GPU-b"))
    return made


@pytest.fixture
def launcher(stack: Stack, cards: Cards) -> Iterator[Process]:
    """A worker for the trainings of all cards."""
    path = os.pathsep.join([str(Path(fake_gpus.__file__).parent), stack.environment["PYTHONPATH"]])
    started = stack.start(
        "worker.launch", "--devices", "all", "--lane", "training", PYTHONPATH=path, **cards.environment
    )
    yield started.wait_ready()
    stack.kill_launchers()


def nodes(stack: Stack) -> dict[str, WorkerNode]:
    """The slots that live and may take jobs, by device."""
    with stack.engine.db.read() as session:
        found = workers.live(session, stack.engine.db.now(session))
    return {str(node.device_name): node for node in found if node.role == "worker" and not node.unfit}


def device_of(stack: Stack, job: str) -> str:
    """The device whose slot runs a job."""
    worker = stack.job(job).worker_id
    return next(name for name, node in nodes(stack).items() if node.id == worker)


def runner_of(stack: Stack, job: str) -> psutil.Process:
    """The process that runs a job's last attempt."""
    lines = until(lambda: [line for line in stack.lines(job) if line.startswith("pid ")], "it says who it is")
    return psutil.Process(int(lines[-1].removeprefix("pid ")))


def slot_of(launcher: Process, device: str) -> psutil.Process:
    """The process of a device's slot."""
    (found,) = [child for child in launcher.children("celery") if device in child.cmdline()]
    return found


def test_slots_of_gpus_live_through_deaths_and_changes(
    stack: Stack, launcher: Process, cards: Cards, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    until(lambda: nodes(stack).keys() == {"GPU-a", "GPU-b"}, "both have said that they live")
    jobs = [stack.submit("train", gate=str(gate)) for _ in range(2)]
    for job in jobs:
        stack.wait_for_checkpoint(job, 10)
    running = {device_of(stack, job): job for job in jobs}
    assert running.keys() == {"GPU-a", "GPU-b"}, "one on each"
    assert stack.job(jobs[0]).device_kind == "gpu"
    assert stack.job(jobs[0]).lease_id != stack.job(jobs[1]).lease_id
    for device, job in running.items():
        assert runner_of(stack, job).environ()["CUDA_VISIBLE_DEVICES"] == device

    slot, runner = slot_of(launcher, "GPU-a"), runner_of(stack, running["GPU-a"])
    slot.kill()
    gone(slot, runner)
    again = running["GPU-a"]
    until(lambda: len(stack.attempts(again)) == 2 and stack.job(again).status == "running", "it goes on")
    assert stack.attempts(again)[0].outcome == "lost"
    until(lambda: {"GPU-a", "GPU-b"} <= nodes(stack).keys(), "the slot is back")

    cards.tell(card("GPU-a"), card("GPU-b"), card("GPU-c"))
    until(lambda: "GPU-c" in nodes(stack), "a card was added")
    third = stack.submit("train", gate=str(gate))
    stack.wait_for(third, "running")
    assert runner_of(stack, third).environ()["CUDA_VISIBLE_DEVICES"] == "GPU-c"

    cards.tell(card("GPU-a"), card("GPU-c"))
    until(lambda: not [each for each in launcher.children("celery") if "GPU-b" in each.cmdline()], "a card was taken")
    assert slot_of(launcher, "GPU-c").is_running()
    gate.touch()
    for job in (*jobs, third):
        done = stack.wait_for(job, "succeeded", "failed")
        assert (done.status, done.app_failures) == ("succeeded", 0)
    assert stack.attempts(running["GPU-b"])[0].outcome == "released", "it was saved, and went on elsewhere"
