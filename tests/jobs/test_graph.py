"""Jobs that wait for others: what they wait for, and what becomes of them when that has ended."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select

from jobs import graph, maintenance
from jobs.errors import InvalidParams, JobNeeded, NeededJobFailed, WrongInput
from jobs.lifecycle import Failure, delete_job, request_cancel, request_pause, resume
from jobs.repository import Repository
from jobs.states import Label
from jobs.submit import Submission, submit
from jobs.tables import Job, JobDependency, JobInput
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor


def status(actor: Actor, *jobs: str) -> list[str]:
    return [actor.job(job).status for job in jobs]


def label(actor: Actor, job: str) -> Label:
    return Repository(actor.engine, actor.principal).label(actor.job(job))


def fail(actor: Actor, lane: str = "training") -> None:
    actor.lease(lane).fail(Failure("invalid_data"))


def test_a_job_waits_for_all_it_needs_and_is_announced_then(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    first, second = actor.train(), actor.train()
    dispatcher.announced.clear()
    last = actor.train(after=[first.id, second.id])
    assert (last.status, last.dispatched_at, dispatcher.announced) == ("blocked", None, [])
    assert [event.data for event in actor.events(last.id)] == [{"status": "blocked", "by": "ada"}]
    assert label(actor, last.id).values == {"name": first.name, "id": first.id, "count": 1}
    assert label(actor, last.id).hint == graph.WAITING_FOR_MORE
    actor.finish(actor.claim(expected=first.id))
    assert label(actor, last.id) == Label(
        "blocked", graph.WAITING_FOR, {"name": second.name, "id": second.id, "count": 0}
    )
    actor.finish(actor.claim(expected=second.id))
    assert dispatcher.announced == ["training.cpu"]
    assert [event.data["status"] for event in actor.events(last.id)] == ["blocked", "queued"]
    assert actor.claim(expected=last.id)


def test_what_has_succeeded_need_not_be_waited_for(actor: Actor) -> None:
    done = actor.train()
    actor.finish(actor.claim(expected=done.id))
    job = actor.train(after=[done.id])
    assert job.status == "queued"
    assert job.snapshot["after"] == [done.id]


@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_what_will_not_succeed_is_refused(actor: Actor, end: str) -> None:
    ended = actor.train(name="the first")
    if end == "failed":
        fail(actor)
    else:
        request_cancel(actor.engine, actor.principal, ended.id)
    with pytest.raises(NeededJobFailed, match=f"The job the first has {end}, so nothing can wait for it") as caught:
        actor.train(after=[ended.id])
    assert [fault.pointer for fault in caught.value.faults] == ["/after/0"]


def test_unknown_and_foreign_jobs_are_told_at_their_place(actor: Actor) -> None:
    mine = actor.train()
    stranger = actor.as_owner("eve", tenant="other")
    theirs = stranger.submit("dataset.import_images", {})
    for wrong in (theirs.id, "job_" + "0" * 26, "nonsense", "a\0b"):
        with pytest.raises(InvalidParams) as caught:
            actor.train(after=[mine.id, wrong])
        assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/after/1", "not-found")]
    with pytest.raises(InvalidParams) as caught:
        actor.train(after=[mine.id] * 33)
    assert [fault.code for fault in caught.value.faults] == ["too-many-needed"]


@pytest.mark.parametrize("end", ["failed", "cancelled", "expired", "poisoned", "cancelled while it ran"])
def test_a_chain_is_cancelled_with_its_first_job(actor: Actor, clock: Clock, end: str) -> None:
    deadline = timedelta(seconds=5) if end == "expired" else None
    first = actor.train(name="the first", expires_in=deadline)
    second = actor.train(name="the second", after=[first.id])
    third = actor.train(after=[second.id])
    other = actor.train(after=[actor.train().id])
    if end == "failed":
        fail(actor)
    elif end == "cancelled":
        request_cancel(actor.engine, actor.principal, first.id)
    elif end == "expired":
        clock.advance(6)
        assert maintenance.expire(actor.engine) == 1
    elif end == "poisoned":
        for _ in range(actor.engine.settings.max_worker_losses):
            actor.claim(expected=first.id)
            clock.advance(31)
            maintenance.reap(actor.engine)
    else:
        lease = actor.lease()
        request_cancel(actor.engine, actor.principal, first.id)
        lease.cancelled()
    assert status(actor, second.id, third.id, other.id) == ["cancelled", "cancelled", "blocked"]
    ended = actor.job(first.id).status
    (event,) = actor.events(second.id, "end")
    needed = {"id": first.id, "name": "the first", "status": ended}
    assert event.data == {"status": "cancelled", "needed": needed}
    assert label(actor, second.id) == Label("cancelled", graph.NEED_ENDED, needed)
    assert label(actor, third.id).values["id"] == second.id


def test_whoever_is_cancelled_by_a_person_has_no_culprit(actor: Actor) -> None:
    job = actor.train(after=[actor.train().id])
    assert request_cancel(actor.engine, actor.principal, job.id).status == "cancelled"
    assert label(actor, job.id) == Label("cancelled")


def test_a_generation_is_submitted_with_the_training_it_waits_for(actor: Actor) -> None:
    training = actor.train(name="Clothes")
    job = actor.submit("image_vae.generate", {"model": training.id})
    assert (job.status, job.params["model"], job.name) == ("blocked", training.id, "clothes-generate")
    assert actor.row(JobDependency, (job.id, training.id)).field == "model"
    assert actor.row(JobInput, (job.id, "model")).model_id is None
    assert job.snapshot["inputs"] == {}
    actor.finish(actor.claim(expected=training.id))
    model = Repository(actor.engine, actor.principal).models_made_by([training.id])[training.id]
    row = actor.job(job.id)
    assert (row.status, row.params["model"]) == ("queued", model)
    assert actor.row(JobInput, (job.id, "model")).model_id == model
    assert row.snapshot["inputs"]["model"]["id"] == model
    assert actor.claim("generation", job.id).inputs["model"].key == model


def test_a_training_that_is_done_stands_for_its_model_version(actor: Actor) -> None:
    model = actor.model()
    training = Repository(actor.engine, actor.principal).model(model).job_id
    job = actor.submit("image_vae.generate", {"model": training})
    assert (job.status, job.params["model"]) == ("queued", model)


def test_only_a_training_of_the_family_can_be_waited_for_as_a_model(actor: Actor) -> None:
    training = actor.train(name="clothes")
    with pytest.raises(WrongInput, match="clothes is a model of the family Image VAE, but this task needs"):
        actor.submit("image_gan.generate", {"model": training.id})
    generation = actor.submit("image_vae.generate", {"model": training.id}, name="pictures")
    with pytest.raises(WrongInput, match="The job pictures makes no model version"):
        actor.submit("image_vae.generate", {"model": generation.id})
    with pytest.raises(InvalidParams) as caught:
        actor.submit("image_vae.generate", {"model": "job_" + "0" * 26})
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [("/model", "not-found")]
    fail(actor)
    with pytest.raises(NeededJobFailed):
        actor.submit("image_vae.generate", {"model": training.id})


def test_both_ways_of_waiting_for_one_job_are_one(actor: Actor) -> None:
    training = actor.train()
    job = actor.submit("image_vae.generate", {"model": training.id}, after=[training.id, training.id])
    with actor.engine.db.read() as session:
        rows = session.scalars(select(JobDependency).where(JobDependency.job_id == job.id)).all()
    assert [(row.needs_id, row.field) for row in rows] == [(training.id, "model")]


class TestPause:
    """A blocked job can be held, too."""

    @pytest.fixture
    def pair(self, actor: Actor) -> tuple[str, str]:
        first = actor.train()
        second = actor.submit("image_vae.generate", {"model": first.id})
        request_pause(actor.engine, actor.principal, second.id)
        assert status(actor, second.id) == ["paused"]
        return first.id, second.id

    def test_it_stays_paused_when_what_it_needs_has_succeeded(self, actor: Actor, pair: tuple[str, str]) -> None:
        actor.finish(actor.claim())
        assert graph.unblock(actor.engine) == 0
        assert status(actor, pair[1]) == ["paused"]
        row = resume(actor.engine, actor.principal, pair[1])
        assert row.status == "queued"
        assert actor.claim("generation", pair[1]).inputs["model"].key == row.params["model"]

    def test_it_waits_on_when_resumed_before(self, actor: Actor, pair: tuple[str, str]) -> None:
        assert resume(actor.engine, actor.principal, pair[1]).status == "blocked"
        actor.finish(actor.claim())
        assert status(actor, pair[1]) == ["queued"]

    def test_it_is_cancelled_with_what_it_needs(self, actor: Actor, pair: tuple[str, str]) -> None:
        third = actor.train(after=[pair[1]])
        fail(actor)
        assert status(actor, pair[1], third.id) == ["cancelled", "cancelled"]


class TestTheSchedulerSettlesWhatWasMissed:
    """A process may die between the end of a job and what follows from it; here that never followed."""

    def unsettled(self, actor: Actor, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(graph, "settle", lambda *_: [])
            act()

    def test_a_success(self, actor: Actor, monkeypatch: pytest.MonkeyPatch, dispatcher: RecordingDispatcher) -> None:
        training = actor.train()
        job = actor.submit("image_vae.generate", {"model": training.id})
        claimed = actor.claim()
        self.unsettled(actor, monkeypatch, lambda: actor.finish(claimed))
        assert status(actor, job.id) == ["blocked"]
        dispatcher.announced.clear()
        assert graph.unblock(actor.engine) == 1
        assert graph.unblock(actor.engine) == 0
        assert (status(actor, job.id), dispatcher.announced) == (["queued"], ["generation.cpu"])
        assert actor.row(JobInput, (job.id, "model")).model_id == actor.job(job.id).params["model"]

    def test_a_failure_with_what_waits_for_it_in_turn(self, actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
        first = actor.train()
        second = actor.train(after=[first.id])
        third = actor.train(after=[second.id])
        request_pause(actor.engine, actor.principal, second.id)
        self.unsettled(actor, monkeypatch, lambda: fail(actor))
        assert status(actor, second.id, third.id) == ["paused", "blocked"]
        assert graph.unblock(actor.engine) == 1
        assert status(actor, second.id, third.id) == ["cancelled", "cancelled"]


def test_what_others_wait_for_cannot_be_deleted(actor: Actor) -> None:
    first, second = actor.train(), actor.train()
    last = actor.train(after=[first.id, second.id])
    actor.finish(actor.claim(expected=first.id))
    with pytest.raises(JobNeeded, match="needed by 1 jobs that wait"):
        delete_job(actor.engine, actor.principal, first.id)
    actor.finish(actor.claim(expected=second.id))
    delete_job(actor.engine, actor.principal, first.id)
    assert actor.job(last.id).snapshot["after"] == [first.id, second.id]
    assert actor.claim(expected=last.id)


def test_the_same_request_with_other_needs_is_another(actor: Actor) -> None:
    from jobs.errors import IdempotencyKeyReused

    first, second = actor.train(), actor.train()
    params = {"dataset": actor.dataset().id}
    wish = Submission("image_vae.train", params, idempotency_key="k1", after=[first.id, second.id])
    made = submit(actor.engine, actor.principal, wish)
    again = submit(
        actor.engine,
        actor.principal,
        Submission("image_vae.train", params, idempotency_key="k1", after=[second.id, first.id]),
    )
    assert (again.job.id, again.replayed) == (made.job.id, True)
    for changes in (
        {"after": [first.id]},
        {"after": [], "expires_in": timedelta(minutes=1)},
        {"from_checkpoint": True},
    ):
        with pytest.raises(IdempotencyKeyReused):
            actor.submit("image_vae.train", params, idempotency_key="k1", **changes)


def test_a_blocked_job_is_not_taken(actor: Actor) -> None:
    first = actor.train()
    actor.train(after=[first.id])
    actor.claim(expected=first.id)
    assert actor.try_claim() is None
    with actor.engine.db.read() as session:
        assert session.scalars(select(Job.status).where(Job.status == "blocked")).all() == ["blocked"]
