"""Several short generations seen through by one runner."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from jobs.claiming import WorkerIdentity, claim_several
from jobs.engine import Engine
from jobs.lifecycle import request_cancel
from jobs.maintenance import reap
from jobs.principal import Principal
from jobs.tables import Job
from tests.conftest import Clock
from tests.jobs.acting import Actor
from tests.worker.stack import until
from worker import burst, supervisor
from worker.bell import Bell
from worker.burst import Burst, Pace
from worker.devices import CPU
from worker.materialise import InputCache
from worker.runner_pool import Runner
from worker.supervisor import Post

BURST = burst.SECONDS


class Slot:
    """What a burst sees of one."""

    def __init__(self, actor: Actor, runner: Runner) -> None:
        self.actor, self.runner, self.draining = actor, runner, False
        inputs = InputCache(actor.engine.settings.cache, actor.engine.store)
        self.post = Post(actor.engine, CPU, inputs, Bell(), lambda: self.draining)

    def burst(self, count: int) -> Burst:
        """Claim what waits."""
        claims = claim_several(self.actor.engine, WorkerIdentity("wrk_one", "generation", "cpu"), frozenset(), 32)
        assert len(claims) == count
        return Burst(self.post, claims, self.runner)

    def statuses(self, *jobs: str) -> list[str]:
        return [self.actor.job(job).status for job in jobs]


@pytest.fixture
def actor(engine: Engine, principal: Principal) -> Actor:
    return Actor(engine, principal)


@pytest.fixture
def slot(runner: Runner, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slot]:
    """With a warm runner, and with all the time in the world for a burst: this machine may be slow."""
    monkeypatch.setattr(burst, "SECONDS", 3600.0)
    monkeypatch.setattr(supervisor, "LATE_SECONDS", 3600.0)
    made = Slot(actor, runner)
    draw(actor)
    assert made.burst(1).run()
    yield made
    made.post.bell.close()


def draw(actor: Actor, **params: object) -> str:
    return actor.submit("toy.generate", params).id


def test_plain_successes_share_a_commit(slot: Slot, actor: Actor) -> None:
    jobs = [draw(actor, seed=seed) for seed in range(5)]
    claimed = slot.burst(5)
    commits: list[object] = []
    event.listen(actor.engine.db.engine, "commit", commits.append)
    assert claimed.run()
    assert len(commits) == 1
    assert slot.statuses(*jobs) == ["succeeded"] * 5
    for job in jobs:
        assert actor.job(job).metrics["loads"] == 0
        assert actor.job(job).step == actor.job(job).total == 4
        assert [found.kind for found in actor.events(job)] == ["state", "state", "phase", "phase", "end"]
        assert actor.attempts(job)[0].outcome == "succeeded"
    assert slot.runner.jobs == 4  # the pool counts the first of a burst


def test_a_job_that_lasts_holds_nobody_up(
    slot: Slot, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LATE_SECONDS", 0.2)
    gate = tmp_path / "gate"
    first, second, third = draw(actor, gate=str(gate)), draw(actor), draw(actor)
    working = threading.Thread(target=slot.burst(3).run)
    working.start()
    until(lambda: slot.statuses(first, second, third) == ["running", "queued", "queued"])
    assert actor.attempts(third)[0].outcome == "released"
    gate.touch()
    working.join(60)
    assert slot.statuses(first, second, third) == ["succeeded", "queued", "queued"]


def test_a_lost_lease_hurts_nobody_else(slot: Slot, actor: Actor, clock: Clock) -> None:
    jobs = [draw(actor, seed=seed) for seed in range(3)]
    claimed = slot.burst(3)
    with actor.engine.db.begin() as session:
        session.get_one(Job, jobs[1]).lease_until = clock()
    clock.advance(1)
    assert reap(actor.engine) == 1
    assert claimed.run()
    assert slot.statuses(*jobs) == ["succeeded", "queued", "succeeded"]
    assert actor.attempts(jobs[1])[0].outcome == "lost"


def test_bad_data_is_told_and_the_others_go_on(slot: Slot, actor: Actor) -> None:
    first, bad, last = draw(actor), draw(actor, fault="input"), draw(actor)
    assert slot.burst(3).run()
    assert slot.statuses(first, bad, last) == ["succeeded", "failed", "succeeded"]


def test_after_a_broken_runner_the_rest_goes_back(slot: Slot, actor: Actor) -> None:
    first, bad, last = draw(actor), draw(actor, fault="segv"), draw(actor)
    assert not slot.burst(3).run()
    assert slot.statuses(first, bad, last) == ["succeeded", "queued", "queued"]
    assert [actor.attempts(job)[0].outcome for job in (first, bad, last)] == ["succeeded", "retried", "released"]


def test_a_drain_gives_the_rest_back(slot: Slot, actor: Actor) -> None:
    jobs = [draw(actor, seed=seed) for seed in range(3)]
    claimed = slot.burst(3)
    slot.draining = True
    claimed.run()
    assert "running" not in slot.statuses(*jobs)
    assert slot.statuses(*jobs[1:]) == ["queued", "queued"]


def test_a_job_that_is_cancelled_before_it_begins_is_cancelled_where_it_goes_back(
    slot: Slot, actor: Actor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "LATE_SECONDS", 0.2)
    gate = tmp_path / "gate"
    first, second = draw(actor, gate=str(gate)), draw(actor)
    working = threading.Thread(target=slot.burst(2).run)
    request_cancel(actor.engine, actor.principal, second)
    working.start()
    until(lambda: slot.statuses(second) == ["cancelled"])
    request_cancel(actor.engine, actor.principal, first)
    working.join(60)
    assert slot.statuses(first) == ["cancelled"]


def test_quick_jobs_are_taken_in_growing_numbers() -> None:
    pace, sizes = Pace(32), []
    for _ in range(7):
        sizes.append(pace.most)
        pace.note(0.001)
    assert sizes == [1, 2, 4, 8, 16, 32, 32]


def test_what_is_taken_fits_into_the_time_of_a_burst() -> None:
    pace = Pace(32)
    for _ in range(4):
        pace.note(BURST / 10)
    assert pace.most == 5
    pace.note(BURST)
    assert pace.most == 1


def test_a_fault_ends_it() -> None:
    pace = Pace(32)
    pace.note(0.001)
    pace.note(float("inf"))
    assert pace.most == 1


def test_trainings_are_never_taken_together() -> None:
    pace = Pace(1)
    pace.note(0.0)
    assert pace.most == 1
