"""Jobs: submit, list, look, wait."""

from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from random import uniform
from typing import Annotated, Any, Literal

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from aigc_models import registry
from jobs import errors, tables, webhooks
from jobs.details import LONGEST_NOTES, LONGEST_TAG, MOST_TAGS, mark
from jobs.filtering import NEWEST
from jobs.naming import LONGEST
from jobs.repository import JobFilter, Label, Sort
from jobs.submit import LONGEST_RUN, MOST_AFTER, Submission, Submitted, check, submit
from web import context, rates, repeated, schemas
from web.api import parsing, shapes
from web.api.render import REVALIDATE, address, answer, api, listing
from web.api.routing import IDS, Reply, operation
from web.problems import MalformedJson, NeedsUpload, WrongMediaType
from web.translate import language
from web.waiting import Seen, watch

Seconds = Annotated[int, Field(ge=1, le=int(LONGEST_RUN.total_seconds())), parsing.WholeFloats]
JobId = Annotated[str, StringConstraints(pattern=f"^{IDS['job_id'].pattern}$")]

Filterable = Literal["blocked", "queued", "running", "cancelling", "paused", "succeeded", "failed", "cancelled"]

LOOK_AGAIN = "1"
# A job this far back in a line is told for twice as long that its place is the same, and at most so many times as long.
FAR, MOST_LONGER = 50, 4.0
JOB_HEADERS = {"ETag": "Changes with the job.", "Retry-After": "Seconds after which to look again."}
NEW_JOB_HEADERS = {
    **JOB_HEADERS,
    "Location": "Address of the job.",
    "Idempotent-Replayed": "true when the key was used before and this is the job of that time.",
    "Preference-Applied": "Present when the reply waited for the end of the job.",
}
NEW_JOB_ERRORS = (
    errors.InvalidParams,
    errors.UnknownTask,
    errors.WrongInput,
    errors.NotFound,
    errors.DatasetNotReady,
    errors.NeededJobFailed,
    errors.IdempotencyKeyReused,
    errors.StorageFull,
    NeedsUpload,
    MalformedJson,
    WrongMediaType,
)


