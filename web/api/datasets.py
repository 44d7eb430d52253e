"""Datasets: upload or take a starter, look, preview, delete."""

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, RootModel

from aigc_models.base import Fault
from aigc_models.data.starters import STARTERS
from jobs import catalogue, errors, removal, tables
from jobs import uploads as engine_uploads
from web import context, failures, fetched, library_facts, rates, schemas, uploads
from web.api import artifacts, parsing, shapes
from web.api.render import answer, api, listing, nothing, tagged
from web.api.routing import JSON, Reply, operation
from web.auth import audit
from web.problems import DatasetRefused, MalformedJson, RangeNotSatisfiable, WrongMediaType, not_found
from web.waiting import watch

MULTIPART = "multipart/form-data"
DEFAULT_WAIT = 20.0
PREVIEWS = ("preview.png", "preview.json")  # a picture, or the first rows of a table or of texts
FIELDS = frozenset({"kind", "name", "licence", "notes", "params"})
KIND_CHOICE = fetched.KIND_CHOICE
MADE_HEADERS = {"Location": "Address of the dataset.", "Preference-Applied": "Present when the check has ended."}


MADE = {
    201: Reply("The dataset is ready.", schemas.Dataset, headers=MADE_HEADERS),
    202: Reply("The dataset is still being checked.", schemas.Dataset, headers=MADE_HEADERS),
}
MADE_ERRORS = (
    errors.EmptyFile,
    errors.UnsupportedFile,
    errors.FileTooLarge,
    errors.StorageFull,
    errors.InvalidParams,
    errors.IdempotencyKeyReused,
    MalformedJson,
    WrongMediaType,
)


class StarterChoice(BaseModel):
    """One of the datasets that come with the software."""

    model_config = ConfigDict(extra="forbid")

    starter: str = Field(title="Starter", description="Its name, such as fashion-mnist.", max_length=64)


class DatasetSource(RootModel[StarterChoice | fetched.DatasetFromUrl]):
    """One of the datasets that come with the software, or a file at an address."""


class DatasetUpload(BaseModel):
    """A file, with what should be known about it."""

    model_config = ConfigDict(extra="forbid")

    file: bytes = Field(description="The file.", json_schema_extra={"format": "binary"})
    kind: str = Field("", description=KIND_CHOICE, max_length=16, pattern=parsing.NO_NUL)
    name: str = Field("", description="What the dataset is called.", max_length=120, pattern=parsing.NO_NUL)
    licence: str = Field("", description="Licence of the data.", max_length=120, pattern=parsing.NO_NUL)
    notes: str = Field("", description="Where it is from, what to know.", max_length=10_000, pattern=parsing.NO_NUL)
    params: str = Field("", description="Settings of the import, as JSON text.", max_length=50_000)


class ImportParams(BaseModel):
    """Settings of the import; which ones there are is checked by the import's own class."""

    model_config = ConfigDict(extra="allow")


class DatasetRevision(BaseModel):
    """What is to be read in another way."""

    model_config = ConfigDict(extra="forbid")

    params: ImportParams = Field(
        default_factory=ImportParams, title="Params", description="Settings of the import that change."
    )


class DatasetQuery(parsing.Page):
    """Which datasets."""

    kind: parsing.Text | None = Field(None, max_length=16, description="Only datasets of this kind, such as images.")
    name: parsing.Text | None = Field(None, max_length=120, description="Only versions of this name.")
    ready: parsing.Flag = Field(False, description="Only datasets that can be used.")


class DatasetChange(BaseModel):
    """What is to be written anew; what is left out stays. What a dataset is made of never changes."""

    model_config = ConfigDict(extra="forbid")

    licence: str | None = Field(
        None, title="Licence", description="Licence of the data.", max_length=120, pattern=parsing.NO_NUL
    )
    notes: str | None = Field(
        None, title="Notes", description="Where it is from, what to know.", max_length=10_000, pattern=parsing.NO_NUL
    )


class MissingFile(errors.InvalidParams):
    """The form holds no file. Send one part called file."""

    code, title = "file-missing", "There is no file"


@operation(
    method="POST",
    path="/datasets",
    tag="datasets",
    scope="submit",
    forms={MULTIPART: DatasetUpload, JSON: DatasetSource},
    headers=("Idempotency-Key", "Prefer"),
    replies=MADE,
    errors=MADE_ERRORS,
)
def create_dataset() -> Response:
    """Upload a file, take one of the starters by name, or have a file fetched from an address.

    The reply waits for the check, 20 seconds unless `Prefer: wait=N` says otherwise. A refused
    file is 422 with every fault and its place; nothing of it can be used. Addresses are switched off until the
    operator lists hosts.
    """
    rates.count("uploads")
    if request.mimetype == JSON:
        dataset, job = _from_json()
    elif request.mimetype == MULTIPART:
        dataset, job = _from_form()
    else:
        raise WrongMediaType(wanted=f"{MULTIPART} or {JSON}", found=request.mimetype or "nothing")
    return checked(dataset, job)


