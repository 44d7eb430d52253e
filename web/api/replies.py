"""What an assistant replied as JSON, asking it, and what people think of its replies."""

from dataclasses import asdict
from datetime import datetime
from typing import Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from aigc_models.data import replies
from jobs import errors, feedback
from jobs.tables import Job
from jobs.verdicts import ReplyFeedback
from web import context, reply_files, schemas
from web.api import datasets, jobs, models, parsing
from web.api.render import answer, listing, nothing, tagged
from web.api.routing import Reply, operation
from web.auth import audit
from web.job_facts import Answer
from web.problems import MalformedJson, WrongMediaType, not_found


class ReplyNew(jobs.Work):
    """Settings of a reply; the model version is the one in the address."""


class CitedSentence(Answer):
    """A sentence, an item of a list, code, or a row of a table."""

    text: str = Field(description="What it says; what is quoted stands so in its source, character by character.")
    source: int = Field(description="Number of the source it is from, or by which it is supported.")
    kind: Literal["text", "item", "code", "table"]
    start: int = Field(description="Where in the source's text it, or what supports it, begins, in characters.")
    end: int = Field(description="Where it ends there.")
    begins: bool = Field(description="Whether a paragraph begins with it.")
    support: float = Field(description="How far the source supports it, from 0 to 1; of what is quoted 1.")


class CitedSource(Answer):
    """A passage that sentences are from."""

    number: int
    document: str = Field(description="Name of the document in the dataset.")
    title: str = Field(description="What the document is called; empty where nothing says so.")
    headings: list[str] = Field(description="What the passage stands under, the outermost first.")
    question: str = Field(description="What it answered, where it comes from a dialogue.")
    text: str = Field(description="All that it says, without marks of Markdown or HTML.")
    part: int = Field(description="Which part of the document it is from, from 0.")
    start: int = Field(description="Where in that part's text, as the dataset has it, it begins, in characters.")
    end: int = Field(description="Where it ends there.")


class AssistantAnswer(Answer):
    """What an assistant said."""

    question: str
    searched: str = Field(description="What was searched for: the question, with earlier ones where it needs them.")
    kind: Literal["answer", "refusal", "clarification"]
    text: str = Field(description="All of it in words, in the question's language.")
    sentences: list[CitedSentence]
    sources: list[CitedSource] = Field(description="What sentences cite; of a refusal the nearest passages.")
    options: list[str] = Field(description="Of a clarification: what may be meant.")
    sureness: float = Field(description="How likely it is that what was found is an answer, from 0 to 1.")
    threshold: float = Field(description="Below which it refuses.")
    language: Literal["en", "zh"]
    manner: Literal["quoted", "written"] = Field(description="Whether sentences are quoted, or written by a model.")
    instead: Literal["", "nothing-supported", "nothing-written"] = Field(
        description="Why it is quoted although a model was to write it; empty where it was not to."
    )
    dropped: list[str] = Field(description="Sentences a model wrote that no source supports; no part of the answer.")
    finished: bool = Field(description="Whether that is all of it, or what was written so far.")


