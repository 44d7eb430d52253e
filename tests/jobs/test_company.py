"""Which waiting jobs share a call of a model, and in whose turn."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from jobs.claiming import WorkerIdentity, claim
from jobs.company import Room, claim_company, items_of
from jobs.lifecycle import Lease
from jobs.picking import PATIENCE, WINDOW
from jobs.tables import Job
from tests.conftest import Clock
from tests.jobs.acting import Actor

WORKER = WorkerIdentity("wrk_one", "generation", "cpu")


def draw(actor: Actor, model: str, more: dict[str, Any] | None = None, **about: Any) -> str:
    return actor.submit("image_vae.generate", {"model": model, "count": 1, **(more or {})}, **about).id


def taken(actor: Actor, room: int = 64, beside: int = 64) -> list[str]:
    """The jobs of the next call, the head first."""
    head = claim(actor.engine, WORKER)
    assert head is not None
    company = claim_company(actor.engine, WORKER, head, Room(room, beside), 1)
    return [head.job_id, *(each.job_id for each in company)]


def serve(actor: Actor, name: str, model: str) -> Actor:
    """A user whose turn has just passed."""
    user = actor.as_owner(name)
    job = draw(user, model)
    assert taken(actor) == [job]
    return user


@pytest.fixture
def model(actor: Actor) -> str:
    return actor.model()


@pytest.fixture
def other(actor: Actor) -> str:
    return actor.model()


def test_a_lone_job_has_no_company(actor: Actor, model: str) -> None:
    job = draw(actor, model)
    assert taken(actor) == [job]


def test_jobs_of_several_users_on_one_model_are_taken_together(actor: Actor, model: str) -> None:
    jobs = [draw(actor.as_owner(name), model, {"seed": seed}) for seed in range(2) for name in ("ada", "bob")]
    found = taken(actor)
    assert set(found) == set(jobs)
    rows = [actor.job(job) for job in found]
    assert {row.status for row in rows} == {"running"}
    assert len({row.lease_id for row in rows}) == 4
    assert all(actor.attempts(job)[0].lease_id == actor.job(job).lease_id for job in jobs)
    assert [event.data["status"] for event in actor.events(jobs[3])] == ["queued", "running"]


def test_what_cannot_share_is_left(actor: Actor, model: str, other: str) -> None:
    head = draw(actor, model)
    wanted = draw(actor, model, {"temperature": 0.5})
    draw(actor, other)
    draw(actor, model, {"count": 1000})
    draw(actor, model, time_limit=timedelta(seconds=60))
    actor.submit("image_vae.interpolate", {"model": model})
    troubled, alone = draw(actor, model), draw(actor, model)
    with actor.engine.db.begin() as session:
        session.execute(update(Job).where(Job.id == troubled).values(worker_losses=1))
        session.execute(update(Job).where(Job.id == alone).values(adjustments={"alone": True}))
    assert taken(actor) == [head, wanted]


def test_there_is_room_for_so_many_items(actor: Actor, model: str) -> None:
    jobs = [draw(actor, model, {"count": count}) for count in (1, 3, 5, 2, 1)]
    assert taken(actor, room=7) == [jobs[0], jobs[1], jobs[3], jobs[4]]


def test_fewer_where_others_wait(actor: Actor, model: str, other: str) -> None:
    bob = serve(actor, "bob", other)
    jobs = [draw(actor, model) for _ in range(6)]
    draw(bob, other)
    assert taken(actor, beside=3) == jobs[:3]


def test_owners_are_served_in_turn_and_evenly(actor: Actor, model: str) -> None:
    users = [actor.as_owner(name) for name in ("ada", "bob", "eve")]
    for user, count in zip(users, (40, 5, 40), strict=True):
        for _ in range(count):
            draw(user, model)
    owners = Counter(actor.job(job).owner for job in taken(actor, room=12))
    assert owners == {"ada": 4, "bob": 4, "eve": 4}
    assert len(taken(actor, room=12)) == 12


def test_after_a_call_it_is_the_turn_of_those_who_were_not_in_it(actor: Actor, model: str, other: str) -> None:
    bob = serve(actor, "bob", other)
    for _ in range(20):
        draw(actor, model)
    bobs = draw(bob, other)
    assert bobs not in taken(actor, room=8)
    assert taken(actor)[0] == bobs


def test_a_less_urgent_job_waits_while_a_more_urgent_one_does(actor: Actor, model: str, other: str) -> None:
    bob = serve(actor, "bob", other)
    mine, his, later = draw(actor, model, priority=5), draw(bob, other, priority=5), draw(actor, model)
    assert taken(actor) == [mine]
    assert taken(actor) == [his]
    assert taken(actor) == [later]


def test_nobody_passes_an_own_job_that_has_waited_long(actor: Actor, model: str, other: str, clock: Clock) -> None:
    ada, abe = serve(actor, "ada", other), actor.as_owner("abe")
    waits, soon, first = draw(ada, other), draw(ada, model), draw(abe, model)
    assert taken(actor) == [first, soon]
    clock.advance(PATIENCE.total_seconds() + 1)
    later, second = draw(ada, model), draw(abe, model)
    assert taken(actor) == [second]
    assert {actor.job(job).status for job in (waits, later)} == {"queued"}


def test_nobody_passes_more_than_a_window_of_own_jobs(actor: Actor, model: str, other: str) -> None:
    eve = serve(actor, "eve", other)
    head = draw(actor, model)
    for _ in range(WINDOW):
        draw(eve, other)
    behind = draw(eve, model)
    assert taken(actor) == [head]
    assert actor.job(behind).status == "queued"


def test_a_quota_holds_within_a_call(actor: Actor, model: str) -> None:
    bounded = actor.with_settings(max_running_per_owner=2)
    for name in ("ada", "bob"):
        for _ in range(4):
            draw(bounded.as_owner(name), model)
    owners = Counter(actor.job(job).owner for job in taken(bounded))
    assert owners == {"ada": 2, "bob": 2}


def test_whoever_leaves_a_broken_call_goes_on_by_itself(actor: Actor, model: str) -> None:
    jobs = [draw(actor, model) for _ in range(2)]
    head = claim(actor.engine, WORKER)
    assert head is not None
    (other,) = claim_company(actor.engine, WORKER, head, Room(64, 64), 1)
    Lease(actor.engine, other).leave_company("company lost")
    row = actor.job(jobs[1])
    assert (row.status, row.releases, row.app_failures, row.adjustments) == ("queued", 1, 0, {"alone": True})
    draw(actor, model)
    assert len(taken(actor)) == 1


def test_what_is_known_of_a_job_says_whether_it_shares() -> None:
    assert items_of("image_vae.generate", {"count": 4}, {}) == 4
    assert items_of("image_vae.generate", {"count": 4}, {"micro_batches": 2}) is None
    assert items_of("image_vae.generate", {"count": 400}, {}) is None
    assert items_of("image_vae.train", {"count": 4}, {}) is None