class WebhookNew(BaseModel):
    """Where a job's events are sent, if the operator allows it."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        title="Address", description="Address of the receiver, with https.", min_length=1, max_length=2_048
    )
    events: list[webhooks.EventKind] = Field(
        list(webhooks.DEFAULT_EVENTS),
        title="Events",
        description="Kinds of events that are sent.",
        min_length=1,
        max_length=16,
    )


# Said here, checked by :mod:`jobs.details`, which knows better sentences.
Tag = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": LONGEST_TAG, "pattern": r"^[^\x00-\x1f\x7f,，、]+$"}
    ),
]
AT_MOST_TAGS: dict[str, Any] = {"maxItems": MOST_TAGS}


class Work(BaseModel):
    """What every submission may say, whatever its task is."""

    model_config = ConfigDict(extra="forbid")

    params: dict[str, Any] = Field(default_factory=dict, title="Params", description="The task's settings.")
    preset: str | None = Field(None, title="Preset", description="Named settings beneath params.", max_length=64)
    name: str | None = Field(
        None,
        title="Name",
        description="What the job and the model version it makes are called.",
        min_length=1,
        max_length=LONGEST,
        pattern=parsing.NO_NUL,
    )
    tags: list[Tag] = Field(
        default_factory=list,
        title="Tags",
        description="Words that the job is found by.",
        json_schema_extra=AT_MOST_TAGS,
    )
    notes: str = Field(
        "",
        title="Notes",
        description="What people should know about the job.",
        max_length=LONGEST_NOTES,
        pattern=parsing.NO_NUL,
    )
    webhook: WebhookNew | None = Field(None, title="Webhook", description="Where the job's events are sent.")
    time_limit: Seconds | None = Field(
        None,
        title="Time limit",
        description="Seconds that all attempts of the job may run together; then it fails and keeps its checkpoint.",
    )
    after: list[JobId] = Field(
        default_factory=list,
        title="After",
        description="Ids of jobs that must succeed first. The job is cancelled if one of them does not.",
        max_length=MOST_AFTER,
    )


class JobNew(Work):
    """A submission: the task, its settings, and what the job is called."""

    task: str = Field(title="Task", description="Name of the task, such as image_gan.train.", max_length=128)


class ValidateOnly(parsing.Query):
    """Whether to create anything."""

    validate_only: parsing.Flag = Field(False, description="Check the settings and create nothing.")


class JobQuery(parsing.Page):
    """Which jobs."""

    id: list[Annotated[parsing.Text, Field(max_length=40)]] = Field(
        [], max_length=100, description="Only these jobs; may be repeated, 100 at most."
    )
    state: list[Filterable] = Field([], description="Only jobs with one of these statuses; may be repeated.")
    task: parsing.Text | None = Field(None, max_length=128, description="Only jobs of this task.")
    q: parsing.Text | None = Field(
        None, max_length=200, description="Only jobs whose name contains this text, or whose id begins with it."
    )
    dataset: parsing.Text | None = Field(None, max_length=64, description="Only jobs that read this dataset.")
    tag: list[parsing.Text] = Field([], description="Only jobs with this tag; may be repeated for several.")
    created_after: parsing.Moment | None = Field(None, description="Only jobs created after this time.")
    created_before: parsing.Moment | None = Field(None, description="Only jobs created before this time.")
    imports: parsing.Flag = Field(True, description="Whether imports of datasets are among them, if task is not set.")
    sort: Sort = Field(NEWEST, description="What they are sorted by; with a minus the other way round.")


@operation(
    method="POST",
    path="/jobs",
    tag="jobs",
    scope="submit",
    query=ValidateOnly,
    body=JobNew,
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
    replies={
        202: Reply("The job is queued.", schemas.Job, headers=NEW_JOB_HEADERS),
        200: Reply(
            "The job ended while the request waited, or the settings were checked.",
            schemas.JobOrDraft,
            headers=NEW_JOB_HEADERS,
        ),
    },
    errors=NEW_JOB_ERRORS,
)
def submit_job(query: ValidateOnly, body: JobNew) -> Response:
    """Submit a job."""
    submission = new_submission(body.task, body)
    if query.validate_only:
        return draft(submission)
    return create(submission)


def _time(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def new_submission(task: str, body: Work) -> Submission:
    """A submission from a body and the headers beside it."""
    return Submission(
        task=task,
        params=body.params,
        preset=body.preset,
        name=body.name,
        idempotency_key=parsing.idempotency_key(),
        expires_in=parsing.cancel_after(),
        webhook=accepted_webhook(body.webhook),
        time_limit=_time(body.time_limit),
        after=body.after,
        tags=body.tags,
        notes=body.notes,
    )


def accepted_webhook(body: WebhookNew | None) -> webhooks.Webhook | None:
    """The webhook of a submission, if it has one and the operator allows it."""
    return webhooks.accept(context.settings(), body.url, body.events, address("")) if body is not None else None


def draft(submission: Submission) -> Response:
    """Check a submission and create nothing."""
    _refuse_import(submission.task)
    with parsing.pointing_into_params():
        params = check(context.engine(), context.principal(), submission)
    return answer(schemas.JobDraft(task=submission.task, params=params.model_dump(mode="json")))


def create(submission: Submission) -> Response:
    """Submit, and wait for the end as long as the client would."""
    _refuse_import(submission.task)
    rates.count("submissions")
    with parsing.pointing_into_params():
        result = submit(context.engine(), context.principal(), submission)
    return accepted(result)


def _refuse_import(task: str) -> None:
    """An import without its upload would only fail later."""
    params = registry.tasks().get(task)
    if params is not None and params.makes == "dataset":
        raise NeedsUpload(task=task)


def accepted(result: Submitted) -> Response:
    """The reply to a submission."""
    row, applied = wait_for(result.job, lambda seen: seen.final)
    # A job of this very request waits for nothing yet that would have to be looked up.
    fresh = Label("queued") if row.status == "queued" and not result.replayed else None
    reply = job_reply(row, 200 if applied else 202, fresh)
    reply.headers["Location"] = api(f"/jobs/{row.id}")
    if result.replayed:
        reply.headers["Idempotent-Replayed"] = "true"
    return reply


def wait_for(row: tables.Job, until: Callable[[Seen], bool]) -> tuple[tables.Job, bool]:
    """Wait for a job as long as ``Prefer: wait=N`` says; gives the row, and whether it came to that.

    Waiting takes a thread; when too many do, the reply comes at once, which the preference allows.
    """
    seconds = parsing.wait_seconds()
    if until(Seen(row.version, row.status, row.last_seq)):
        return row, seconds > 0
    if seconds <= 0:
        return row, False
    shared = context.process()
    with shared.waits.hold() as taken:
        if not taken:
            return row, False
        seen = watch(shared.engine, row.id, lambda now: until(now) or shared.stopping(), seconds)
    reached = seen is not None and until(seen)
    return context.repository().job(row.id), reached


def job_reply(row: tables.Job, status: int = 200, label: Label | None = None) -> Response:
    """A job with its ETag; 304 for whoever has it already."""
    label = label or context.repository().label(row)
    place = shapes.place(row, forecast=request.method == "GET")  # who submits need not wait for it
    # What is not in the row: the place in the queue, and which of several jobs it still waits for.
    beside = (place.position, place.starts_in, label.values.get("id"), label.values.get("count"))
    tag = f"{row.version}-{mark(row)}-{label.state}-{sha256(repr(beside).encode()).hexdigest()[:12]}-{language()}"
    if status == 200 and request.method == "GET" and tag in request.if_none_match:
        reply = Response(status=304)
        reply.headers["Cache-Control"] = REVALIDATE
    else:
        reply = answer(shapes.job(row, label, shapes.made_by([row]), place, context.repository().energy(row)), status)
    reply.set_etag(tag)
    if row.status == "queued":
        longer = min(MOST_LONGER, 1 + (place.position or 0) / FAR)
        longer *= uniform(0.5, 1)  # noqa: S311 - those who began to look together are not all told at once
        context.process().told.keep((row.tenant_id, row.id, language()), (tag, row.version), longer)
    if row.status not in tables.FINAL:
        reply.headers["Retry-After"] = LOOK_AGAIN
    if parsing.wait_seconds() > 0 and status == 200 and row.status in tables.FINAL:
        reply.headers["Preference-Applied"] = f"wait={parsing.wait_seconds():g}"
    return reply


@operation(
    method="GET",
    path="/jobs",
    tag="jobs",
    query=JobQuery,
    headers=("If-None-Match",),
    replies={200: Reply("Jobs, page by page.", schemas.Listing[schemas.Job], headers={"Link": "The next page."})},
    errors=(parsing.InvalidQuery,),
)
def list_jobs(query: JobQuery) -> Response:
    """List jobs, the newest first or sorted otherwise."""
    wanted = JobFilter(
        ids=query.id,
        states=query.state,
        task=query.task,
        q=query.q,
        dataset=query.dataset,
        tags=query.tag,
        created_after=query.created_after,
        created_before=query.created_before,
        imports=query.imports,
    )
    page = context.repository().jobs(wanted, query.cursor, query.rows, query.sort)
    made = shapes.made_by(page.items)
    label = context.repository().label
    return listing(page, schemas.Job, lambda row: shapes.job(row, label(row), made))


@operation(
    method="GET",
    path="/jobs/{job_id}",
    tag="jobs",
    headers=("If-None-Match", "Prefer"),
    replies={200: Reply("The job.", schemas.Job, headers=JOB_HEADERS)},
    errors=(errors.JobNotFound,),
)
def get_job(job_id: str) -> Response:
    """Look at a job.

    With `Prefer: wait=25` the reply waits for the end of the job; with `If-None-Match` as well,
    for the first change after that ETag.
    """
    if (known := _told_lately(job_id)) is not None:
        return known
    row = context.repository().job(job_id)
    started_with = row.version
    if not request.if_none_match:
        row, _ = wait_for(row, lambda seen: seen.final)
    elif _is_current(row):
        row, _ = wait_for(row, lambda seen: seen.version != started_with or seen.final)
    return job_reply(row)


def _told_lately(job_id: str) -> Response | None:
    """304 for whoever has what a waiting job's reply was seconds ago, if its row is the same: then only its place in
    the line can be another, which need not be told each second. None where it must be looked up."""
    shared, tenant = context.process(), context.principal().tenant_id
    place = (tenant, job_id, language())
    told = shared.told.peek(place) or ("", 0)
    tag, version = told
    if tag not in request.if_none_match or parsing.wait_seconds() > 0:
        return None
    if shared.versions.of((tenant, job_id)) != version:
        return None
    repeated.note(place, told)
    reply = Response(status=304, headers={"Cache-Control": REVALIDATE, "Retry-After": LOOK_AGAIN})
    reply.set_etag(tag)
    return reply


def _is_current(row: tables.Job) -> bool:
    return any(tag.partition("-")[0] == str(row.version) for tag in parsing.tags_of(request.if_none_match))


VIEWS = (submit_job, list_jobs, get_job)
