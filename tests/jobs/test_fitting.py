"""Which jobs a device takes by its memory, and what a job is told that fits none."""

from datetime import timedelta

import pytest

from jobs import workers
from jobs.claiming import Claim, Room, WorkerIdentity, claim_several
from jobs.fitting import TOO_LARGE
from jobs.lifecycle import Lease
from jobs.picking import CROWDED
from jobs.repository import Repository
from jobs.states import Label
from jobs.tables import Job
from jobs.workers import DeviceState
from tests.conftest import Clock
from tests.jobs.acting import Actor

GIB = 2**30
HERE = WorkerIdentity("wrk_gpu", "training", "gpu")


@pytest.fixture
def waiting(actor: Actor) -> Actor:
    """A user whose trainings wait for a GPU."""
    node = workers.register(actor.engine, "worker", "training", "Card", "gpu")
    workers.beat(actor.engine, node, device=DeviceState("GPU-a", 8 * GIB, 8 * GIB, place="gpu:0"))
    return actor


def train(actor: Actor, memory: int) -> Job:
    """A queued training that needs so much memory."""
    job = actor.train()
    with actor.engine.db.begin() as session:
        session.get_one(Job, job.id).memory_needed = memory
    return actor.job(job.id)


def take(actor: Actor, room: Room) -> Claim | None:
    """What a slot with that room takes."""
    claims = claim_several(actor.engine, HERE, frozenset(), 1, room)
    return claims[0] if claims else None


def label(actor: Actor, job: Job) -> Label:
    return Repository(actor.engine, actor.principal).label(job)


def test_a_job_waits_while_the_memory_it_needs_is_taken(waiting: Actor, clock: Clock) -> None:
    large, small = train(waiting, 6 * GIB), train(waiting, 2 * GIB)
    taken = take(waiting, Room(4 * GIB, 8 * GIB))
    assert taken is not None
    assert taken.job_id == small.id
    assert take(waiting, Room(4 * GIB, 8 * GIB)) is None
    clock.advance(CROWDED / timedelta(seconds=1) + 1)  # what keeps the memory may stay for ever
    taken = take(waiting, Room(4 * GIB, 8 * GIB))
    assert taken is not None
    assert taken.job_id == large.id


def test_a_job_that_fits_no_gpu_says_so(waiting: Actor) -> None:
    fits, large = train(waiting, 7 * GIB), train(waiting, 9 * GIB)
    assert label(waiting, fits).state == "queued"
    assert label(waiting, large) == Label("waiting_for_worker", TOO_LARGE, {"needed": "9.0", "most": "8.0"})
    node = workers.register(waiting.engine, "worker", "training", "Card", "gpu")
    workers.beat(waiting.engine, node, device=DeviceState("GPU-b", 16 * GIB, 16 * GIB, place="gpu:1"))
    assert label(waiting, large).state == "queued"
    workers.beat(waiting.engine, node, device=DeviceState("GPU-b", 16 * GIB, 16 * GIB, unfit="gone"))
    assert label(waiting, large).hint == TOO_LARGE


def test_a_training_is_believed_to_need_what_such_a_one_took(waiting: Actor) -> None:
    waiting.train()
    taken = take(waiting, Room())
    assert taken is not None
    lease = Lease(waiting.engine, taken)
    lease.peak_memory = 10 * GIB
    lease.succeed({}, [waiting.store("model/weights.safetensors", b"w")])
    alike, other = waiting.train(params={"epochs": 7, "seed": 3}), waiting.train(params={"batch_size": 16})
    assert alike.memory_needed == 10 * GIB
    assert other.memory_needed < 10 * GIB
