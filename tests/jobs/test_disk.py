"""Jobs that a full disk has stopped: they wait without counting it, and go on when a slot finds room."""

import socket
from typing import Any

import pytest

from jobs import disk, workers
from jobs.lifecycle import Failure
from jobs.repository import Repository
from jobs.states import DISK_FULL
from jobs.tables import Job
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor

MIB = 2**20


@pytest.fixture
def crowded(actor: Actor) -> Actor:
    """The same actor where 256 MiB must be free."""
    return actor.with_settings(min_free_disk=256 * MIB)


def slot(actor: Actor, free: int, lane: str = "training") -> str:
    """A live slot on this host with so many bytes free."""
    node = workers.register(actor.engine, "worker", lane, "CPU", "cpu")
    workers.beat(actor.engine, node, free_disk=free)
    return node


def stopped(actor: Actor, free: int = 10 * MIB, host: str = "") -> Job:
    """A job whose attempt has found the disk full."""
    job = actor.train()
    room: dict[str, Any] = {"host": host or socket.gethostname(), "free": free}
    actor.lease().fail(Failure("disk_full", disk=room))
    return actor.job(job.id)


def test_it_says_that_it_waits_for_the_disk(crowded: Actor) -> None:
    label = Repository(crowded.engine, crowded.principal).label(stopped(crowded))
    assert (label.state, label.hint) == ("waiting_retry", DISK_FULL)


def test_it_goes_on_ahead_of_time_when_there_is_room(
    crowded: Actor, clock: Clock, dispatcher: RecordingDispatcher
) -> None:
    job, node = stopped(crowded), slot(crowded, 10 * MIB)
    assert disk.end_waits(crowded.engine) == 0
    workers.beat(crowded.engine, node, free_disk=255 * MIB)
    assert disk.end_waits(crowded.engine) == 0
    assert crowded.try_claim() is None
    workers.beat(crowded.engine, node, free_disk=256 * MIB)
    assert disk.end_waits(crowded.engine) == 1
    row = crowded.job(job.id)
    assert (row.not_before, row.dispatched_at, row.version) == (clock(), None, job.version + 1)
    assert disk.end_waits(crowded.engine) == 0
    assert crowded.claim(expected=job.id).attempt == 2
    assert crowded.job(job.id).app_failures == 0


def test_as_little_room_as_was_not_enough_is_no_room(crowded: Actor) -> None:
    """Otherwise a job that needs more than is ever free would fail again and again."""
    stopped(crowded, free=900 * MIB)
    node = slot(crowded, 940 * MIB)
    assert disk.end_waits(crowded.engine) == 0
    workers.beat(crowded.engine, node, free_disk=964 * MIB)
    assert disk.end_waits(crowded.engine) == 1


@pytest.mark.parametrize("elsewhere", ["host", "lane", "draining", "dead"])
def test_room_elsewhere_ends_no_wait(crowded: Actor, clock: Clock, elsewhere: str) -> None:
    stopped(crowded, host="another" if elsewhere == "host" else "")
    node = slot(crowded, 900 * MIB, "generation" if elsewhere == "lane" else "training")
    if elsewhere == "draining":
        workers.beat(crowded.engine, node, draining=True, free_disk=900 * MIB)
    if elsewhere == "dead":
        clock.advance(16)
    assert disk.end_waits(crowded.engine) == 0


def test_other_failures_wait_their_time(crowded: Actor) -> None:
    crowded.train()
    crowded.lease().fail(Failure("internal"))
    slot(crowded, 900 * MIB)
    assert disk.end_waits(crowded.engine) == 0


def test_a_lane_whose_slots_all_lack_room_says_so(crowded: Actor, clock: Clock) -> None:
    job = crowded.job(crowded.train().id)
    node = slot(crowded, MIB)
    clock.advance(11)
    label = Repository(crowded.engine, crowded.principal).label(job)
    assert (label.state, label.hint) == ("waiting_for_worker", DISK_FULL)
    slot(crowded, 900 * MIB)
    assert Repository(crowded.engine, crowded.principal).label(job).state == "queued"
    with crowded.engine.db.read() as session:
        live = workers.live(session, clock())
    assert [found.id for found in disk.crowded(live, crowded.engine.settings)] == [node]


def test_waits_are_counted_for_their_owner_alone(crowded: Actor) -> None:
    stopped(crowded)
    assert Repository(crowded.engine, crowded.principal).waiting_for_room() == 1
    stranger = crowded.as_owner("eve", "evil")
    assert Repository(stranger.engine, stranger.principal).waiting_for_room() == 0
