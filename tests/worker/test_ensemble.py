"""Several jobs on one model, carried out by one call of a real runner."""

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save
from sqlalchemy import select

from jobs.claiming import Claim, WorkerIdentity, claim
from jobs.company import Room, claim_company
from jobs.engine import Engine
from jobs.lifecycle import Lease, request_cancel
from jobs.maintenance import reap
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.tables import Artifact, Job
from tests.conftest import Clock
from tests.jobs.acting import Actor
from tests.worker.stack import until
from worker import ensemble, supervisor
from worker.bell import Bell
from worker.burst import Burst
from worker.devices import CPU
from worker.materialise import InputCache
from worker.runner_pool import Runner
from worker.supervisor import Post

WORKER = WorkerIdentity("wrk_one", "generation", "cpu")


class Slot:
    """What a call that is shared sees of one."""

    def __init__(self, actor: Actor, runner: Runner, model: str) -> None:
        self.actor, self.runner, self.model, self.draining = actor, runner, model, False
        inputs = InputCache(actor.engine.settings.cache, actor.engine.store)
        self.post = Post(actor.engine, CPU, inputs, Bell(), lambda: self.draining)

    def draw(self, **params: Any) -> str:
        return self.actor.submit("toy.share", {"model": self.model, **params}).id

    def claimed(self, count: int) -> list[Claim]:
        head = claim(self.actor.engine, WORKER)
        assert head is not None
        claims = [head, *claim_company(self.actor.engine, WORKER, head, Room(64, 64), 1)]
        assert len(claims) == count
        return claims

    def burst(self, count: int) -> Burst:
        head, *shared = self.claimed(count)
        return Burst(self.post, [head], self.runner, shared)

    def statuses(self, *jobs: str) -> list[str]:
        return [self.actor.job(job).status for job in jobs]

    def files(self, job: str) -> list[Artifact]:
        with self.actor.engine.db.read() as session:
            return list(session.scalars(select(Artifact).where(Artifact.job_id == job)))

    def numbers(self, job: str) -> bytes:
        (file,) = self.files(job)
        with self.actor.engine.store.open(file.sha256) as stream:
            return stream.read()


@pytest.fixture
def actor(engine: Engine, principal: Principal) -> Actor:
    return Actor(engine, principal).with_settings(grace_seconds=0.3)


