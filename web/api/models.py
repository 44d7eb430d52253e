"""Model versions: look, and generate with them."""

from dataclasses import replace

from flask import Response
from pydantic import Field

from aigc_models import registry
from jobs import aliases, catalogue, errors, removal, tables
from jobs.filtering import ModelFilter
from jobs.submit import Submission
from web import context, schemas
from web.api import jobs, parsing, shapes
from web.api.render import answer, listing, nothing, tagged
from web.api.routing import Reply, operation
from web.auth import audit


class GenerateNew(jobs.Work):
    """Settings of a generation; the model version is the one in the address."""


class ModelQuery(parsing.Page):
    """Which model versions."""

    family: parsing.Text | None = Field(None, max_length=64, description="Only versions of this family.")
    operation: parsing.Text | None = Field(
        None, max_length=64, description="Only versions that can do this: generate, recommend, reply, ..."
    )
    name: parsing.Text | None = Field(None, max_length=120, description="Only versions of this name.")
    q: parsing.Text | None = Field(None, max_length=200, description="Only versions whose name or id has this text.")


class CannotGenerate(errors.AigcError):
    """The family {family} has no operation that generates. Its operations are: {operations}."""

    code, status, title = "cannot-generate", 409, "This model cannot generate"


@operation(
    method="GET",
    path="/models",
    tag="models",
    query=ModelQuery,
    headers=("If-None-Match",),
    replies={200: Reply("Model versions, the newest first.", schemas.Listing[schemas.Model])},
    errors=(parsing.InvalidQuery,),
)
def list_models(query: ModelQuery) -> Response:
    """List model versions, the newest first."""
    wanted = ModelFilter(query.family, query.operation, query.name, query.q)
    page = context.repository().models(query.cursor, query.rows, wanted)
    return listing(page, schemas.Model, shown)


@operation(
    method="GET",
    path="/models/{model_id}",
    tag="models",
    headers=("If-None-Match",),
    replies={200: Reply("The model version.", schemas.Model)},
    errors=(errors.NotFound,),
)
def get_model(model_id: str) -> Response:
    """Look at a model version: its figures, card, files and lineage.

    Instead of an id, `name@production` means what the alias stands for, and a name alone its newest version.
    """
    return tagged_model(context.repository().model(model_id))


def tagged_model(row: tables.ModelVersion) -> Response:
    """A model version with its ETag."""
    return tagged(answer(shown(row)), catalogue.mark(row))


def shown(row: tables.ModelVersion) -> schemas.Model:
    """A model version as the API shows it."""
    reads = context.repository()
    files = [file for file in reads.artifacts(row.job_id, role="output") if file.name.startswith("model/")]
    return shapes.model(row, files, reads.aliases([row.id]).get(row.id, []))


@operation(
    method="POST",
    path="/models/{model_id}/generate",
    tag="models",
    scope="submit",
    query=jobs.ValidateOnly,
    body=GenerateNew,
    headers=("Idempotency-Key", "Prefer", "Cancel-After"),
    replies={
        202: Reply("The job is queued.", schemas.Job, headers=jobs.NEW_JOB_HEADERS),
        200: Reply(
            "The job ended while the request waited, or the settings were checked.",
            schemas.JobOrDraft,
            headers=jobs.NEW_JOB_HEADERS,
        ),
    },
    errors=(*jobs.NEW_JOB_ERRORS, CannotGenerate),
)
def generate(model_id: str, query: jobs.ValidateOnly, body: GenerateNew) -> Response:
    """Generate with a model version: a job, by the same rules as any other."""
    row = context.repository().model(model_id)
    submission = with_model(row, jobs.new_submission(f"{row.family}.generate", body))
    return jobs.draft(submission) if query.validate_only else jobs.create(submission)


def with_model(row: tables.ModelVersion, submission: Submission) -> Submission:
    """The submission with the model version in its place."""
    params = registry.tasks().get(submission.task)
    name = shapes.input_field(params, "model") if params is not None else None
    if name is None:
        raise CannotGenerate(family=row.family, operations=", ".join(registry.families()[row.family].operations))
    return replace(submission, params={**submission.params, name: row.id})


@operation(
    method="DELETE",
    path="/models/{model_id}",
    tag="models",
    scope="submit",
    replies={204: Reply("The model version, its training and its files are deleted.")},
    errors=(errors.NotFound, errors.ModelInUse, errors.ModelHasAlias),
)
def delete_model(model_id: str) -> Response:
    """Delete a model version that no job reads and no alias stands for, with the job that trained it.

    Its name alone deletes nothing, as it means another version tomorrow.
    """
    meant = context.repository().model(model_id).id if aliases.SIGN in model_id else model_id
    removal.delete_model(context.engine(), context.principal(), meant)
    audit.info("delete %s by %s, request %s", meant, context.principal().owner, context.request_id())
    return nothing()


VIEWS = (list_models, get_model, generate, delete_model)
