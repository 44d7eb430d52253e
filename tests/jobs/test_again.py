"""An earlier job's settings once more."""

import pytest

from jobs import again
from jobs.errors import JobStillRunning, NeededJobFailed
from jobs.lifecycle import Failure, request_cancel
from jobs.submit import submit
from jobs.tables import Job
from tests.jobs.acting import Actor

AS_IT_WAS = again.Changes()


def duplicate(actor: Actor, job: Job, changes: again.Changes = AS_IT_WAS) -> Job:
    return submit(actor.engine, actor.principal, again.duplicate(actor.engine, actor.principal, job, changes)).job


def test_a_duplicate_may_differ_and_is_no_retry(actor: Actor) -> None:
    job = actor.train(params={"epochs": 3}, name="first")
    actor.claim(expected=job.id)
    same = duplicate(actor, actor.job(job.id))
    assert (same.params, same.name, same.retried_from, same.status) == (job.params, "first", None, "queued")
    other = duplicate(actor, job, again.Changes({"epochs": 4}, "second"))
    assert (other.params["epochs"], other.params["dataset"], other.name) == (4, job.params["dataset"], "second")


def test_a_retry_is_of_a_finished_job(actor: Actor) -> None:
    job = actor.train()
    with pytest.raises(JobStillRunning):
        again.retry(actor.engine, actor.principal, job)
    request_cancel(actor.engine, actor.principal, job.id)
    wish = again.retry(actor.engine, actor.principal, actor.job(job.id), from_checkpoint=True)
    assert (wish.retried_from, wish.from_checkpoint) == (job.id, True)
    on_two = again.retry(actor.engine, actor.principal, actor.job(job.id), devices=2)
    assert on_two.params == {**job.params, "devices": 2}


def test_both_wait_for_what_has_not_ended_yet(actor: Actor) -> None:
    done, failed, going = (actor.train() for _ in range(3))
    job = actor.train(after=[done.id, failed.id, going.id])
    actor.finish(actor.claim(expected=done.id))
    actor.lease().fail(Failure("invalid_data"))
    row = actor.job(job.id)
    assert row.status == "cancelled"
    assert list(again.duplicate(actor.engine, actor.principal, row).after) == [going.id]
    assert list(again.retry(actor.engine, actor.principal, row).after) == [going.id]


def test_a_generation_goes_with_its_training(actor: Actor) -> None:
    training = actor.train()
    job = actor.submit("image_vae.generate", {"model": training.id})
    copy = duplicate(actor, job)
    assert copy.status == "blocked"
    actor.lease().fail(Failure("invalid_data"))
    with pytest.raises(NeededJobFailed):
        duplicate(actor, actor.job(job.id))
