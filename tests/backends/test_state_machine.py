"""Random histories of two jobs against a small model: whatever happens, the promises hold (I1-I5, I10, I11)."""

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select, text

from aigc_models.base import Adjustments
from jobs import maintenance
from jobs.artifacts import LocalStore, NewFile
from jobs.db import Database
from jobs.engine import Engine
from jobs.errors import JobAlreadyFinished, JobCancelling, JobPausing, LeaseLost
from jobs.lifecycle import Beat, Failure, Lease, request_cancel, request_pause, resume
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.settings import Settings
from jobs.tables import FINAL, Attempt, Base, Job, ModelVersion, SchemaInfo
from tests import servers
from tests.backends.searching import searching
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor

TTL = 30
STALE = ("beat", "checkpoint", "fail", "succeed", "release", "cancelled", "paused")
MOST_LOSSES, MOST_FAILURES, MOST_PARTS = 3, 2, 4
# What a call may find that it did itself before, when the answer was lost.
REPEATABLE = {
    "fail": ("retried", "failed", "cancelled"),
    "succeed": ("succeeded",),
    "release": ("released", "cancelled"),
    "cancelled": ("cancelled",),
    "paused": ("paused", "cancelled"),
}


@dataclass
class Expected:
    """What must be true of one job."""

    status: str = "queued"
    holder: Lease | None = None
    until: float = 0
    not_before: float = 0
    cancel: bool = False
    pause: bool = False
    losses: int = 0
    failures: int = 0
    releases: int = 0
    attempts: int = 0
    checkpoint: int = -1
    parts: int = 1
    diverged: bool = False
    pauses: int = 0
    winner: Lease | None = None
    stale: list[Lease] = field(default_factory=list)

    def leave(self, status: str) -> None:
        """The holder's time is over."""
        assert self.holder is not None
        self.stale.append(self.holder)
        self.status, self.holder = status, None

    def lose(self) -> None:
        """The lease ran out and the reaper came."""
        self.losses += 1
        self.leave("cancelled" if self.cancel else "failed" if self.losses >= MOST_LOSSES else "queued")

    def fail(self, code: str) -> None:
        """The program failed in a way that may pass, or that a gentler attempt may avoid."""
        incurable = (code == "diverged" and self.diverged) or (code == "out_of_memory" and self.parts == MOST_PARTS)
        if self.failures + 1 > MOST_FAILURES or incurable:
            self.leave("failed")
        elif self.cancel:
            self.leave("cancelled")
        else:
            self.failures += 1
            self.diverged = self.diverged or code == "diverged"
            self.parts *= 2 if code == "out_of_memory" else 1
            self.leave("queued")


