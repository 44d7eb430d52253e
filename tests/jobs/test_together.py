"""Several jobs claimed and ended in one transaction, each as if it were alone."""

import random

import pytest
from sqlalchemy import update

from jobs.artifacts import NewFile
from jobs.claiming import Claim, WorkerIdentity, claim_several
from jobs.errors import BlobMissing
from jobs.lifecycle import Beat, Lease
from jobs.maintenance import reap
from jobs.picking import NEVER
from jobs.tables import Job, OwnerTurn
from jobs.together import end_together
from tests.conftest import Clock
from tests.jobs.acting import Actor

WORKER = WorkerIdentity("wrk_one", "generation", "cpu")
COLD = frozenset[str]()


def draws(actor: Actor, model: str, count: int, **more: object) -> list[str]:
    return [actor.submit("image_vae.generate", {"model": model, "seed": seed}, **more).id for seed in range(count)]


def take(actor: Actor, most: int, warm: frozenset[str] = COLD) -> list[Claim]:
    return claim_several(actor.engine, WORKER, warm, most)


@pytest.fixture
def model(actor: Actor) -> str:
    return actor.model()


def test_nothing_waits(actor: Actor) -> None:
    assert take(actor, 32) == []
    assert take(actor, 1) == []


def test_each_claim_is_whole(actor: Actor, model: str, clock: Clock) -> None:
    jobs = draws(actor, model, 3)
    clock.advance(1)
    claims = take(actor, 32)
    assert [each.job_id for each in claims] == jobs
    assert len({each.lease_id for each in claims}) == 3
    for each in claims:
        row, attempt = actor.job(each.job_id), actor.attempts(each.job_id)[0]
        assert (row.status, row.lease_id, attempt.lease_id) == ("running", each.lease_id, each.lease_id)
        assert each.inputs["model"].key == model
        assert [event.data["status"] for event in actor.events(each.job_id)] == ["queued", "running"]


def test_no_more_than_asked_for(actor: Actor, model: str) -> None:
    jobs = draws(actor, model, 5)
    assert [each.job_id for each in take(actor, 2)] == jobs[:2]
    assert [each.job_id for each in take(actor, 1)] == jobs[2:3]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_is_that_of_single_claims(actor: Actor, model: str, clock: Clock, seed: int) -> None:
    """Whatever priorities and owners: the same jobs submitted again are claimed in the same order one by one."""
    chosen = random.Random(seed)
    people = [actor, actor.as_owner("bob"), actor.as_owner("eve")]
    who = [(chosen.choices(range(3), [5, 2, 1])[0], chosen.choice([0, 0, 0, 1])) for _ in range(20)]

    def queue() -> list[str]:
        jobs = []
        for person, priority in who:
            jobs += draws(people[person], model, 1, priority=priority)
            clock.advance(0.5)
        with actor.engine.db.begin() as session:  # nobody has been served yet
            session.execute(update(OwnerTurn).values(claimed_at=NEVER))
        return jobs

    first = queue()
    alone = []
    while claimed := take(actor, 1):
        alone.append(first.index(claimed[0].job_id))
        clock.advance(0.001)
    second = queue()
    together = []
    while claimed := take(actor, chosen.randint(2, 8)):
        together += [second.index(each.job_id) for each in claimed]
        clock.advance(0.001)
    assert len(together) == 20
    assert together == alone


def test_turns_go_on_after_a_burst(actor: Actor, model: str, clock: Clock) -> None:
    bob = actor.as_owner("bob")
    adas, bobs = draws(actor, model, 3), draws(bob, model, 3)
    clock.advance(1)
    assert [each.job_id for each in take(actor, 3)] == [bobs[0], adas[0], bobs[1]]
    clock.advance(1)
    assert [each.job_id for each in take(actor, 3)] == [adas[1], bobs[2], adas[2]]


def test_warm_models_go_first_but_not_for_ever(actor: Actor, model: str, clock: Clock) -> None:
    other = actor.model()
    cold, warm = draws(actor, model, 1), draws(actor, other, 2)
    assert [each.job_id for each in take(actor, 8, frozenset({other}))] == [*warm, *cold]
    cold, warm = draws(actor, model, 1), draws(actor, other, 2)
    clock.advance(61)
    assert [each.job_id for each in take(actor, 8, frozenset({other}))] == [*cold, *warm]


def test_what_was_tried_before_is_the_last_of_its_burst(actor: Actor, model: str) -> None:
    """It may be the job that ends its worker, and then nobody may wait behind it."""
    first, second, third = draws(actor, model, 3)
    (once,) = take(actor, 1)
    assert once.job_id == first
    Lease(actor.engine, once).release("drain")
    assert [each.job_id for each in take(actor, 32)] == [first]
    assert [each.job_id for each in take(actor, 32)] == [second, third]


def test_ends_are_written_together_and_a_lost_lease_hurts_nobody(actor: Actor, model: str, clock: Clock) -> None:
    draws(actor, model, 3)
    first, lost, last = leases = [Lease(actor.engine, each) for each in take(actor, 32)]
    clock.advance(40)
    for kept in (first, last):
        kept.beat()
    assert reap(actor.engine) == 1
    beat = Beat(phase="generating", phases=["generating"], lines=["hello"])
    assert end_together(actor.engine, [(lease, lease.success({"x": 1.0}, [], beat)) for lease in leases]) == [
        True,
        False,
        True,
    ]
    assert [actor.job(lease.claim.job_id).status for lease in leases] == ["succeeded", "queued", "succeeded"]
    assert [event.kind for event in actor.events(first.claim.job_id)] == ["state", "state", "phase", "log", "end"]
    assert [event.kind for event in actor.events(lost.claim.job_id)] == ["state", "state", "state"]
    assert [actor.attempts(lease.claim.job_id)[0].outcome for lease in leases] == ["succeeded", "lost", "succeeded"]


def test_what_cannot_be_written_leaves_nothing_of_the_others(actor: Actor, model: str) -> None:
    draws(actor, model, 2)
    one, two = (Lease(actor.engine, each) for each in take(actor, 32))
    missing = NewFile("a.png", "0" * 64, 1, "image/png")
    with pytest.raises(BlobMissing):
        end_together(actor.engine, [(one, one.success({}, [])), (two, two.success({}, [missing]))])
    jobs: list[Job] = [actor.job(lease.claim.job_id) for lease in (one, two)]
    assert {job.status for job in jobs} == {"running"}
    one.succeed({}, [])
    assert actor.job(jobs[0].id).status == "succeeded"
