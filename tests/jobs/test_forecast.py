"""When a waiting job starts: what the last jobs took, what runs, and how many work."""

import pytest

from jobs.forecast import Span
from jobs.lifecycle import Beat
from jobs.repository import Repository
from jobs.workers import register
from tests.conftest import Clock
from tests.jobs.acting import Actor


@pytest.fixture
def history(actor: Actor, clock: Clock) -> None:
    """Four trainings of 100, 100, 200 and 200 seconds."""
    for seconds in (100, 200, 100, 200):
        actor.train()
        claimed = actor.claim()
        clock.advance(seconds)
        actor.finish(claimed)


def slots(actor: Actor, count: int) -> None:
    for _ in range(count):
        register(actor.engine, "worker", "training", "CPU", "cpu")


def starts_in(actor: Actor, job_id: str) -> Span | None:
    return Repository(actor.engine, actor.principal).starts_in(actor.job(job_id))


def test_it_adds_up_what_is_before_it(actor: Actor, clock: Clock, history: None) -> None:
    jobs = [actor.train().id for _ in range(3)]
    slots(actor, 1)
    actor.claim(expected=jobs[0])
    assert starts_in(actor, jobs[0]) is None  # it runs
    assert starts_in(actor, jobs[1]) == Span(90, 210)  # quartiles 100 and 200, told in steps of half a minute
    assert starts_in(actor, jobs[2]) == Span(180, 420)


def test_more_slots_take_more_at_a_time(actor: Actor, history: None) -> None:
    jobs = [actor.train().id for _ in range(5)]
    slots(actor, 2)
    actor.claim(expected=jobs[0])
    actor.claim(expected=jobs[1])
    assert [starts_in(actor, job) for job in jobs[2:]] == [Span(90, 210), Span(90, 210), Span(180, 420)]


def test_what_runs_tells_by_its_own_steps(actor: Actor, clock: Clock, history: None) -> None:
    job = actor.train()
    lease = actor.lease()
    waiting = actor.train().id
    clock.advance(50)
    slots(actor, 1)
    assert starts_in(actor, waiting) == Span(30, 150)
    lease.beat(Beat(step=50, total=60))
    assert starts_in(actor, waiting) == Span(0, 25)  # 60 s in all, more or less
    assert job.id


def test_it_is_absent_rather_than_wrong(actor: Actor, clock: Clock) -> None:
    first, second = actor.train().id, actor.train().id
    assert starts_in(actor, second) is None  # nobody works
    slots(actor, 1)
    assert starts_in(actor, first) is None  # it may start at once
    assert starts_in(actor, second) is None  # no history
    for _ in range(2):
        actor.finish(actor.claim())
    third, fourth = actor.train().id, actor.train().id
    assert starts_in(actor, fourth) is None  # two are too few
    actor.finish(actor.claim(expected=third))
    actor.train()
    assert starts_in(actor, actor.train().id) is not None


def test_workers_of_other_lanes_do_not_count(actor: Actor, history: None) -> None:
    actor.train()
    register(actor.engine, "worker", "generation", "CPU", "cpu")
    register(actor.engine, "worker", "training", "NVIDIA", "gpu")
    row = actor.train()
    assert row.device_kind == "gpu"
    assert starts_in(actor, row.id) is None  # the only one on that device, and a slot is free
