"""Dialogues that a job made of documents, as a dataset."""

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from jobs import errors, simulated
from web import context
from web.api import datasets, parsing
from web.api.routing import operation
from web.auth import audit
from web.problems import MalformedJson, WrongMediaType, not_found


class DialoguesDataset(BaseModel):
    """What the dataset is to be called."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(
        "",
        title="Name",
        description="Its name; that of the documents and -simulated if left out.",
        max_length=120,
        pattern=parsing.NO_NUL,
    )


@operation(
    method="POST",
    path="/jobs/{job_id}/dataset",
    tag="jobs",
    scope="submit",
    body=DialoguesDataset,
    headers=("Prefer",),
    replies=datasets.MADE,
    errors=(errors.JobNotFound, errors.StorageFull, errors.InvalidParams, MalformedJson, WrongMediaType),
)
def make_dialogues_dataset(job_id: str, body: DialoguesDataset) -> Response:
    """Make a dataset of the dialogues that a job simulated; its notes say so. 404 where the job made none."""
    job = context.repository().job(job_id)
    made = simulated.make_dataset(context.engine(), context.principal(), job, body.name.strip())
    if made is None:
        raise not_found("file of dialogues", job_id)
    audit.info("make %s of %s by %s, request %s", made[0].id, job.id, context.principal().owner, context.request_id())
    return datasets.checked(*made)


VIEWS = (make_dialogues_dataset,)