class Histories(RuleBasedStateMachine):
    """The rules; a subclass names the database."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="aigc", dir=servers.fast_directory()))
        self.clock = Clock()
        self.started = self.clock()
        chosen = Settings(home=self.home, database_url="sqlite://", min_free_disk=0)
        self.databases: list[Database] = []
        self.database = self._connect()
        self._empty()
        self.engine = Engine(chosen, self.database, LocalStore(self.home / "artifacts"), RecordingDispatcher())
        self.actor = Actor(self.engine, Principal("acme", "ada"))
        self.files = [self.actor.store("state.safetensors", b"state")]
        self.actor.dataset()
        self.jobs: dict[str, Expected] = {}

    def _empty(self) -> None:
        with self.database.begin() as session:
            for table in reversed(Base.metadata.sorted_tables):
                if table.name != SchemaInfo.__tablename__:
                    session.execute(text(f'DELETE FROM "{table.name}"'))

    def _connect(self) -> Database:
        """New connections, as a new process has; those of attempts that go on stay."""
        self.databases.append(Database(self.url, self.clock))
        return self.databases[-1]

    def teardown(self) -> None:
        for database in self.databases:
            database.dispose()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def time(self) -> float:
        return (self.clock() - self.started).total_seconds()

    @precondition(lambda self: len(self.jobs) < 2)
    @rule()
    def submit(self) -> None:
        self.jobs[self.actor.train().id] = Expected()

    @rule()
    def claim(self) -> None:
        claimed = self.actor.try_claim()
        free = {id_ for id_, job in self.jobs.items() if job.status == "queued" and job.not_before <= self.time}
        assert (claimed is not None) == bool(free)
        if claimed is not None:
            assert claimed.job_id in free
            job = self.jobs[claimed.job_id]
            job.status, job.holder, job.until = "running", Lease(self.actor.engine, claimed), self.time + TTL
            job.attempts += 1
            assert claimed.attempt == job.attempts
            gently = Adjustments(job.parts, 0.5 if job.diverged else 1.0)
            assert Adjustments.read(claimed.adjustments) == gently
            assert claimed.resumed_step == (job.checkpoint if job.checkpoint >= 0 else None)

    @rule(seconds=st.sampled_from([1, 10, 29, 31, 700]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(data=st.data(), step=st.integers(0, 9))
    def beat(self, data: st.DataObject, step: int) -> None:
        if job := self._held(data):
            assert job.holder is not None
            asked = job.holder.beat(Beat(step=step, total=10, points=[(step, {"loss": 1.0})]))
            assert (asked.cancel, asked.pause) == (job.cancel, job.pause)
            job.until = self.time + TTL

    @rule(data=st.data(), step=st.integers(0, 9))
    def checkpoint(self, data: st.DataObject, step: int) -> None:
        if job := self._held(data):
            assert job.holder is not None
            job.holder.checkpoint(step, self.files)
            job.checkpoint = max(job.checkpoint, step)

    @rule(data=st.data())
    def succeed(self, data: st.DataObject) -> None:
        if job := self._held(data):
            assert job.holder is not None
            job.winner = job.holder
            job.holder.succeed({"attempt": job.attempts}, [self._weights(job.holder)])
            job.leave("succeeded")

    @rule(data=st.data(), code=st.sampled_from(["internal", "diverged", "out_of_memory"]))
    def fail(self, data: st.DataObject, code: str) -> None:
        if job := self._held(data):
            assert job.holder is not None
            job.holder.fail(Failure(code))
            job.fail(code)
            row = self.actor.job(job.stale[-1].claim.job_id)
            job.not_before = (row.not_before - self.started).total_seconds()

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if job := self._held(data):
            assert job.holder is not None
            job.holder.release("drain")
            if not job.cancel:
                job.releases += 1
            job.leave("cancelled" if job.cancel else "queued")

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.jobs)))
        job = self.jobs[id_]
        if job.status in ("succeeded", "failed"):
            with pytest.raises(JobAlreadyFinished):
                request_cancel(self.actor.engine, self.actor.principal, id_)
            return
        request_cancel(self.actor.engine, self.actor.principal, id_)
        if job.status == "running":
            job.cancel = True
        else:
            job.status = "cancelled"

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.jobs)))
        job = self.jobs[id_]
        if job.status in FINAL or (job.status == "running" and job.cancel):
            with pytest.raises(JobAlreadyFinished if job.status in FINAL else JobCancelling):
                request_pause(self.engine, self.actor.principal, id_)
            return
        request_pause(self.engine, self.actor.principal, id_)
        if job.status == "running":
            job.pause = True
        elif job.status == "queued":
            job.status, job.pause = "paused", False

    @rule(data=st.data())
    def stop_paused(self, data: st.DataObject) -> None:
        """The worker answers the request to pause; a request to cancel goes before it."""
        job = self._held(data)
        if job is None or job.holder is None:
            return
        if job.pause or job.cancel:
            job.holder.paused()
            job.leave("cancelled" if job.cancel else "paused")
            job.pauses += job.status == "paused"
            job.pause = job.pause and job.cancel
        else:
            with pytest.raises(LeaseLost):
                job.holder.paused()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def go_on(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.jobs)))
        job = self.jobs[id_]
        stopping = job.status == "running" and (job.cancel or job.pause)
        if job.status in FINAL or stopping:
            refused = JobCancelling if job.cancel else JobPausing
            with pytest.raises(refused if stopping else JobAlreadyFinished):
                resume(self.engine, self.actor.principal, id_)
            return
        resume(self.engine, self.actor.principal, id_)
        if job.status == "paused":
            job.status, job.not_before = "queued", self.time

    @rule()
    def restart(self) -> None:
        """Everything but the supervisors starts anew; a new reaper spares what is overdue for one lease."""
        self.database = self._connect()
        self.engine = replace(self.engine, db=self.database)
        self.actor = replace(self.actor, engine=self.engine)
        assert maintenance.Reaper(self.engine, lambda: self.time).tick() == 0

    @rule()
    def reap(self) -> None:
        maintenance.reap(self.actor.engine)
        for job in self.jobs.values():
            if job.status == "running" and job.until < self.time:
                job.lose()
                job.not_before = 0

    @rule(data=st.data(), call=st.sampled_from(STALE))
    def a_stale_holder_writes(self, data: st.DataObject, call: str) -> None:
        """Somebody whose lease is gone tries everything; only the repetition of one's own end is accepted."""
        stale = [lease for job in self.jobs.values() for lease in job.stale]
        if not stale:
            return
        lease = data.draw(st.sampled_from(stale))
        writes: dict[str, Callable[[], object]] = {
            "beat": lease.beat,
            "checkpoint": lambda: lease.checkpoint(99, self.files),
            "fail": lambda: lease.fail(Failure("internal")),
            "succeed": lambda: lease.succeed({"stale": 1.0}, [self._weights(lease)]),
            "release": lambda: lease.release("stale"),
            "cancelled": lease.cancelled,
            "paused": lease.paused,
        }
        before = self.actor.job(lease.claim.job_id)
        if self._outcome(lease) in REPEATABLE.get(call, ()):
            writes[call]()
        else:
            with pytest.raises(LeaseLost):
                writes[call]()
        after = self.actor.job(lease.claim.job_id)
        assert (after.version, after.last_seq, after.status) == (before.version, before.last_seq, before.status)

    def _weights(self, lease: Lease) -> NewFile:
        """What an attempt has made; no two make the same."""
        return self.actor.store("model/weights.safetensors", lease.claim.lease_id.encode())

    def _held(self, data: st.DataObject) -> Expected | None:
        held = [job for job in self.jobs.values() if job.holder is not None]
        return data.draw(st.sampled_from(held)) if held else None

    def _outcome(self, lease: Lease) -> str | None:
        with self.database.read() as session:
            return session.scalar(select(Attempt.outcome).where(Attempt.lease_id == lease.claim.lease_id))

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        for id_, job in self.jobs.items():
            row: Job = self.actor.job(id_)
            counted = (row.attempt, row.worker_losses, row.app_failures, row.releases, row.checkpoint_step)
            assert row.status == job.status
            assert counted == (job.attempts, job.losses, job.failures, job.releases, job.checkpoint)
            assert row.lease_id == (job.holder.claim.lease_id if job.holder else None)
            assert row.attempt <= 1 + MOST_FAILURES + MOST_LOSSES + row.releases + job.pauses

    @invariant()
    def histories_are_whole_and_end_once(self) -> None:
        for id_, job in self.jobs.items():
            events = self.actor.events(id_)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            ends = [event for event in events if event.terminal]
            assert len(ends) == (job.status in FINAL)
            if ends:
                assert ends[0].data["status"] == job.status
            assert len(self.actor.attempts(id_)) == job.attempts

    @invariant()
    def a_result_exists_if_and_only_if_its_job_succeeded_and_is_the_winners(self) -> None:
        with self.database.read() as session:
            made = {version.job_id: version.metrics for version in session.scalars(select(ModelVersion))}
        reads = Repository(self.engine, self.actor.principal)
        won = {id_: job.winner for id_, job in self.jobs.items() if job.status == "succeeded" and job.winner}
        assert made == {id_: {"attempt": winner.claim.attempt} for id_, winner in won.items()}
        for id_ in self.jobs:
            outputs = [file.sha256 for file in reads.artifacts(id_) if file.role == "output"]
            expected = [hashlib.sha256(won[id_].claim.lease_id.encode()).hexdigest()] if id_ in won else []
            assert outputs == expected


def test_histories(database_url: str) -> None:
    machine = type("HistoriesHere", (Histories,), {"url": database_url})
    run_state_machine_as_test(machine, settings=searching(examples=12))
