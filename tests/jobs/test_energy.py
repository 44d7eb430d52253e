"""What attempts used, what of it was lost, and what it cost, on both databases."""

from dataclasses import replace

import pytest

from jobs.energy import Spent
from jobs.lifecycle import Failure, Lease
from jobs.maintenance import reap
from jobs.repository import Repository
from jobs.settings import Settings
from tests.conftest import Clock
from tests.jobs.acting import Actor


class Counter:
    """A meter that is read by hand."""

    def __init__(self, source: str = "nvml") -> None:
        self.joules, self.source = 0.0, source

    def __call__(self) -> Spent:
        return Spent(self.joules, self.source)  # type: ignore[arg-type]


def metered(actor: Actor, source: str = "nvml") -> tuple[Lease, Counter]:
    """An attempt with a meter."""
    lease, counter = actor.lease(), Counter(source)
    lease.meter = counter
    return lease, counter


def test_a_lost_attempt_wastes_what_no_checkpoint_holds(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    assert Repository(actor.engine, actor.principal).energy(job) is None
    lease, counter = metered(actor)
    counter.joules = 3600.0
    lease.checkpoint(10, [actor.store("state.safetensors", b"ten")])
    counter.joules = 9000.0
    lease.beat()
    clock.advance(60)
    reap(actor.engine)
    clock.advance(600)
    again, counter = metered(actor)
    counter.joules = 1800.0
    again.succeed({}, [actor.store("model/weights.safetensors", b"w")])
    spent = Repository(actor.engine, actor.principal).energy(actor.job(job.id))
    assert spent is not None
    assert spent.watt_hours == pytest.approx(3.0)
    assert spent.wasted_watt_hours == pytest.approx(1.5)
    assert spent.source == "nvml"
    assert (spent.cost, spent.wasted_cost) == (None, None)


def test_an_attempt_that_runs_has_wasted_nothing_yet_and_one_that_failed_has(actor: Actor) -> None:
    job = actor.train()
    lease, counter = metered(actor, "estimate")
    counter.joules = 360.0
    lease.beat()
    reads = Repository(actor.engine, actor.principal)
    spent = reads.energy(actor.job(job.id))
    assert spent is not None
    assert [spent.watt_hours, spent.wasted_watt_hours] == pytest.approx([0.1, 0.0])
    counter.joules = 720.0
    lease.fail(Failure("internal"))
    spent = reads.energy(actor.job(job.id))
    assert spent is not None
    assert [spent.watt_hours, spent.wasted_watt_hours] == pytest.approx([0.2, 0.2])
    assert spent.source == "estimate"


def test_energy_costs_what_the_settings_say(actor: Actor, settings: Settings) -> None:
    job = actor.train()
    lease, counter = metered(actor)
    counter.joules = 3.6e6
    lease.fail(Failure("internal"))
    priced = replace(actor.engine, settings=settings.model_copy(update={"price_per_kwh": 0.25, "currency": "CHF"}))
    spent = Repository(priced, actor.principal).energy(actor.job(job.id))
    assert spent is not None
    assert [spent.cost, spent.wasted_cost] == pytest.approx([0.25, 0.25])
    assert spent.currency == "CHF"


def test_meters_of_two_kinds_are_named_mixed(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    lease, counter = metered(actor, "rapl")
    counter.joules = 10.0
    lease.beat()
    clock.advance(60)
    reap(actor.engine)
    clock.advance(600)
    again, counter = metered(actor, "nvml")
    counter.joules = 10.0
    again.beat()
    spent = Repository(actor.engine, actor.principal).energy(actor.job(job.id))
    assert spent is not None
    assert spent.source == "mixed"
    assert spent.wasted_watt_hours == pytest.approx(10 / 3600)
