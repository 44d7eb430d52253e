"""Counters: the same whether the scheduler has come by or not, and they never go back."""

from collections import defaultdict
from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select

from jobs import tallies
from jobs.lifecycle import Failure, request_cancel
from jobs.maintenance import reap
from jobs.removal import delete_job
from jobs.tables import Tally, TallyMark
from jobs.tallies import Key, Sums
from tests.conftest import Clock
from tests.jobs.acting import Actor

TRAINING = (("lane", "training"), ("device", "cpu"))


def sums(actor: Actor) -> Sums:
    with actor.engine.db.read() as session:
        return defaultdict(float, tallies.read(session, actor.engine.db.now(session)).sums)


def grown(actor: Actor, before: Sums) -> dict[Key, float]:
    return {key: value - before[key] for key, value in sums(actor).items() if value != before[key]}


@pytest.fixture
def before(actor: Actor, clock: Clock) -> Sums:
    """What was there at the first look; a dataset is imported by then."""
    actor.dataset()
    with actor.engine.db.begin() as session:
        session.execute(delete(TallyMark))  # of the time of the migration, which is not that of this clock
    tallies.fold(actor.engine)
    clock.advance(60)
    return sums(actor)


def test_an_end_is_counted_once_however_often_it_is_folded(actor: Actor, clock: Clock, before: Sums) -> None:
    actor.train()
    clock.advance(20)
    claim = actor.claim()
    assert grown(actor, before) == {("claims", TRAINING): 1}
    clock.advance(3)
    actor.finish(claim)
    seen = grown(actor, before)
    assert seen["jobs_ended", (("status", "succeeded"), *TRAINING)] == 1
    assert (seen["job_seconds_sum", TRAINING], seen["job_wait_seconds_sum", TRAINING]) == (3, 20)
    buckets = {dict(labels)["le"]: value for (name, labels), value in seen.items() if name == "job_seconds_bucket"}
    assert buckets == {"5": 1, "15": 1, "60": 1, "300": 1, "1800": 1, "7200": 1, "43200": 1, "+Inf": 1}
    for seconds in (1, 10, 30, 3600, 86_400):
        clock.advance(seconds)
        tallies.fold(actor.engine)
        assert grown(actor, before) == seen
    with actor.engine.db.read() as session:
        assert (session.scalar(select(func.count()).select_from(Tally)) or 0) > 0


def test_what_was_folded_outlives_the_job(actor: Actor, clock: Clock, before: Sums) -> None:
    job = actor.train()
    actor.lease().fail(Failure("invalid_data"))
    clock.advance(60)
    tallies.fold(actor.engine)
    seen = grown(actor, before)
    assert seen["job_failures", (("code", "invalid_data"),)] == 1
    delete_job(actor.engine, actor.principal, job.id)
    assert grown(actor, before) == seen


def test_losses_and_retries_are_seen_before_the_end(actor: Actor, clock: Clock, before: Sums) -> None:
    job = actor.train()
    actor.lease()
    clock.advance(60)
    reap(actor.engine)
    lost = {("claims", TRAINING): 1.0, ("worker_losses", TRAINING): 1.0}
    assert grown(actor, before) == lost
    clock.advance(60)
    actor.lease().fail(Failure("internal"))
    told = lost | {("claims", TRAINING): 2.0, ("job_retries", TRAINING): 1.0}
    assert grown(actor, before) == told
    request_cancel(actor.engine, actor.principal, job.id)
    assert {key: value for key, value in grown(actor, before).items() if key in told} == told
    clock.advance(60)
    tallies.fold(actor.engine)
    assert {key: value for key, value in grown(actor, before).items() if key in told} == told


def test_another_scheduler_in_between_adds_nothing_twice(actor: Actor, clock: Clock, before: Sums) -> None:
    actor.train()
    actor.finish(actor.claim())
    clock.advance(3600)
    assert tallies.fold(actor.engine) > 1
    seen = grown(actor, before)
    assert tallies.fold(actor.engine) == 0
    assert grown(actor, before) == seen
    assert seen["jobs_ended", (("status", "succeeded"), *TRAINING)] == 1


def test_what_has_just_ended_is_not_folded_yet(actor: Actor, clock: Clock, before: Sums) -> None:
    tallies.fold(actor.engine)
    actor.train()
    actor.finish(actor.claim())
    clock.advance(5)
    assert tallies.fold(actor.engine, timedelta(seconds=60)) == 0
    assert grown(actor, before)["claims", TRAINING] == 1


def test_the_store_is_counted(actor: Actor, before: Sums) -> None:
    tallies.count_store(actor.engine)
    with actor.engine.db.read() as session:
        files, size = tallies.read(session, actor.engine.db.now(session)).stored
    assert files > 0
    assert size > 0