def _from_json() -> tuple[tables.Dataset, tables.Job]:
    """What the JSON names: a starter, or an address."""
    sent = request.get_json(silent=True)
    if isinstance(sent, dict) and "url" in sent:
        return fetched.receive(parsing.body(fetched.DatasetFromUrl))
    return _from_starter(parsing.body(StarterChoice))


def _from_starter(choice: StarterChoice) -> tuple[tables.Dataset, tables.Job]:
    if choice.starter not in STARTERS:
        known = {"name": choice.starter, "names": ", ".join(STARTERS)}
        fault = Fault("There is no starter called {name}. The starters are: {names}.", known, "/starter")
        raise errors.InvalidParams(faults=[fault])
    return engine_uploads.receive_starter(context.engine(), context.principal(), choice.starter)


def _from_form() -> tuple[tables.Dataset, tables.Job]:
    typed = _form_fields()
    params = _import_params(typed.get("params", ""))
    described = uploads.Described(
        kind=typed.get("kind", "").strip(),
        name=typed.get("name", "").strip(),
        licence=typed.get("licence", ""),
        notes=typed.get("notes", ""),
        params=params.model_dump(),
        idempotency_key=parsing.idempotency_key(),
    )
    with parsing.pointing_into_params():
        return uploads.receive(request.files["file"], described)


def _import_params(text: str) -> ImportParams:
    try:
        return parsing.parsed(text or "{}", ImportParams)
    except MalformedJson as error:
        raise errors.InvalidParams(faults=[Fault(error.message, error.values, "/params")]) from None


def _form_fields() -> dict[str, str]:
    """The text fields of the form.

    Raises:
        InvalidParams: One is unknown, sent twice or too long, or there is not exactly one file.
    """
    parsing.refuse_unknown({*request.form, *request.files} - {"file"}, FIELDS)
    if len(request.files.getlist("file")) != 1 or not request.files["file"].filename:
        raise MissingFile(faults=[Fault(MissingFile.__doc__ or "", pointer="/file")])
    return parsing.form_fields(request.form, DatasetUpload)


def checked(dataset: tables.Dataset, job: tables.Job) -> Response:
    """Wait for the check and tell how it ended."""
    shared = context.process()
    seconds = parsing.wait_seconds(DEFAULT_WAIT)
    with shared.waits.hold() as taken:
        if taken and seconds > 0:
            watch(shared.engine, job.id, lambda seen: seen.final or shared.stopping(), seconds)
    reads = context.repository()
    dataset, job = reads.dataset(dataset.id), reads.job(job.id)
    state = reads.dataset_state(dataset)
    if state == "refused":
        failure = job.failure or {"code": "internal"}
        code = failures.slug(str(failure.get("code")))
        raise DatasetRefused(code, failures.faults(failure), dataset=dataset.id, job=job.id)
    reply = answer(shapes.dataset(dataset, state, job), 201 if state == "ready" else 202)
    reply.headers["Location"] = api(f"/datasets/{dataset.id}")
    if state == "ready":
        reply.headers["Preference-Applied"] = f"wait={seconds:g}"
    else:
        reply.headers["Retry-After"] = "1"
    return reply


@operation(
    method="GET",
    path="/datasets",
    tag="datasets",
    query=DatasetQuery,
    headers=("If-None-Match",),
    replies={200: Reply("Datasets, the newest first.", schemas.Listing[schemas.Dataset])},
    errors=(parsing.InvalidQuery,),
)
def list_datasets(query: DatasetQuery) -> Response:
    """List datasets, the newest first."""
    reads = context.repository()
    page = reads.datasets(query.cursor, query.rows, kind=query.kind, ready_only=query.ready, name=query.name)
    return listing(page, schemas.Dataset, _shown)


def _shown(row: tables.Dataset) -> schemas.Dataset:
    reads = context.repository()
    state = reads.dataset_state(row)
    return shapes.dataset(row, state, reads.job(row.job_id) if state == "refused" else None)


@operation(
    method="GET",
    path="/datasets/{dataset_id}",
    tag="datasets",
    headers=("If-None-Match",),
    replies={200: Reply("The dataset.", schemas.Dataset)},
    errors=(errors.NotFound,),
)
def get_dataset(dataset_id: str) -> Response:
    """Look at a dataset. Instead of an id, a name means its newest version that is ready."""
    return _tagged(context.repository().dataset(dataset_id))


def _tagged(row: tables.Dataset) -> Response:
    return tagged(answer(_shown(row)), catalogue.mark(row))


