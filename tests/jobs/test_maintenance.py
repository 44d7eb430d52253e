"""Announcing again, reaping with amnesty, expiring, moving to where workers are."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from jobs import maintenance, staging, workers
from jobs.claiming import WorkerIdentity, claim
from jobs.db import Database
from jobs.errors import LeaseLost
from jobs.lifecycle import Beat, Failure, request_cancel
from jobs.tables import Job
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor


@dataclass
class Stopwatch:
    """A monotonic clock that only moves when a test says so."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class TestRedispatch:
    def test_what_a_dead_broker_missed_is_announced_when_it_is_back(
        self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher
    ) -> None:
        actor.dataset()
        dispatcher.announced.clear()
        dispatcher.up = False
        job = actor.train()
        clock.advance(2)
        assert maintenance.redispatch(actor.engine) == 0
        assert actor.job(job.id).dispatched_at is None  # never marked before it is published
        dispatcher.up = True
        assert maintenance.redispatch(actor.engine) == 1
        assert (dispatcher.announced, actor.job(job.id).dispatched_at) == (["training.cpu"], clock())
        assert maintenance.redispatch(actor.engine) == 0

    def test_lost_messages_are_replaced_after_a_while(
        self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher
    ) -> None:
        for _ in range(3):
            actor.train()
        dispatcher.announced.clear()  # the broker was wiped
        clock.advance(29)
        maintenance.redispatch(actor.engine)
        assert dispatcher.announced == []
        clock.advance(2)
        assert maintenance.redispatch(actor.engine) == 3
        assert dispatcher.announced == ["training.cpu"] * 3

    def test_a_long_queue_does_not_fill_the_broker(
        self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher
    ) -> None:
        for _ in range(5):
            actor.train()
        dispatcher.announced = ["training.cpu"] * 4  # one was lost
        for _ in range(10):
            clock.advance(31)
            maintenance.redispatch(actor.engine)
        assert dispatcher.announced == ["training.cpu"] * 5

    def test_a_broker_that_dies_in_between_leaves_rows_unmarked(
        self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        jobs = [actor.train() for _ in range(3)]
        before = clock()
        dispatcher.announced.clear()
        clock.advance(31)
        answers = iter([True, False])
        monkeypatch.setattr(dispatcher, "announce", lambda *_: next(answers))
        assert maintenance.redispatch(actor.engine) == 0
        assert {actor.job(job.id).dispatched_at for job in jobs} == {before}

    def test_a_retry_is_announced_when_its_time_has_come(
        self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher
    ) -> None:
        job = actor.train()
        actor.lease().fail(Failure("internal"))
        dispatcher.announced.clear()
        clock.advance(5)
        assert maintenance.redispatch(actor.engine) == 0
        clock.advance(10)
        assert maintenance.redispatch(actor.engine) == 1
        assert actor.claim(expected=job.id).attempt == 2


class TestReap:
    def overdue(self, actor: Actor, clock: Clock) -> Job:
        job = actor.train()
        actor.claim()
        clock.advance(31)
        return job

    def test_a_lease_that_holds_is_left_alone(self, actor: Actor, clock: Clock) -> None:
        actor.train()
        actor.claim()
        clock.advance(29.9)
        assert maintenance.reap(actor.engine) == 0

    def test_a_lost_job_is_queued_again_and_announced(
        self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher
    ) -> None:
        job = self.overdue(actor, clock)
        dispatcher.announced.clear()
        assert maintenance.reap(actor.engine) == 1
        row = actor.job(job.id)
        assert (row.status, row.worker_losses, row.app_failures, row.not_before) == ("queued", 1, 0, clock())
        assert dispatcher.announced == ["training.cpu"]
        (attempt,) = actor.attempts(job.id)
        assert (attempt.outcome, attempt.failure_code, attempt.ended_at) == ("lost", "worker_lost", clock())
        assert maintenance.reap(actor.engine) == 0

    def test_a_job_that_kills_its_workers_is_quarantined(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        for _ in range(3):
            actor.claim(expected=job.id)
            clock.advance(31)
            assert maintenance.reap(actor.engine) == 1
        row = actor.job(job.id)
        assert (row.status, row.worker_losses, row.attempt) == ("failed", 3, 3)
        assert row.failure is not None
        assert row.failure["code"] == "poisoned"
        assert actor.try_claim() is None
        assert len(actor.events(job.id, "end")) == 1

    def test_what_the_last_runners_printed_is_kept_where_it_is_known(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        for number in (1, 2, 3):
            claimed = actor.claim(expected=job.id)
            if number > 1:  # the first worker was on another host
                where = staging.directory(actor.engine.settings, job.id, number, claimed.lease_id)
                where.mkdir(parents=True)
                printed = b"x" * 100_000 + f"\0last words of attempt {number}".encode()
                (where / staging.PRINTED).write_bytes(printed)
            clock.advance(31)
            maintenance.reap(actor.engine)
        tails = [attempt.stderr_tail for attempt in actor.attempts(job.id)]
        assert tails[0] is None
        kept = [tail for tail in tails if tail]
        assert [tail.endswith(f"xlast words of attempt {number}") for number, tail in enumerate(kept, 2)] == [True] * 2
        assert all(len(tail) <= 64 * 1024 for tail in kept)
        assert actor.job(job.id).status == "failed"

    def test_a_lost_job_that_was_to_be_cancelled_is_cancelled(self, actor: Actor, clock: Clock) -> None:
        job = actor.train()
        actor.claim()
        request_cancel(actor.engine, actor.principal, job.id)
        clock.advance(31)
        maintenance.reap(actor.engine)
        assert actor.job(job.id).status == "cancelled"

    def test_a_beat_between_the_look_and_the_write_wins(
        self, actor: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = actor.train()
        lease = actor.lease()
        clock.advance(31)
        begin = actor.engine.db.begin

        def beat_first() -> AbstractContextManager[Session]:
            monkeypatch.setattr(actor.engine.db, "begin", begin)
            lease.beat()
            return begin()

        monkeypatch.setattr(actor.engine.db, "begin", beat_first)
        assert maintenance.reap(actor.engine) == 0
        assert actor.job(job.id).status == "running"

    def test_the_holder_of_a_reaped_lease_is_told(self, actor: Actor, clock: Clock) -> None:
        actor.train()
        lease = actor.lease()
        clock.advance(31)
        maintenance.reap(actor.engine)
        with pytest.raises(LeaseLost):
            lease.beat(Beat(step=5))

    def test_nothing_is_reaped_for_one_lease_after_the_start(self, actor: Actor, clock: Clock) -> None:
        watch = Stopwatch()
        reaper = maintenance.Reaper(actor.engine, watch)
        self.overdue(actor, clock)
        for _ in range(14):
            watch.advance(2)
            assert reaper.tick() == 0
        watch.advance(2)
        assert reaper.tick() == 1

    def test_a_reaper_that_was_frozen_grants_amnesty(self, actor: Actor, clock: Clock) -> None:
        watch = Stopwatch()
        reaper = maintenance.Reaper(actor.engine, watch)
        self.settle(reaper, watch)
        job = actor.train()
        lease = actor.lease()
        watch.advance(60)  # the machine slept, and the worker with it
        clock.advance(60)
        assert reaper.tick() == 0
        lease.beat()
        self.settle(reaper, watch)
        assert actor.job(job.id).attempt == 1

    def test_an_outage_of_the_database_costs_no_worker_its_job(self, actor: Actor, clock: Clock) -> None:
        watch = Stopwatch()
        gone = Database("sqlite:////nowhere/at/all.db", clock)
        reaper = maintenance.Reaper(actor.engine, watch)
        self.settle(reaper, watch)
        self.overdue(actor, clock)
        reaper._engine = replace(actor.engine, db=gone)
        watch.advance(2)
        with pytest.raises(OperationalError):
            reaper.tick()
        gone.dispose()
        reaper._engine = actor.engine
        for _ in range(14):
            watch.advance(2)
            assert reaper.tick() == 0
        watch.advance(2)
        assert reaper.tick() == 1

    def settle(self, reaper: maintenance.Reaper, watch: Stopwatch) -> None:
        for _ in range(16):
            watch.advance(2)
            reaper.tick()


class TestExpire:
    def test_a_job_that_did_not_start_in_time_fails(self, actor: Actor, clock: Clock) -> None:
        late, early = actor.train(expires_in=timedelta(seconds=60)), actor.train(expires_in=timedelta(seconds=600))
        clock.advance(61)
        assert maintenance.expire(actor.engine) == 1
        row = actor.job(late.id)
        assert (row.status, row.failure) == ("failed", {"code": "expired", "faults": []})
        assert actor.job(early.id).status == "queued"

    def test_a_job_that_runs_does_not_expire(self, actor: Actor, clock: Clock) -> None:
        actor.train(expires_in=timedelta(seconds=60))
        actor.claim()
        clock.advance(61)
        assert maintenance.expire(actor.engine) == 0


class TestRehome:
    def test_jobs_go_to_the_only_kind_of_device_that_is_left(
        self, actor: Actor, clock: Clock, dispatcher: RecordingDispatcher
    ) -> None:
        job = actor.train()
        workers.register(actor.engine, "worker", "training", "NVIDIA H200", "gpu")
        clock.advance(10)
        assert maintenance.rehome(actor.engine) == 0  # a CPU worker may come back
        clock.advance(21)
        gpu = workers.register(actor.engine, "worker", "training", "NVIDIA H200", "gpu")
        assert maintenance.rehome(actor.engine) == 1
        clock.advance(2)
        maintenance.redispatch(actor.engine)
        assert dispatcher.announced[-1] == "training.gpu"
        taken = claim(actor.engine, WorkerIdentity(gpu, "training", "gpu"))
        assert taken is not None
        assert taken.job_id == job.id

    def test_jobs_stay_where_a_worker_is(self, actor: Actor, clock: Clock) -> None:
        actor.train()
        clock.advance(31)
        for kind in ("cpu", "gpu"):
            workers.register(actor.engine, "worker", "training", kind, kind)
        assert maintenance.rehome(actor.engine) == 0
