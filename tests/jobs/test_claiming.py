"""Which job a worker gets."""

from datetime import timedelta

import pytest
from sqlalchemy import delete

from jobs.claiming import StoredFile, WorkerIdentity, claim
from jobs.lifecycle import request_cancel
from jobs.tables import Attempt, Job, OwnerTurn
from tests.conftest import Clock
from tests.jobs.acting import Actor


def ids(actor: Actor, count: int, **more: object) -> list[str]:
    return [actor.train(**more).id for _ in range(count)]


def taken(actor: Actor, count: int, warm: frozenset[str] = frozenset()) -> list[str]:
    claims = [actor.try_claim(warm=warm) for _ in range(count)]
    return [claim.job_id for claim in claims if claim is not None]


def test_nothing_waits(actor: Actor) -> None:
    assert actor.try_claim() is None


def test_a_claim_moves_the_row_and_opens_an_attempt(actor: Actor, clock: Clock) -> None:
    job = actor.train(params={"epochs": 2})
    clock.advance(3)
    claimed = actor.claim()
    row = actor.job(job.id)
    assert (row.status, row.attempt, row.worker_id, row.lease_id) == ("running", 1, "wrk_one", claimed.lease_id)
    assert (row.started_at, row.lease_until) == (clock(), clock() + timedelta(seconds=30))
    attempt: Attempt = actor.row(Attempt, (job.id, 1))
    assert (attempt.lease_id, attempt.worker_id, attempt.resumed_step) == (claimed.lease_id, "wrk_one", None)
    assert (claimed.family, claimed.operation, claimed.params["epochs"]) == ("image_vae", "train", 2)
    assert [event.data["status"] for event in actor.events(job.id)] == ["queued", "running"]
    assert actor.try_claim() is None


def test_inputs_are_the_files_of_the_dataset_without_its_prefix(actor: Actor) -> None:
    actor.train()
    claimed = actor.claim()
    files = claimed.inputs["dataset"]
    assert files.key == actor.dataset().id
    assert [file.name for file in files.files] == ["dataset.json", "images.safetensors"]
    assert claimed.checkpoint is None


def test_inputs_are_the_files_of_the_model_version(actor: Actor) -> None:
    model = actor.model()
    actor.submit("image_vae.generate", {"model": model})
    files = actor.claim("generation").inputs["model"]
    assert files.key == model
    assert [file.name for file in files.files] == ["weights.safetensors"]


def test_an_import_gets_the_uploaded_file_under_its_own_name(actor: Actor) -> None:
    _, job = actor.upload(b"content", "../My Photos.zip")
    claimed = actor.claim("generation", job.id)
    upload = claimed.inputs["upload"]
    assert upload.key == f"{job.id}-upload"
    assert upload.files == [StoredFile("My Photos.zip", actor.store("x", b"content").sha256, 7)]


def test_a_later_attempt_gets_the_last_checkpoint(actor: Actor) -> None:
    job = actor.train()
    lease = actor.lease()
    lease.checkpoint(40, [actor.store("state.safetensors", b"state")])
    lease.release("drain")
    again = actor.claim()
    assert again.checkpoint is not None
    assert (again.attempt, again.resumed_step, again.checkpoint.key) == (2, 40, f"{job.id}-40")
    assert [file.name for file in again.checkpoint.files] == ["state.safetensors"]
    assert actor.attempts(job.id)[1].resumed_step == 40


def test_lanes_and_kinds_of_device_are_apart(actor: Actor) -> None:
    job = actor.train()
    assert actor.try_claim("generation") is None
    assert claim(actor.engine, WorkerIdentity("wrk", "training", "gpu")) is None
    assert actor.claim(expected=job.id)


def test_age_decides_among_equals(actor: Actor, clock: Clock) -> None:
    jobs = []
    for _ in range(4):
        jobs.append(actor.train().id)
        clock.advance(1)
    assert taken(actor, 4) == jobs


def test_priority_goes_first(actor: Actor) -> None:
    low, high = actor.train(priority=-1).id, actor.train(priority=5).id
    middle = actor.train().id
    assert taken(actor, 3) == [high, middle, low]


def test_owners_take_turns(actor: Actor, clock: Clock) -> None:
    actor.dataset()
    bob = actor.as_owner("bob")
    adas = ids(actor, 3)
    clock.advance(1)
    bobs = ids(bob, 2)
    order = []
    for _ in range(5):
        order += taken(actor, 1)
        clock.advance(1)
    assert order == [adas[0], bobs[0], adas[1], bobs[1], adas[2]]


def test_the_owner_whose_last_turn_is_oldest_goes_first(actor: Actor, clock: Clock) -> None:
    actor.dataset()
    bob, eve = actor.as_owner("bob"), actor.as_owner("eve", tenant="other")
    for who in (actor, bob):
        ids(who, 1)
        clock.advance(1)
        taken(actor, 1)
    first = [ids(who, 1)[0] for who in (bob, eve, actor)]
    clock.advance(1)
    order = []
    for _ in range(3):
        order += taken(actor, 1)
        clock.advance(1)
    assert order == [first[1], first[2], first[0]]  # eve never had a turn, ada's was before bob's


def test_a_warm_model_is_preferred_among_the_next_ones(actor: Actor, clock: Clock) -> None:
    cold, hot = actor.model(), actor.model()
    jobs = [actor.submit("image_vae.generate", {"model": model}).id for model in (cold, cold, hot, hot)]
    clock.advance(1)
    first = actor.try_claim("generation", frozenset({hot}))
    assert first is not None
    assert first.job_id == jobs[2]
    second = actor.try_claim("generation", frozenset({"mdl_unknown"}))
    assert second is not None
    assert second.job_id == jobs[0]


def test_a_warm_model_does_not_starve_the_oldest_job(actor: Actor, clock: Clock) -> None:
    cold, hot = actor.model(), actor.model()
    oldest = actor.submit("image_vae.generate", {"model": cold})
    clock.advance(61)
    actor.submit("image_vae.generate", {"model": hot})
    first = actor.try_claim("generation", frozenset({hot}))
    assert first is not None
    assert first.job_id == oldest.id


def test_a_warm_model_beyond_the_window_is_not_seen(actor: Actor, clock: Clock) -> None:
    cold, hot = actor.model(), actor.model()
    jobs = [actor.submit("image_vae.generate", {"model": cold}).id for _ in range(32)]
    clock.advance(1)
    actor.submit("image_vae.generate", {"model": hot})
    first = actor.try_claim("generation", frozenset({hot}))
    assert first is not None
    assert first.job_id == jobs[0]


@pytest.mark.parametrize("why", ["cancelled", "expired", "later"])
def test_what_must_not_run_is_passed_over(actor: Actor, clock: Clock, why: str) -> None:
    first = actor.train(expires_in=timedelta(seconds=5) if why == "expired" else None)
    clock.advance(1)
    second = actor.train()
    if why == "cancelled":
        request_cancel(actor.engine, actor.principal, first.id)
    elif why == "later":
        with actor.engine.db.begin() as session:
            session.get_one(Job, first.id).not_before = clock() + timedelta(seconds=60)
    clock.advance(10)
    assert taken(actor, 2) == [second.id]


def test_a_row_whose_owner_has_no_turn_is_taken_all_the_same(actor: Actor) -> None:
    job = actor.train()
    with actor.engine.db.begin() as session:
        session.execute(delete(OwnerTurn))
    assert actor.claim(expected=job.id)
