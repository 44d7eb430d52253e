"""Advice on the number of slots: the formulas against what is known and against a simulation, the rest against rows."""

import heapq
import json
import random
from datetime import timedelta

import pytest

from jobs import scaling
from jobs.scaling import Load, erlang_c, reckon, steady
from jobs.workers import register
from tests.conftest import Clock
from tests.jobs.acting import Actor


@pytest.mark.parametrize(
    ("slots", "work", "waits"),
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (10, 8.0, 0.409), (5, 4.0, 0.554)],  # tables of Erlang C
)
def test_the_formula_is_that_of_the_tables(slots: int, work: float, waits: float) -> None:
    assert erlang_c(slots, work) == pytest.approx(waits, abs=5e-4)


@pytest.mark.parametrize(("rate", "spread"), [(0.5, 1.0), (2.0, 1.0), (2.0, 0.0)])
def test_a_simulated_queue_keeps_to_the_wait_with_what_is_advised_and_not_with_less(rate: float, spread: float) -> None:
    load = Load(arrivals=rate, seconds=3.0, spread=spread, waiting=0, slots=1, jobs=100)
    needed = steady(load, 2.0)
    assert simulated(load, needed, 2.0) <= 0.06
    if needed - 1 > rate * 3.0:
        assert simulated(load, needed - 1, 2.0) > 0.04


def simulated(load: Load, slots: int, target: float) -> float:
    """The share of 30,000 jobs that wait too long."""
    dice, free, now, late = random.Random(3), [0.0] * slots, 0.0, 0
    for _ in range(30_000):
        now += dice.expovariate(load.arrivals)
        start = max(now, free[0])
        takes = dice.expovariate(1 / load.seconds) if load.spread else load.seconds
        heapq.heapreplace(free, start + takes)
        late += start - now > target
    return late / 30_000


def test_what_waits_now_asks_for_more() -> None:
    calm = Load(arrivals=0.01, seconds=60, spread=1, waiting=0, slots=2, jobs=100)
    busy = Load(arrivals=0.01, seconds=60, spread=1, waiting=100, slots=2, jobs=100)
    wait = timedelta(minutes=30)
    assert reckon("training.cpu", calm, wait).needed == 1
    told = reckon("training.cpu", busy, wait)
    assert told.needed == 4  # 0.6 for what comes, 100 minutes of work in 30
    assert "100 jobs wait now" in told.reasons[-1]
    assert "1.0 min" in " ".join(told.reasons) or "60.0 s" in " ".join(told.reasons)


def test_too_little_history_is_said(actor: Actor, clock: Clock) -> None:
    actor.train()
    with actor.engine.db.read() as session:
        (imports, training) = sorted(scaling.advise(session, clock.now, timedelta(hours=1)), key=lambda one: one.queue)
    assert (imports.queue, training.queue) == ("generation.cpu", "training.cpu")
    assert (training.slots, training.needed) == (0, 1)
    assert "too few" in training.reasons[0]


def test_it_is_reckoned_from_the_rows_of_lately(actor: Actor, clock: Clock) -> None:
    actor.dataset()
    clock.advance(3600)
    for _ in range(12):
        actor.train()
        claim = actor.claim()
        clock.advance(200)
        actor.finish(claim)
        clock.advance(100)
    for _ in range(2):
        register(actor.engine, "worker", "training", "2 cores", "cpu")
    with actor.engine.db.read() as session:
        (told,) = scaling.advise(session, clock.now, timedelta(hours=1), timedelta(minutes=10))
    assert told.load.arrivals == pytest.approx(12 / 3600, rel=0.1)
    assert told.load.seconds == pytest.approx(200)
    assert told.load.slots == 2
    assert told.needed == 2
    assert json.dumps(list(told.reasons))
