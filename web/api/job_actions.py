"""What can be asked of a job: cancel, pause, resume, retry, duplicate, delete."""

from dataclasses import replace
from typing import Any, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from jobs import again, errors, lifecycle
from jobs.submit import Submission
from web import context, schemas
from web.api import parsing
from web.api.jobs import JOB_HEADERS, NEW_JOB_ERRORS, NEW_JOB_HEADERS, create, job_reply
from web.api.render import nothing
from web.api.routing import Reply, operation
from web.auth import audit


class JobCopy(BaseModel):
    """What differs from the job that is duplicated."""

    model_config = ConfigDict(extra="forbid")

    params: dict[str, Any] = Field(
        default_factory=dict, title="Params", description="Settings that differ; all others are kept."
    )
    name: str | None = Field(
        None,
        title="Name",
        description="What the new job is called; as the other one if left out.",
        min_length=1,
        max_length=120,
        pattern=parsing.NO_NUL,
    )


class JobAgain(BaseModel):
    """Where a retried job begins."""

    model_config = ConfigDict(extra="forbid")

    start: Literal["start", "checkpoint"] = Field(
        "start", alias="from", title="From", description="The start, or the last checkpoint if one was kept."
    )
    devices: int | None = Field(
        None, ge=1, le=64, title="Devices", description="How many devices train together; as before if left out."
    )


@operation(
    method="POST",
    path="/jobs/{job_id}/cancel",
    tag="jobs",
    scope="submit",
    replies={
        202: Reply("The worker was asked to stop.", schemas.Job, headers=JOB_HEADERS),
        200: Reply("The job is cancelled.", schemas.Job, headers=JOB_HEADERS),
    },
    errors=(errors.JobNotFound, errors.JobAlreadyFinished),
)
def cancel_job(job_id: str) -> Response:
    """Stop a job, with those that wait for it; its checkpoints are kept."""
    row = lifecycle.request_cancel(context.engine(), context.principal(), job_id)
    _note("cancel", job_id)
    return job_reply(row, 200 if row.status == "cancelled" else 202)


@operation(
    method="POST",
    path="/jobs/{job_id}/pause",
    tag="jobs",
    scope="submit",
    replies={
        202: Reply("The worker was asked to save the job's state and stop.", schemas.Job, headers=JOB_HEADERS),
        200: Reply("The job is paused.", schemas.Job, headers=JOB_HEADERS),
    },
    errors=(errors.JobNotFound, errors.JobAlreadyFinished, errors.JobCancelling),
)
def pause_job(job_id: str) -> Response:
    """Hold a job until it is resumed; what runs is held at its next checkpoint."""
    row = lifecycle.request_pause(context.engine(), context.principal(), job_id)
    _note("pause", job_id)
    return job_reply(row, 200 if row.status == "paused" else 202)


@operation(
    method="POST",
    path="/jobs/{job_id}/resume",
    tag="jobs",
    scope="submit",
    replies={200: Reply("The job waits for a worker, or for what it needs.", schemas.Job, headers=JOB_HEADERS)},
    errors=(errors.JobNotFound, errors.JobAlreadyFinished, errors.JobCancelling, errors.JobPausing),
)
def resume_job(job_id: str) -> Response:
    """Let a paused job go on from its checkpoint; a job that is not paused is left as it is."""
    row = lifecycle.resume(context.engine(), context.principal(), job_id)
    _note("resume", job_id)
    return job_reply(row)


@operation(
    method="POST",
    path="/jobs/{job_id}/retry",
    tag="jobs",
    scope="submit",
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
    body=JobAgain,
    optional_body=True,
    replies={
        202: Reply("The new job is queued.", schemas.Job, headers=NEW_JOB_HEADERS),
        200: Reply("The new job ended while the request waited.", schemas.Job, headers=NEW_JOB_HEADERS),
    },
    errors=(*NEW_JOB_ERRORS, errors.JobNotFound, errors.JobStillRunning),
)
def retry_job(job_id: str, body: JobAgain) -> Response:
    """Submit a finished job's settings again, as a new job; `{"from": "checkpoint"}` goes on where it stopped."""
    row = context.repository().job(job_id)
    wish = again.retry(
        context.engine(), context.principal(), row, from_checkpoint=body.start == "checkpoint", devices=body.devices
    )
    return create(_with_headers(wish))


@operation(
    method="POST",
    path="/jobs/{job_id}/duplicate",
    tag="jobs",
    scope="submit",
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
    body=JobCopy,
    optional_body=True,
    replies={
        202: Reply("The new job is queued.", schemas.Job, headers=NEW_JOB_HEADERS),
        200: Reply("The new job ended while the request waited.", schemas.Job, headers=NEW_JOB_HEADERS),
    },
    errors=(*NEW_JOB_ERRORS, errors.JobNotFound),
)
def duplicate_job(job_id: str, body: JobCopy) -> Response:
    """Submit a job's settings as a new job, whatever its state; what the body names differs."""
    row = context.repository().job(job_id)
    changes = again.Changes(body.params, body.name)
    return create(_with_headers(again.duplicate(context.engine(), context.principal(), row, changes)))


def _with_headers(submission: Submission) -> Submission:
    return replace(submission, idempotency_key=parsing.idempotency_key(), expires_in=parsing.cancel_after())


@operation(
    method="DELETE",
    path="/jobs/{job_id}",
    tag="jobs",
    scope="submit",
    replies={204: Reply("The job and its files are deleted.")},
    errors=(errors.JobNotFound, errors.JobStillRunning, errors.JobNeeded, errors.ModelInUse, errors.DatasetInUse),
)
def delete_job(job_id: str) -> Response:
    """Delete a finished job with its files."""
    lifecycle.delete_job(context.engine(), context.principal(), job_id)
    _note("delete", job_id)
    return nothing()


def _note(what: str, job_id: str) -> None:
    audit.info("%s %s by %s, request %s", what, job_id, context.principal().owner, context.request_id())


VIEWS = (cancel_job, pause_job, resume_job, retry_job, duplicate_job, delete_job)
