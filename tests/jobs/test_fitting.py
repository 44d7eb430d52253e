"""Which jobs a device takes by its memory and by its neighbours, and what a job is told that fits none."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from jobs import workers
from jobs.claiming import Claim, Room, WorkerIdentity, claim_several
from jobs.fitting import TOO_LARGE, TOO_MANY, TRIED_LATER
from jobs.lifecycle import Lease
from jobs.neighbours import look_around
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


def train(actor: Actor, memory: int = 0, devices: int = 1) -> Job:
    """A queued training that needs so much memory, on so many devices."""
    job = actor.train()
    with actor.engine.db.begin() as session:
        row = session.get_one(Job, job.id)
        row.memory_needed, row.devices = memory, devices
    return actor.job(job.id)


def add_gpu(actor: Actor, name: str, memory: int = 8 * GIB, **more: Any) -> str:
    """Another slot for trainings on this host; its id."""
    node = workers.register(actor.engine, "worker", "training", "Card", "gpu")
    workers.beat(actor.engine, node, device=DeviceState(name, memory, memory, **more))
    return node


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
    values = {"needed": "9.0", "most": "8.0", "wait": "10 min"}
    assert label(waiting, large) == Label("waiting_for_worker", TRIED_LATER, values)
    never = replace(waiting.engine, settings=waiting.engine.settings.model_copy(update={"try_unfit_seconds": 0}))
    assert Repository(never, waiting.principal).label(large).hint == TOO_LARGE
    node = workers.register(waiting.engine, "worker", "training", "Card", "gpu")
    workers.beat(waiting.engine, node, device=DeviceState("GPU-b", 16 * GIB, 16 * GIB, place="gpu:1"))
    assert label(waiting, large).state == "queued"
    workers.beat(waiting.engine, node, device=DeviceState("GPU-b", 16 * GIB, 16 * GIB, unfit="gone"))
    assert label(waiting, large).hint == TRIED_LATER


def test_what_should_fit_no_gpu_is_tried_on_the_largest_after_a_while(waiting: Actor, clock: Clock) -> None:
    large, room, small = train(waiting, 20 * GIB), Room(16 * GIB, 16 * GIB), Room(8 * GIB, 8 * GIB)
    clock.advance(waiting.engine.settings.try_unfit_seconds - 1)
    workers.beat(waiting.engine, add_gpu(waiting, "GPU-b", 16 * GIB), device=DeviceState("GPU-b", 16 * GIB, 16 * GIB))
    assert take(waiting, room) is None
    clock.advance(2)
    assert take(waiting, small) is None, "what is reckoned is rather too large for the small one"
    taken = take(waiting, room)
    assert taken is not None
    assert taken.job_id == large.id


def test_a_job_of_several_devices_is_left_to_who_has_them(waiting: Actor) -> None:
    own = add_gpu(waiting, "GPU-own")
    slot = WorkerIdentity(own, "training", "gpu")
    assert look_around(waiting.engine, slot, Room()).names == (), "nobody waits that needs more"
    wide = train(waiting, devices=3)
    assert take(waiting, Room()) is None
    assert look_around(waiting.engine, slot, Room()).wanted == 1, "there are only two"
    assert label(waiting, wide) == Label(
        "waiting_for_worker", TOO_MANY, {"asked": 3, "most": 2, "command": "aigc worker --devices all"}
    )
    add_gpu(waiting, "GPU-c", 16 * GIB)
    broken, divided = add_gpu(waiting, "GPU-d", unfit="gone"), add_gpu(waiting, "MIG-x")
    found = look_around(waiting.engine, slot, Room())
    assert (found.wanted, found.names) == (3, ["GPU-c", "GPU-a"])
    assert label(waiting, wide).state == "queued"
    for alone in (broken, divided):
        assert look_around(waiting.engine, replace(slot, id=alone), Room()).names == ()
    taken = take(waiting, Room(devices=3))
    assert taken is not None
    assert (taken.job_id, taken.devices) == (wide.id, 3)


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
