"""Slots and queues that take nothing new, on both databases."""

import pytest

from jobs import pausing, workers
from jobs.claiming import WorkerIdentity, claim, claim_several, take
from jobs.errors import NotFound
from jobs.lifecycle import Lease
from jobs.repository import Repository
from jobs.workers import DeviceState
from tests.conftest import Clock
from tests.jobs.acting import Actor


def slot(actor: Actor, lane: str = "training", device: str = "cpu") -> WorkerIdentity:
    """A slot that has announced itself, as a worker's process does when it starts."""
    node = workers.register(actor.engine, "worker", lane, "2 cores", "cpu")
    workers.beat(actor.engine, node, device=DeviceState(device, 2**30, 2**29))
    return WorkerIdentity(node, lane, "cpu")


def reads(actor: Actor) -> Repository:
    return Repository(actor.engine, actor.principal)


def test_a_paused_slot_takes_nothing_new_and_ends_what_it_runs(actor: Actor) -> None:
    first, second = actor.train(), actor.train()
    here = slot(actor)
    running = claim(actor.engine, here)
    assert running is not None
    assert running.job_id == first.id
    pausing.pause_slot(actor.engine, actor.principal, here.id)
    assert claim(actor.engine, here) is None
    lease = Lease(actor.engine, running)
    lease.succeed({}, [actor.store("model/weights.safetensors", b"w")])
    assert actor.job(first.id).status == "succeeded"
    assert claim(actor.engine, here) is None
    pausing.resume_slot(actor.engine, here.id)
    taken = claim(actor.engine, here)
    assert taken is not None
    assert taken.job_id == second.id


def test_a_pause_outlives_the_process_it_was_asked_of(actor: Actor) -> None:
    actor.train()
    before = slot(actor)
    pausing.pause_slot(actor.engine, actor.principal, before.id)
    workers.leave(actor.engine, before.id)
    after = slot(actor)
    assert after.id != before.id
    assert claim(actor.engine, after) is None
    (node,) = reads(actor).workers()
    assert reads(actor).pauses.holding(node) == "slot"


def test_a_slot_on_another_device_goes_on(actor: Actor) -> None:
    actor.train()
    here, there = slot(actor, device="GPU-a"), slot(actor, device="GPU-b")
    pausing.pause_slot(actor.engine, actor.principal, here.id)
    assert claim(actor.engine, here) is None
    assert claim(actor.engine, there) is not None


def test_a_paused_queue_holds_every_slot_of_it_and_no_other(actor: Actor) -> None:
    actor.dataset()
    job = actor.train()
    here, drawing = slot(actor), slot(actor, "generation")
    pausing.pause_queue(actor.engine, actor.principal, "training.cpu")
    assert claim(actor.engine, here) is None
    assert claim_several(actor.engine, here, frozenset(), 8) == []
    assert claim(actor.engine, slot(actor, device="new")) is None
    actor.upload(b"other")
    assert claim(actor.engine, drawing) is not None
    states = {queue.name: queue.paused for queue in reads(actor).queues()}
    assert [name for name, paused in states.items() if paused] == ["training.cpu"]
    pausing.resume_queue(actor.engine, "training.cpu")
    taken = claim(actor.engine, here)
    assert taken is not None
    assert taken.job_id == job.id


def test_a_claim_under_way_does_not_slip_through(actor: Actor) -> None:
    """What was picked before the pause was committed is not taken after it."""
    job = actor.train()
    here = slot(actor)
    pausing.pause_slot(actor.engine, actor.principal, here.id)
    with actor.engine.db.begin() as session:
        assert take(actor.engine, session, [job.id], here, actor.engine.db.now(session)) == []


def test_a_waiting_job_says_that_its_queue_is_paused(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    here = slot(actor)
    assert reads(actor).label(actor.job(job.id)).state == "queued"
    pausing.pause_slot(actor.engine, actor.principal, here.id)
    label = reads(actor).label(actor.job(job.id))
    assert (label.state, label.hint) == (
        "waiting_for_worker",
        "The workers of this queue are paused. Resume them on the page Workers.",
    )
    assert reads(actor).starts_in(actor.job(job.id)) is None
    slot(actor, device="other")
    assert reads(actor).label(actor.job(job.id)).state == "queued"


def test_pausing_twice_is_pausing_once(actor: Actor) -> None:
    here = slot(actor)
    for _ in range(2):
        pausing.pause_slot(actor.engine, actor.principal, here.id)
        pausing.pause_queue(actor.engine, actor.principal, "generation.gpu")
    assert len(reads(actor).pauses.rows) == 2
    for _ in range(2):
        pausing.resume_slot(actor.engine, here.id)
        pausing.resume_queue(actor.engine, "generation.gpu")
    assert reads(actor).pauses.rows == []


def test_a_pause_of_a_slot_that_is_gone_can_be_ended(actor: Actor) -> None:
    here = slot(actor)
    pausing.pause_slot(actor.engine, actor.principal, here.id)
    assert reads(actor).pauses.absent(reads(actor).workers()) == []
    workers.leave(actor.engine, here.id)
    (left,) = reads(actor).pauses.absent(reads(actor).workers())
    assert (left.paused_by, left.device_name) == ("ada", "cpu")
    pausing.end(actor.engine, left.id)
    with pytest.raises(NotFound):
        pausing.end(actor.engine, left.id)


def test_only_what_is_there_can_be_paused(actor: Actor) -> None:
    scheduler = workers.register(actor.engine, "scheduler", None, None, None)
    for unknown in ("wrk_none", scheduler):
        with pytest.raises(NotFound):
            pausing.pause_slot(actor.engine, actor.principal, unknown)
    with pytest.raises(NotFound):
        pausing.pause_queue(actor.engine, actor.principal, "training.tpu")