class FeedbackNew(BaseModel):
    """What you think of a reply."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["up", "down"] = Field(title="Verdict", description="Thumb up or down.")
    better: str = Field(
        "",
        title="Better answer",
        description="What should have been said.",
        max_length=feedback.LONGEST,
        pattern=parsing.NO_NUL,
    )


class Feedback(Answer):
    """What somebody thinks of a reply."""

    id: str
    job: str
    verdict: Literal["up", "down"]
    question: str
    answer: str
    better: str
    owner: str
    created_at: datetime


class NotAReply(errors.AigcError):
    """The job {id} has made no reply that could be judged."""

    code, status, title = "not-a-reply", 409, "The job made no reply"


@operation(
    method="GET",
    path="/jobs/{job_id}/reply",
    tag="jobs",
    headers=("If-None-Match",),
    replies={200: Reply("The reply.", AssistantAnswer)},
    errors=(errors.JobNotFound, errors.NotFound),
)
def get_reply(job_id: str) -> Response:
    """Read what an assistant replied, each sentence with its source; 404 where the job made no reply.

    While a model words the answer, it is what was written of it so far: `finished` is false then, `sentences` were
    checked, and `text` is the sentence that is being written. Each step is an event `sample` of the job, too.
    """
    job = context.repository().job(job_id)
    found, finished = reply_files.of_job(job), True
    if found is None:
        found, finished = reply_files.part_of_job(job), False
    if found is None:
        raise not_found("reply", job_id)
    return tagged(answer(_shown(found, finished)))


@operation(
    method="POST",
    path="/models/{model_id}/reply",
    tag="models",
    scope="submit",
    query=jobs.ValidateOnly,
    body=ReplyNew,
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
    replies={
        202: Reply("The job is queued.", schemas.Job, headers=jobs.NEW_JOB_HEADERS),
        200: Reply(
            "The job ended while the request waited, or the settings were checked.",
            schemas.JobOrDraft,
            headers=jobs.NEW_JOB_HEADERS,
        ),
    },
    errors=(*jobs.NEW_JOB_ERRORS, models.CannotGenerate),
)
def reply(model_id: str, query: jobs.ValidateOnly, body: ReplyNew) -> Response:
    """Ask an assistant: a job, by the same rules as any other; with `Prefer: wait=5` the answer is there at once."""
    row = context.repository().model(model_id)
    submission = models.with_model(row, jobs.new_submission(f"{row.family}.reply", body))
    return jobs.draft(submission) if query.validate_only else jobs.create(submission)


@operation(
    method="PUT",
    path="/jobs/{job_id}/feedback",
    tag="jobs",
    scope="submit",
    body=FeedbackNew,
    replies={204: Reply("It is kept, in place of what you said before.")},
    errors=(errors.JobNotFound, NotAReply, errors.InvalidParams, MalformedJson, WrongMediaType),
)
def give_feedback(job_id: str, body: FeedbackNew) -> Response:
    """Say what you think of a reply, and what would have been better."""
    keep(context.repository().job(job_id), body.verdict, body.better)
    return nothing()


@operation(
    method="DELETE",
    path="/jobs/{job_id}/feedback",
    tag="jobs",
    scope="submit",
    replies={204: Reply("What you said is forgotten.")},
    errors=(errors.JobNotFound,),
)
def take_feedback_back(job_id: str) -> Response:
    """Take back what you said of a reply."""
    feedback.take_back(context.engine(), context.principal(), context.repository().job(job_id).id)
    return nothing()


@operation(
    method="GET",
    path="/models/{model_id}/feedback",
    tag="models",
    query=parsing.Page,
    headers=("If-None-Match",),
    replies={200: Reply("What people said, the newest first.", schemas.Listing[Feedback])},
    errors=(errors.NotFound, parsing.InvalidQuery),
)
def list_feedback(model_id: str, query: parsing.Page) -> Response:
    """Read what people think of a model version's replies, the newest first."""
    row = context.repository().model(model_id)
    page = feedback.of_model(context.engine(), context.principal(), row.id, query.cursor, query.rows)
    return listing(page, Feedback, _said)


@operation(
    method="POST",
    path="/models/{model_id}/feedback/dataset",
    tag="models",
    scope="submit",
    headers=("Prefer",),
    replies=datasets.MADE,
    errors=(errors.NotFound, errors.NothingLearnt, errors.StorageFull),
)
def make_feedback_dataset(model_id: str) -> Response:
    """Make the next version of a dataset of dialogues from what people liked and from the better answers they wrote."""
    row = context.repository().model(model_id)
    made, job = feedback.make_dataset(context.engine(), context.principal(), row.id, f"{row.name}-feedback")
    audit.info("make %s of feedback by %s, request %s", made.id, context.principal().owner, context.request_id())
    return datasets.checked(made, job)


def keep(job: Job, verdict: str, better: str) -> None:
    """Keep a verdict on a job's reply.

    Raises:
        NotAReply: It has none.
    """
    found = reply_files.of_job(job)
    model_id = str(job.params.get("model", ""))
    if found is None or not model_id:
        raise NotAReply(id=job.id)
    said = feedback.Verdict(verdict, found.question, reply_files.answer_of(found), better)
    feedback.give(context.engine(), context.principal(), job, model_id, said)


def _shown(found: replies.Reply, finished: bool) -> AssistantAnswer:
    return AssistantAnswer(
        question=found.question,
        searched=found.searched,
        kind=found.kind,
        text=found.text,
        sentences=[CitedSentence(**asdict(one)) for one in found.sentences],
        sources=[CitedSource(**{**asdict(one), "headings": list(one.headings)}) for one in found.sources],
        options=list(found.options),
        sureness=found.sureness,
        threshold=found.threshold,
        language="zh" if found.language == "zh" else "en",
        manner=found.manner,
        instead=found.instead,
        dropped=list(found.dropped),
        finished=finished,
    )


def _said(row: ReplyFeedback) -> Feedback:
    return Feedback(
        id=row.id,
        job=row.job_id,
        verdict="up" if row.verdict == "up" else "down",
        question=row.question,
        answer=row.answer,
        better=row.better,
        owner=row.owner,
        created_at=row.created_at,
    )


VIEWS = (get_reply, reply, give_feedback, take_feedback_back, list_feedback, make_feedback_dataset)
