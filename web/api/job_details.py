"""What people call a job: change its name, tags and notes."""

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from jobs import details, errors
from jobs.naming import LONGEST
from web import context, schemas
from web.api import parsing
from web.api.jobs import AT_MOST_TAGS, JOB_HEADERS, Tag, job_reply
from web.api.routing import Reply, operation
from web.problems import MalformedJson, WrongMediaType


class JobChange(BaseModel):
    """What to change; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        default_factory=str,
        title="Name",
        description="What the job and the model version it makes are called.",
        min_length=1,
        max_length=LONGEST,
        pattern=parsing.NO_NUL,
    )
    tags: list[Tag] = Field(
        default_factory=list,
        title="Tags",
        description="Words that the job is found by; they replace all it has.",
        json_schema_extra=AT_MOST_TAGS,
    )
    notes: str = Field(
        default_factory=str,
        title="Notes",
        description="What people should know about the job.",
        max_length=details.LONGEST_NOTES,
        pattern=parsing.NO_NUL,
    )


@operation(
    method="PATCH",
    path="/jobs/{job_id}",
    tag="jobs",
    scope="submit",
    headers=("If-Match",),
    body=JobChange,
    replies={200: Reply("The job as it is now.", schemas.Job, headers=JOB_HEADERS)},
    errors=(errors.JobNotFound, errors.InvalidParams, errors.VersionMismatch, MalformedJson, WrongMediaType),
)
def change_job(job_id: str, body: JobChange) -> Response:
    """Change a job's name, tags or notes, in any state; what is left out stays as it is.

    With `If-Match`, only if nobody else changed them since that ETag.
    """
    said = details.Details(**body.model_dump(exclude_unset=True))
    return job_reply(details.change(context.engine(), context.principal(), job_id, said, parsing.seen_marks()))


VIEWS = (change_job,)
