"""Several jobs claimed and ended in one transaction, each as if it were alone."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from jobs import beats, claiming, pausing, picking
from jobs.artifacts import NewFile
from jobs.claiming import Claim, WorkerIdentity, claim_several
from jobs.errors import BlobMissing
from jobs.lifecycle import Beat, Lease
from jobs.maintenance import reap
from jobs.moves import NotAsExpected, apply_each
from jobs.picking import NEVER, Run
from jobs.tables import Artifact, Dataset, Job, Metric, OwnerTurn
from jobs.together import Success, succeed_together
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


def test_a_pause_that_comes_between_the_look_and_the_claim_ends_the_claim(
    actor: Actor, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws(actor, model, 5)
    looks = []

    def pick(*asked: Any) -> Run:
        looks.append(picking.pick(*asked))
        pausing.pause_queue(actor.engine, actor.principal, "generation.cpu")
        return looks[-1]

    monkeypatch.setattr(claiming, "pick", pick)
    assert take(actor, 2) == []
    assert [(len(run.jobs), run.more) for run in looks] == [(2, True)]


def test_ends_are_written_together_and_a_lost_lease_hurts_nobody(actor: Actor, model: str, clock: Clock) -> None:
    draws(actor, model, 3)
    first, lost, last = leases = [Lease(actor.engine, each) for each in take(actor, 32)]
    clock.advance(40)
    for kept in (first, last):
        kept.beat()
    assert reap(actor.engine) == 1
    beat = Beat(phase="generating", phases=["generating"], lines=["hello"])
    successes = [Success(lease, {"x": 1.0}, [], beat) for lease in leases]
    assert succeed_together(actor.engine, successes) == [True, False, True]
    assert [actor.job(lease.claim.job_id).status for lease in leases] == ["succeeded", "queued", "succeeded"]
    assert [event.kind for event in actor.events(first.claim.job_id)] == ["state", "state", "phase", "log", "end"]
    assert [event.kind for event in actor.events(lost.claim.job_id)] == ["state", "state", "state"]
    assert [actor.attempts(lease.claim.job_id)[0].outcome for lease in leases] == ["succeeded", "lost", "succeeded"]


def test_a_job_that_another_worker_runs_by_now_is_left_to_it(actor: Actor, model: str, clock: Clock) -> None:
    draws(actor, model, 2)
    lost, kept = leases = [Lease(actor.engine, each) for each in take(actor, 32)]
    clock.advance(40)
    kept.beat()
    assert reap(actor.engine) == 1
    (other,) = take(actor, 1)
    assert succeed_together(actor.engine, [Success(lease, {"x": 1.0}, []) for lease in leases]) == [False, True]
    row = actor.job(lost.claim.job_id)
    assert (row.status, row.lease_id, row.metrics) == ("running", other.lease_id, {})
    assert [attempt.outcome for attempt in actor.attempts(row.id)] == ["lost", None]


def test_a_move_whose_guard_does_not_hold_undoes_all(actor: Actor, model: str, clock: Clock) -> None:
    draws(actor, model, 2)
    one, two = (Lease(actor.engine, each) for each in take(actor, 32))
    rows = [actor.job(lease.claim.job_id) for lease in (one, two)]
    plain = beats.success(actor.engine.settings, beats.NOTHING, {}, {}, clock())
    moves = [replace(plain, bound={**plain.bound, "lease": lease}) for lease in (one.claim.lease_id, "another")]
    with pytest.raises(NotAsExpected), actor.engine.db.begin() as session:
        apply_each(session, rows, moves, clock())
    assert [actor.job(row.id).status for row in rows] == ["running", "running"]


def test_what_cannot_be_written_leaves_nothing_of_the_others(actor: Actor, model: str) -> None:
    draws(actor, model, 2)
    one, two = (Lease(actor.engine, each) for each in take(actor, 32))
    missing = NewFile("a.png", "0" * 64, 1, "image/png")
    with pytest.raises(BlobMissing):
        succeed_together(actor.engine, [Success(one, {}, []), Success(two, {}, [missing])])
    jobs: list[Job] = [actor.job(lease.claim.job_id) for lease in (one, two)]
    assert {job.status for job in jobs} == {"running"}
    one.succeed({}, [])
    assert actor.job(jobs[0].id).status == "succeeded"


def test_what_is_written_together_is_what_is_written_alone(actor: Actor, model: str, clock: Clock) -> None:
    draws(actor, model, 6)
    leases = [Lease(actor.engine, each) for each in take(actor, 32)]
    clock.advance(1)
    told = [
        None,
        Beat(phase="generating", phases=["generating"], lines=["hello"]),
        Beat(step=3, total=4, rate=2.5, points=[(1, {"x": 1.0}), (3, {"x": float("nan")})]),
    ]
    made = [NewFile("a.txt", *actor.engine.store.put(_file(actor)), "text/plain")]
    given = [({}, [], told[0]), ({"x": 0.5}, made, told[1]), ({"y": float("inf")}, made, told[2])]
    assert succeed_together(
        actor.engine, [Success(lease, *each) for lease, each in zip(leases[:3], given, strict=True)]
    )
    for lease, each in zip(leases[3:], given, strict=True):
        lease.succeed(*each)
    for together, alone in zip(leases[:3], leases[3:], strict=True):
        assert _history(actor, together.claim.job_id) == _history(actor, alone.claim.job_id)
        assert actor.job(together.claim.job_id).status == "succeeded"


def test_imports_are_ended_together_too(actor: Actor) -> None:
    made = [actor.upload(f"bytes {place}".encode()) for place in range(2)]
    leases = [Lease(actor.engine, each) for each in take(actor, 2)]
    report = actor.store("dataset/dataset.json", b'{"kind": "images", "train": 3}')
    assert succeed_together(actor.engine, [Success(lease, {}, [report]) for lease in leases]) == [True, True]
    assert [actor.row(Dataset, dataset.id).report["train"] for dataset, _ in made] == [3, 3]


def test_who_waits_for_several_is_freed_once(actor: Actor, model: str) -> None:
    needed = draws(actor, model, 2)
    waits = actor.submit("image_vae.generate", {"model": model}, after=needed)
    leases = [Lease(actor.engine, each) for each in take(actor, 32)]
    assert succeed_together(actor.engine, [Success(lease, {}, []) for lease in leases]) == [True, True]
    assert [event.data["status"] for event in actor.events(waits.id)] == ["blocked", "queued"]


def _file(actor: Actor) -> Path:
    path = actor.engine.settings.home / "a.txt"
    path.write_text("made")
    return path


def _history(actor: Actor, job_id: str) -> dict[str, object]:
    """All that is kept of a job, without what tells it from another one."""
    job, own = actor.job(job_id), {"id", "created_at", "params", "lease_id"}
    with actor.engine.db.read() as session:
        files = session.execute(select(Artifact.name, Artifact.sha256, Artifact.role).where(Artifact.job_id == job_id))
        points = session.execute(
            select(Metric.step, Metric.values).where(Metric.job_id == job_id).order_by(Metric.step)
        )
        kept = {"files": [tuple(row) for row in files], "points": [tuple(row) for row in points]}
    return kept | {
        "row": {column.key: getattr(job, column.key) for column in Job.__table__.columns if column.key not in own},
        "events": [(event.seq, event.kind, event.terminal, event.data) for event in actor.events(job_id)],
        "attempts": [(each.number, each.outcome, each.ended_at, each.failure_code) for each in actor.attempts(job_id)],
    }
