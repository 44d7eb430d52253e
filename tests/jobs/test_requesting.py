import pytest

from jobs.errors import JobAlreadyFinished, JobCancelling, JobNotFound, JobPausing
from jobs.lifecycle import Failure, request_cancel, request_pause, resume
from jobs.repository import Repository
from tests.conftest import RecordingDispatcher
from tests.jobs.acting import Actor


def test_a_waiting_job_is_cancelled_at_once(actor: Actor) -> None:
    job = actor.train()
    assert request_cancel(actor.engine, actor.principal, job.id).status == "cancelled"
    (end,) = actor.events(job.id, "end")
    assert end.data == {"status": "cancelled", "by": "ada"}
    assert actor.try_claim() is None


def test_a_running_job_is_only_asked(actor: Actor) -> None:
    job = actor.train()
    actor.claim()
    row = request_cancel(actor.engine, actor.principal, job.id)
    assert row.status == "running"
    assert row.cancel_requested_at is not None
    assert Repository(actor.engine, actor.principal).label(row).state == "cancelling"
    version = row.version
    assert request_cancel(actor.engine, actor.principal, job.id).version == version  # asking twice says nothing new


def test_cancelling_a_cancelled_job_is_no_fault(actor: Actor) -> None:
    job = actor.train()
    first = request_cancel(actor.engine, actor.principal, job.id)
    assert request_cancel(actor.engine, actor.principal, job.id).version == first.version


@pytest.mark.parametrize("end", ["succeeded", "failed"])
def test_a_finished_job_cannot_be_stopped(actor: Actor, end: str) -> None:
    job = actor.train()
    if end == "succeeded":
        actor.finish(actor.claim())
    else:
        actor.lease().fail(Failure("invalid_data"))
    for ask in (request_cancel, request_pause, resume):
        with pytest.raises(JobAlreadyFinished, match=f"already {end}"):
            ask(actor.engine, actor.principal, job.id)


def test_nobody_reaches_another_tenants_job(actor: Actor) -> None:
    job = actor.train()
    stranger = actor.as_owner("eve", tenant="other")
    for ask in (request_cancel, request_pause, resume):
        with pytest.raises(JobNotFound, match=job.id):
            ask(actor.engine, stranger.principal, job.id)
    assert actor.job(job.id).status == "queued"


def test_a_paused_job_can_be_cancelled(actor: Actor) -> None:
    job = actor.train()
    lease = actor.lease()
    request_pause(actor.engine, actor.principal, job.id)
    assert request_pause(actor.engine, actor.principal, job.id).status == "running"
    lease.paused()
    lease.paused()
    assert request_pause(actor.engine, actor.principal, job.id).status == "paused"
    assert request_cancel(actor.engine, actor.principal, job.id).status == "cancelled"


def test_a_queued_job_is_held_at_once_and_goes_on(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    job = actor.train()
    held = request_pause(actor.engine, actor.principal, job.id)
    assert (held.status, actor.try_claim()) == ("paused", None)
    assert request_pause(actor.engine, actor.principal, job.id).version == held.version
    dispatcher.announced.clear()
    assert resume(actor.engine, actor.principal, job.id).status == "queued"
    assert dispatcher.announced == ["training.cpu"]
    assert [event.data for event in actor.events(job.id)] == [
        {"status": status, "by": "ada"} for status in ("queued", "paused", "queued")
    ]
    assert actor.claim(expected=job.id)


def test_what_is_just_stopping_can_neither_pause_nor_go_on(actor: Actor) -> None:
    job = actor.train()
    lease = actor.lease()
    request_pause(actor.engine, actor.principal, job.id)
    with pytest.raises(JobPausing):
        resume(actor.engine, actor.principal, job.id)
    request_cancel(actor.engine, actor.principal, job.id)
    for ask in (request_pause, resume):
        with pytest.raises(JobCancelling):
            ask(actor.engine, actor.principal, job.id)
    lease.cancelled()


def test_a_pause_that_was_overtaken_by_a_release_can_be_asked_again(actor: Actor) -> None:
    job = actor.train()
    lease = actor.lease()
    request_pause(actor.engine, actor.principal, job.id)
    lease.release("drain")
    row = request_pause(actor.engine, actor.principal, job.id)
    assert (row.status, row.pause_requested_at) == ("paused", None)


def test_resuming_what_waits_changes_nothing(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    job = actor.train()
    assert resume(actor.engine, actor.principal, job.id).version == actor.job(job.id).version == job.version


def test_a_cancel_that_comes_while_the_state_is_saved_wins(actor: Actor) -> None:
    job = actor.train()
    lease = actor.lease()
    request_pause(actor.engine, actor.principal, job.id)
    request_cancel(actor.engine, actor.principal, job.id)
    lease.paused()
    lease.paused()
    assert actor.job(job.id).status == "cancelled"
    assert [attempt.outcome for attempt in actor.attempts(job.id)] == ["cancelled"]
