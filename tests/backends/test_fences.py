"""Two attempts of one job in every order: A is given up as lost, B takes over, and A changes nothing any more."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import maintenance
from jobs.artifacts import LocalStore, NewFile
from jobs.db import Database
from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.lifecycle import Beat, Failure, Lease, request_cancel, request_pause
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.settings import Settings
from jobs.tables import FINAL
from tests import servers
from tests.backends.searching import searching
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor

WRITES = ("beat", "checkpoint", "sample")
ENDS = ("succeed", "fail", "fail_for_good", "release", "cancelled", "paused")
LEASE = 30
# A request that stands lets its end through the guards on what was asked, so that only the lease is left.
REQUESTS = {"cancelled": request_cancel, "paused": request_pause}


class Arena:
    """One job on a database, and what its attempts may do to it."""

    def __init__(self, actor: Actor, clock: Clock) -> None:
        self.actor, self.clock = actor, clock
        self.files = {who: [actor.store("model/weights.safetensors", who.encode())] for who in "AB"}
        self.job = actor.train().id

    def attempt(self) -> Lease:
        """Claim the job."""
        self.clock.advance(700)  # past any pause before a retry
        return Lease(self.actor.engine, self.actor.claim(expected=self.job))

    def expire(self) -> None:
        """Let the lease run out, and the reaper come."""
        self.clock.advance(LEASE + 1)
        assert maintenance.reap(self.actor.engine) == 1

    def ask(self, end: str) -> None:
        """Have a user ask for what an end answers."""
        if end in REQUESTS:
            REQUESTS[end](self.actor.engine, self.actor.principal, self.job)

    def do(self, lease: Lease, who: str, call: str, step: int = 3) -> None:
        """One write of an attempt."""
        files: list[NewFile] = self.files[who]
        calls: dict[str, Callable[[], Any]] = {
            "beat": lambda: lease.beat(Beat(step=step, total=9, points=[(step, {"loss": 1.0})], lines=[who])),
            "checkpoint": lambda: lease.checkpoint(step, files),
            "sample": lambda: lease.sample(step, files[0]),
            "succeed": lambda: lease.succeed({"of": float(ord(who))}, files),
            "fail": lambda: lease.fail(Failure("internal")),
            "fail_for_good": lambda: lease.fail(Failure("invalid_data")),
            "release": lambda: lease.release("drain"),
            "cancelled": lease.cancelled,
            "paused": lease.paused,
        }
        calls[call]()

    def refused(self, lease: Lease, call: str, step: int = 8) -> None:
        """Let A try a write, and see that it is refused whole."""
        before = self.seen()
        with pytest.raises(LeaseLost):
            self.do(lease, "A", call, step)
        assert self.seen() == before

    def seen(self) -> dict[str, Any]:
        """All that a reader could see of the job, and what a scheduler goes by."""
        row, actor = self.actor.job(self.job), self.actor
        reads = Repository(actor.engine, actor.principal)
        columns = {column.key: getattr(row, column.key) for column in row.__table__.columns}
        return columns | {
            "events": [(event.seq, event.kind, event.data) for event in actor.events(self.job)],
            "files": [(file.role, file.name, file.sha256) for file in reads.artifacts(self.job)],
            "attempts": [(each.number, each.outcome) for each in actor.attempts(self.job)],
            "models": reads.models_made_by([self.job]),
        }


@contextmanager
def arena(url: str) -> Iterator[Arena]:
    """A job of its own on a migrated database that others have used before."""
    home = Path(tempfile.mkdtemp(prefix="aigc", dir=servers.fast_directory()))
    clock = Clock()
    database = Database(url, clock)
    chosen = Settings(home=home, database_url="sqlite://", min_free_disk=0, max_worker_losses=99)
    engine = Engine(chosen, database, LocalStore(home / "artifacts"), RecordingDispatcher())
    try:
        made = Arena(Actor(engine, Principal("acme", "ada")), clock)
        try:
            yield made
        finally:  # the next example must not claim it, even where hypothesis gave this one up half-way
            if made.actor.job(made.job).status not in FINAL:
                request_cancel(engine, made.actor.principal, made.job)
                clock.advance(LEASE + 1)
                maintenance.reap(engine)
    finally:
        database.dispose()
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("end", ENDS)
def test_a_late_end_changes_nothing(database_url: str, end: str) -> None:
    """B runs, so that only the lease tells A from B."""
    with arena(database_url) as here:
        first = here.attempt()
        here.expire()
        second = here.attempt()
        here.ask(end)
        here.refused(first, end)
        here.do(second, "B", "cancelled" if end == "cancelled" else "succeed")


@pytest.mark.parametrize("write", WRITES)
def test_a_late_beat_renews_nothing(database_url: str, write: str) -> None:
    with arena(database_url) as here:
        first = here.attempt()
        here.expire()
        second = here.attempt()
        here.refused(first, write)
        here.do(second, "B", "succeed")


def test_every_schedule_of_two_attempts(database_url: str) -> None:
    """Writes of both in any order, around A's loss and B's end; A's last words come at any moment after its loss."""
    writes = st.lists(st.sampled_from(WRITES), max_size=3)

    @searching(examples=15, long=1000)
    @given(before=writes, late=st.lists(st.sampled_from(WRITES + ENDS), min_size=3, max_size=6), after=writes,
           end=st.sampled_from(ENDS), data=st.data())  # fmt: skip
    def holds(before: Sequence[str], late: Sequence[str], after: Sequence[str], end: str, data: st.DataObject) -> None:
        with arena(database_url) as here:
            first = here.attempt()
            for step, call in enumerate(before):
                here.do(first, "A", call, step)
            here.expire()
            script: list[str] = ["claim", *after, "ask", end]
            moments = sorted(data.draw(st.lists(st.integers(0, len(script)), min_size=len(late), max_size=len(late))))
            second = None
            for moment in range(len(script) + 1):
                for call, when in zip(late, moments, strict=True):
                    if when == moment:
                        here.refused(first, call)
                if moment == len(script):
                    break
                if script[moment] == "claim":
                    second = here.attempt()
                elif script[moment] == "ask":
                    here.ask(end)
                elif second is not None:
                    here.do(second, "B", script[moment], 3 + moment)

    holds()