@operation(
    method="PATCH",
    path="/datasets/{dataset_id}",
    tag="datasets",
    scope="submit",
    headers=("If-Match",),
    body=DatasetChange,
    replies={200: Reply("The dataset.", schemas.Dataset)},
    errors=(errors.NotFound, errors.InvalidParams, errors.VersionMismatch, MalformedJson, WrongMediaType),
)
def change_dataset(dataset_id: str, body: DatasetChange) -> Response:
    """Write a dataset's licence or notes anew.

    With `If-Match`, only if nobody else changed them since that ETag.
    """
    changes = body.model_dump(exclude_none=True)
    catalogue.describe_dataset(context.engine(), context.principal(), dataset_id, changes, parsing.seen_marks())
    audit.info("change %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return _tagged(context.repository().dataset(dataset_id))


@operation(
    method="GET",
    path="/datasets/{dataset_id}/used-by",
    tag="datasets",
    headers=("If-None-Match",),
    replies={200: Reply("What uses it.", library_facts.Users)},
    errors=(errors.NotFound,),
)
def get_dataset_users(dataset_id: str) -> Response:
    """See which jobs and model versions use this version of a dataset."""
    row = context.repository().dataset(dataset_id)
    found = catalogue.users_of_dataset(context.engine(), context.principal(), row.id)
    return tagged(answer(shapes.users(found)))


@operation(
    method="DELETE",
    path="/datasets/{dataset_id}/source",
    tag="datasets",
    scope="submit",
    replies={204: Reply("The uploaded file is deleted; the dataset stays.")},
    errors=(errors.NotFound, errors.DatasetNotReady),
)
def delete_source(dataset_id: str) -> Response:
    """Delete the uploaded file of a dataset that is ready, with the metadata in it; jobs do not need it."""
    catalogue.drop_source(context.engine(), context.principal(), dataset_id)
    audit.info("delete source of %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return nothing()


@operation(
    method="GET",
    path="/datasets/{dataset_id}/report",
    tag="datasets",
    headers=("If-None-Match",),
    replies={200: Reply("What the check found.", schemas.DatasetReport)},
    errors=(errors.NotFound,),
)
def get_report(dataset_id: str) -> Response:
    """Read what the check found: counts, sizes, classes, warnings."""
    return tagged(answer(schemas.DatasetReport(shapes.report(context.repository().dataset(dataset_id)))))


@operation(
    method="GET",
    path="/datasets/{dataset_id}/preview",
    tag="datasets",
    headers=("If-None-Match", "Range"),
    replies={
        200: Reply(
            "A picture of some of the data, or the first rows of a table or of texts.", media=("image/png", JSON)
        ),
        206: Reply("A part of it.", media=("image/png", JSON)),
    },
    errors=(errors.NotFound, RangeNotSatisfiable),
)
def get_preview(dataset_id: str) -> Response:
    """See some of the data; 404 until the check has made a preview.

    That is a picture, and of a table or of texts JSON with `columns`, their names, and `rows`, the cells of the first
    rows as they are written in the file; of texts `texts`, too, the first ones with their parts.
    """
    row = context.repository().dataset(dataset_id)
    for file in context.repository().artifacts(row.job_id, role="output"):
        if file.name in PREVIEWS:
            artifacts.check_wanted(file)
            return artifacts.content(file)
    raise not_found("preview", dataset_id)


@operation(
    method="POST",
    path="/datasets/{dataset_id}/versions",
    tag="datasets",
    scope="submit",
    headers=("Prefer",),
    body=DatasetRevision,
    replies=MADE,
    errors=(errors.NotFound, errors.SourceDeleted, errors.InvalidParams, MalformedJson, WrongMediaType),
)
def create_version(dataset_id: str, body: DatasetRevision) -> Response:
    """Read the uploaded file of a dataset again with other settings, as its next version.

    Settings that are left out stay as they were. The reply waits for the check, as that to an upload does.
    """
    with parsing.pointing_into_params():
        made = engine_uploads.revise(context.engine(), context.principal(), dataset_id, body.params.model_dump())
    audit.info("revise %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return checked(*made)


@operation(
    method="DELETE",
    path="/datasets/{dataset_id}",
    tag="datasets",
    scope="submit",
    replies={204: Reply("The dataset and its files are deleted.")},
    errors=(errors.NotFound, errors.DatasetInUse, errors.JobStillRunning),
)
def delete_dataset(dataset_id: str) -> Response:
    """Delete a dataset that no job and no model uses."""
    removal.delete_dataset(context.engine(), context.principal(), dataset_id)
    audit.info("delete %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return nothing()


VIEWS = (
    create_dataset, list_datasets, get_dataset, change_dataset, get_dataset_users, delete_source, get_report,
    get_preview, create_version, delete_dataset,
)  # fmt: skip
