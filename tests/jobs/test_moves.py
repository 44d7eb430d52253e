"""The table of states: all 7 x 7 pairs, and what every writer with a wrong lease may do: nothing."""

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.lifecycle import Beat, Failure, Lease
from jobs.moves import LEGAL, IllegalMove, Move, NewEvent, apply, state_event
from jobs.tables import FINAL, STATUSES, Job, JobStatus
from tests.conftest import Clock
from tests.jobs.acting import Actor

PAIRS = list(product(STATUSES, STATUSES))


def put_into(engine: Engine, job_id: str, status: JobStatus, clock: Clock) -> None:
    """Force a row into a status, as no code of the product may."""
    running = {"lease_id": "lease-of-a", "lease_until": clock() + timedelta(seconds=30), "attempt": 1}
    values: dict[str, Any] = {"status": status, "lease_id": None, "finished_at": None}
    values |= running if status == "running" else {}
    values |= {"finished_at": clock()} if status in FINAL else {}
    with engine.db.begin() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**values))


def test_no_other_move_can_be_written(actor: Actor, clock: Clock) -> None:
    job = actor.submit("dataset.import_images", {})
    before = actor.job(job.id)
    illegal = [pair for pair in PAIRS if pair not in LEGAL]
    assert len(illegal) == len(PAIRS) - 16
    for source, target in illegal:
        with pytest.raises(IllegalMove), actor.engine.db.begin() as session:
            apply(session, job.id, Move(source, target), clock())
    assert actor.job(job.id).version == before.version


@pytest.mark.parametrize(("source", "target"), sorted(LEGAL), ids=[f"{a}-{b}" for a, b in sorted(LEGAL)])
def test_a_move_of_the_table_changes_row_and_history(
    actor: Actor, clock: Clock, source: JobStatus, target: JobStatus
) -> None:
    job = actor.submit("dataset.import_images", {})
    put_into(actor.engine, job.id, source, clock)
    before = actor.job(job.id)
    values = {"lease_id": "lease-of-b"} if target == "running" else {}
    move = Move(source, target, values, [state_event(target) if target not in FINAL else NewEvent("end")])
    with actor.engine.db.begin() as session:
        row = apply(session, job.id, move, clock())
    after = actor.job(job.id)
    assert row is not None
    assert (after.status, after.version, after.last_seq) == (target, before.version + 1, before.last_seq + 1)
    assert (after.lease_id is not None) == (target == "running")
    assert (after.finished_at is not None) == (target in FINAL)


def test_a_move_from_another_status_changes_nothing(actor: Actor, clock: Clock) -> None:
    job = actor.submit("dataset.import_images", {})
    for status in STATUSES:
        put_into(actor.engine, job.id, status, clock)
        before = actor.job(job.id)
        for source, target in sorted(LEGAL):
            if source != status:
                with actor.engine.db.begin() as session:
                    assert apply(session, job.id, Move(source, target), clock()) is None
        after = actor.job(job.id)
        assert (after.status, after.version, after.last_seq) == (status, before.version, before.last_seq)


def calls(actor: Actor) -> dict[str, Callable[[Lease], object]]:
    """Everything a worker can write."""
    file = actor.store("model/weights.safetensors", b"stale")
    return {
        "beat": lambda lease: lease.beat(Beat(step=9, total=9, points=[(9, {"loss": 0.0})], lines=["stale"])),
        "signals": lambda lease: lease.signals(),
        "checkpoint": lambda lease: lease.checkpoint(9, [file]),
        "sample": lambda lease: lease.sample(9, file),
        "succeed": lambda lease: lease.succeed({"fid": 0.0}, [file]),
        "fail": lambda lease: lease.fail(Failure("internal")),
        "fail for good": lambda lease: lease.fail(Failure("invalid_data")),
        "release": lambda lease: lease.release("drain"),
        "cancelled": lambda lease: lease.cancelled(),
        "paused": lambda lease: lease.paused(),
    }


def test_a_wrong_lease_writes_nothing_in_any_status(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    lease = actor.lease()
    assert lease.claim.job_id == job.id
    events = len(actor.events(job.id))
    for status in STATUSES:
        put_into(actor.engine, job.id, status, clock)  # a running row now belongs to another lease
        before = actor.job(job.id)
        for name, call in calls(actor).items():
            with pytest.raises(LeaseLost):
                call(lease)
            after = actor.job(job.id)
            assert (after.status, after.version, after.last_seq) == (status, before.version, before.last_seq), name
    assert len(actor.events(job.id)) == events
    assert actor.attempts(job.id)[0].outcome is None


def test_a_job_ends_once(actor: Actor, clock: Clock) -> None:
    job = actor.submit("dataset.import_images", {})
    end = Move("queued", "cancelled", events=[state_event("cancelled")])
    with actor.engine.db.begin() as session:
        apply(session, job.id, end, clock())
    put_into(actor.engine, job.id, "queued", clock)
    with pytest.raises(IntegrityError), actor.engine.db.begin() as session:
        apply(session, job.id, end, clock())
    assert len(actor.events(job.id, "end")) == 1