@pytest.fixture
def slot(toys: None, warm_runner: Runner, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    """With a model, a warm runner, and all the time in the world: this machine may be slow."""
    yield from made_slot(warm_runner, actor, monkeypatch)


@pytest.fixture
def own_slot(runner: Runner, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    """The same with a runner that the test may kill."""
    until(runner.ready, "a runner", 150)
    yield from made_slot(runner, actor, monkeypatch)


def made_slot(runner: Runner, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    monkeypatch.setattr(supervisor, "LATE_SECONDS", 3600.0)
    monkeypatch.setattr(ensemble, "LATE_SECONDS", 3600.0)
    weights = save({"total": torch.arange(16.0)})
    training = actor.submit("toy.train", {})
    made_files = [actor.store("model/weights.safetensors", weights)]
    Lease(actor.engine, actor.claim("training", training.id)).succeed({}, made_files)
    made = Slot(actor, runner, Repository(actor.engine, actor.principal).models_made_by([training.id])[training.id])
    yield made
    made.post.bell.close()


def test_they_end_as_if_each_were_alone(slot: Slot, actor: Actor) -> None:
    alone = slot.draw(seed=3)
    assert slot.burst(1).run()
    jobs = [slot.draw(seed=seed) for seed in range(5)]
    burst = slot.burst(5)
    assert burst.run()
    assert slot.statuses(*jobs) == ["succeeded"] * 5
    assert [actor.job(job).metrics["together"] for job in (alone, *jobs)] == [1, *[5] * 5]
    assert slot.numbers(jobs[3]) == slot.numbers(alone)
    assert len({slot.numbers(job) for job in jobs}) == 5
    for job in jobs:
        (attempt,) = actor.attempts(job)
        assert attempt.outcome == "succeeded"
        assert [found.kind for found in actor.events(job)] == [found.kind for found in actor.events(alone)]
        assert actor.job(job).step == actor.job(job).total == 1
    assert len({actor.attempts(job)[0].lease_id for job in jobs}) == 5
    assert burst.learned is not None
    assert (burst.learned.jobs, burst.learned.fitted) == (5, 5)


def test_bad_data_ends_one_alone(slot: Slot) -> None:
    first, bad, last = slot.draw(), slot.draw(fault="input"), slot.draw()
    assert slot.burst(3).run()
    assert slot.statuses(first, bad, last) == ["succeeded", "failed", "succeeded"]


def test_a_fault_of_one_is_found_by_halves_and_ends_it_alone(slot: Slot, actor: Actor) -> None:
    jobs = [slot.draw(seed=seed, fault="error" if seed == 2 else "none") for seed in range(5)]
    assert not slot.burst(5).run()  # a runner that met an unknown error is replaced
    assert slot.statuses(*jobs) == ["succeeded", "succeeded", "queued", "succeeded", "succeeded"]
    assert actor.attempts(jobs[2])[0].failure_code == "internal"


def test_a_full_memory_halves_the_call_and_fails_nobody(slot: Slot, actor: Actor) -> None:
    jobs = [slot.draw(seed=seed, fault="crowd", most=2) for seed in range(8)]
    burst = slot.burst(8)
    assert burst.run()
    assert slot.statuses(*jobs) == ["succeeded"] * 8
    assert {actor.job(job).metrics["together"] for job in jobs} == {2}
    assert burst.learned is not None
    assert burst.learned.fitted == 2


def test_a_cancel_of_one_leaves_the_others(
    slot: Slot, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "LATE_SECONDS", 0.1)
    gate = tmp_path / "gate"
    jobs = [slot.draw(seed=seed, gate=str(gate)) for seed in range(4)]
    working = threading.Thread(target=slot.burst(4).run)
    working.start()
    request_cancel(actor.engine, actor.principal, jobs[1])
    until(lambda: slot.statuses(jobs[1]) == ["cancelled"])
    assert slot.statuses(*jobs) == ["running", "cancelled", "running", "running"]
    gate.touch()
    working.join(60)
    assert slot.statuses(*jobs) == ["succeeded", "cancelled", "succeeded", "succeeded"]
    assert slot.files(jobs[1]) == []
    assert [len(actor.attempts(job)) for job in jobs] == [1] * 4


def test_one_that_does_not_stop_is_given_up_and_the_others_go_on(
    slot: Slot, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ensemble, "LATE_SECONDS", 0.1)
    gate = tmp_path / "gate"
    jobs = [slot.draw(seed=seed, delay=1.5, gate=str(gate)) for seed in range(3)]
    claimed = slot.burst(3)
    working = threading.Thread(target=claimed.run)
    working.start()
    request_cancel(actor.engine, actor.principal, jobs[0])
    until(lambda: slot.statuses(jobs[0]) == ["cancelled"])
    gate.touch()
    working.join(60)
    assert slot.statuses(*jobs) == ["cancelled", "succeeded", "succeeded"]


def test_a_lost_lease_writes_nothing_and_hurts_nobody_else(slot: Slot, actor: Actor, clock: Clock) -> None:
    jobs = [slot.draw(seed=seed) for seed in range(3)]
    claimed = slot.burst(3)
    with actor.engine.db.begin() as session:
        session.get_one(Job, jobs[1]).lease_until = clock()
    clock.advance(1)
    assert reap(actor.engine) == 1
    assert claimed.run()
    assert slot.statuses(*jobs) == ["succeeded", "queued", "succeeded"]
    assert actor.attempts(jobs[1])[0].outcome == "lost"


def test_when_the_runner_is_killed_nobody_is_lost_and_each_goes_on_alone(
    own_slot: Slot, actor: Actor, tmp_path: Path
) -> None:
    slot = own_slot
    gate = tmp_path / "gate"
    quick = slot.draw()
    jobs = [slot.draw(seed=seed, steps=2, gate=str(gate)) for seed in range(3)]
    working = threading.Thread(target=slot.burst(4).run)
    working.start()
    until(lambda: slot.statuses(quick) == ["succeeded"])
    os.kill(slot.runner.pid, signal.SIGKILL)
    working.join(60)
    assert slot.statuses(quick, *jobs) == ["succeeded", *["queued"] * 3]
    for job in jobs:
        row, (attempt,) = actor.job(job), actor.attempts(job)
        assert (attempt.outcome, row.app_failures, row.worker_losses, row.releases) == ("released", 0, 0, 1)
        assert row.adjustments == {"alone": True}
    assert len(slot.claimed(1)) == 1


def test_what_one_must_wait_for_ends_early_for_the_others(slot: Slot, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    quick, slow = slot.draw(), slot.draw(gate=str(gate))
    working = threading.Thread(target=slot.burst(2).run)
    working.start()
    until(lambda: slot.statuses(quick) == ["succeeded"])
    assert slot.statuses(slow) == ["running"]
    gate.touch()
    working.join(60)
    assert slot.statuses(slow) == ["succeeded"]


def test_a_drain_gives_all_back(own_slot: Slot, actor: Actor, tmp_path: Path) -> None:
    slot = own_slot
    jobs = [slot.draw(seed=seed, gate=str(tmp_path / "never")) for seed in range(3)]
    claimed = slot.burst(3)
    slot.draining = True
    claimed.run()
    assert slot.statuses(*jobs) == ["queued"] * 3
    assert {actor.job(job).app_failures for job in jobs} == {0}
