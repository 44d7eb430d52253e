"""Datasets: the list, uploading one, and one dataset's page from its check to what used it."""

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from aigc_models import registry
from aigc_models.base import Fault, Params
from aigc_models.data.starters import STARTERS
from jobs import catalogue, removal
from jobs.errors import AigcError, Unavailable
from jobs.naming import slug
from jobs.tables import Dataset, Job
from jobs.uploads import receive_starter
from web import context, failures, forms, rates, uploads
from web.auth import audit, scoped
from web.pages import amounts, dataset_report, live, names, snippets
from web.pages.states import Situation, hint, situation
from web.translate import say

ROWS = 20
USED_BY = 20
PIECE = 8 * 2**20  # larger files are sent in pieces of this size
IMPORT = "dataset.import_images"
NO_FILE = "Choose a file first."
CHECKS: Mapping[str, tuple[str, str, str]] = {
    "checking": ("Checking", "◷", "wait"),
    "ready": ("Ready", "✓", "ok"),
    "refused": ("Refused", "✕", "bad"),
}

blueprint = Blueprint("datasets", __name__)


@blueprint.get("/datasets")
def index() -> str:
    """List datasets, the newest first."""
    reads = context.repository()
    page = reads.datasets(request.args.get("cursor") or None, ROWS)
    rows = [(row, CHECKS[reads.dataset_state(row)]) for row in page.items]
    return render_template("datasets.html", rows=rows, older=page.next_cursor, starters=STARTERS.values())


@blueprint.get("/datasets/new")
def new() -> str:
    """The upload form; for the next version of a dataset with that one's words."""
    return _form({name: request.args.get(name, "")[:120] for name in ("name", "licence")}, ())


@blueprint.post("/datasets/new")
@scoped("submit")
def upload() -> Response | BaseResponse:
    """Store an upload and go to its page, or say why it cannot be used; large ones have come in pieces already."""
    typed = {name: request.form.get(name, "") for name in ("name", "licence", "notes")}
    posted = forms.read(registry.task(IMPORT), request.form)
    file, pieces = request.files.get("file"), request.form.get("upload", "")
    if not pieces and (file is None or not file.filename):
        return _refused(typed | dict(posted.typed), [Fault(NO_FILE, pointer="/file")])
    if not pieces:  # else it was counted when it began
        rates.count("uploads")
    described = uploads.Described(
        name=typed["name"].strip()[:120],
        licence=typed["licence"][:120],
        notes=typed["notes"][:10_000],
        params=dict(posted.params),
        idempotency_key=request.form.get("idempotency_key") or None,
    )
    return _stored(pieces or file, described, typed | dict(posted.typed))


def _stored(
    sent: FileStorage | str | None, described: uploads.Described, typed: Mapping[str, str]
) -> Response | BaseResponse:
    try:
        if isinstance(sent, FileStorage):
            dataset, _ = uploads.receive(sent, described)
        else:
            dataset, _ = uploads.finish(sent or "", described)
    except (Unavailable, HTTPException):
        raise
    except AigcError as error:
        return _refused(typed, error.faults or [Fault(str(error), pointer="/file", code=error.code)], error.status)
    return redirect(url_for("pages.datasets.show", dataset_id=dataset.id), 303)


@blueprint.post("/datasets/starter/<name>")
@scoped("submit")
def starter(name: str) -> BaseResponse:
    """Register a bundled dataset; one that is there already is shown."""
    dataset, _ = receive_starter(context.engine(), context.principal(), name)
    return redirect(url_for("pages.datasets.show", dataset_id=dataset.id), 303)


@blueprint.get("/datasets/<dataset_id>")
def show(dataset_id: str) -> str:
    """One dataset."""
    return render_template("dataset.html", **_view(dataset_id), snippets=snippets.dataset())


@blueprint.get("/datasets/<dataset_id>/live")
def part(dataset_id: str) -> Response:
    """What moves while it is checked."""
    reads = context.repository()
    dataset = reads.dataset(dataset_id)
    check = situation(reads.job(dataset.job_id), reads)
    tag = live.tag_of(check.job.version, check.state, check.position)
    return live.part(tag, lambda: render_template("dataset_live.html", **_view(dataset_id)))


@blueprint.get("/datasets/<dataset_id>/delete")
def ask_delete(dataset_id: str) -> str:
    """Ask whether to delete, or say what keeps it from being deleted and what to do first."""
    dataset = context.repository().dataset(dataset_id)
    used = catalogue.users_of_dataset(context.engine(), context.principal(), dataset.id)
    return render_template("dataset_confirm.html", dataset=dataset, used=used)


@blueprint.post("/datasets/<dataset_id>/delete")
@scoped("submit")
def delete(dataset_id: str) -> BaseResponse:
    """Delete a dataset that nothing uses."""
    removal.delete_dataset(context.engine(), context.principal(), dataset_id)
    audit.info("delete %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.index"), 303)


@blueprint.post("/datasets/<dataset_id>/about")
@scoped("submit")
def describe(dataset_id: str) -> BaseResponse:
    """Write licence and notes anew."""
    changes = {"licence": request.form.get("licence", "")[:120], "notes": request.form.get("notes", "")[:10_000]}
    catalogue.describe_dataset(context.engine(), context.principal(), dataset_id, changes)
    audit.info("change %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=dataset_id, _anchor="about"), 303)


@blueprint.get("/datasets/<dataset_id>/source/delete")
def ask_drop(dataset_id: str) -> str:
    """Ask whether to delete the uploaded file."""
    return render_template("source_confirm.html", dataset=context.repository().dataset(dataset_id))


@blueprint.post("/datasets/<dataset_id>/source/delete")
@scoped("submit")
def drop(dataset_id: str) -> BaseResponse:
    """Delete the uploaded file; the dataset stays."""
    catalogue.drop_source(context.engine(), context.principal(), dataset_id)
    audit.info("delete source of %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=dataset_id, _anchor="report"), 303)


def _form(typed: Mapping[str, str], faults: list[Fault] | tuple[Fault, ...]) -> str:
    params = registry.task(IMPORT)
    return render_template(
        "dataset_new.html",
        form=forms.build(params, typed, faults=faults),
        typed=typed,
        limit=amounts.size(context.settings().max_upload),
        piece=PIECE,
        starters=STARTERS.values(),
        next_number=_next_number(typed.get("name", "")),
        file_faults=[say(fault.message, fault.values) for fault in faults if fault.pointer in ("", "/file")],
        snippets=snippets.dataset(),
    )


def _next_number(name: str) -> int:
    """Which version an upload under a name would be; 0 where it would be the first."""
    if not name.strip():
        return 0
    known = catalogue.versions(context.engine(), context.principal(), Dataset, slug(name))
    return known[0].number + 1 if known else 0


def _refused(typed: Mapping[str, str], faults: list[Fault], status: int = 422) -> Response:
    page = _form(typed, faults)
    return Response(page, status=status, content_type="text/html; charset=utf-8")


def _view(dataset_id: str) -> dict[str, Any]:
    reads = context.repository()
    dataset = reads.dataset(dataset_id)
    check = situation(reads.job(dataset.job_id), reads)
    state = reads.dataset_state(dataset)
    files = reads.artifacts(dataset.job_id, role="output")
    report = dataset.report or {}
    rows = dataset_report.classes(report)
    used = catalogue.users_of_dataset(context.engine(), context.principal(), dataset.id)
    others = catalogue.versions(context.engine(), context.principal(), Dataset, dataset.name)
    return {
        "dataset": dataset,
        "state": state,
        "look": CHECKS[state],
        "check": check,
        "hint": _hint(state, check, dataset),
        "failure": _failure(check.job) if state == "refused" else None,
        "report": report,
        "classes": rows,
        "balance": dataset_report.balance(rows),
        "strips": dataset_report.strips(report, files, dataset.name),
        "metadata": dataset_report.metadata(report),
        "formats": dataset_report.kinds(report.get("source_formats")),
        "colours": dataset_report.kinds(report.get("source_colours"), dataset_report.COLOURS),
        "sizes": dataset_report.kinds(report.get("source_sizes")),
        "versions": [(row, CHECKS[reads.dataset_state(row)]) for row in others],
        "preview": next((file for file in files if file.name == "preview.png"), None),
        "files": files,
        "used": used,
        "users": [situation(job, reads) for job in used.jobs[:USED_BY]],
        "trainings": _trainings(dataset.kind),
        "then": request.args.get("then", ""),
        "live_url": _live_url(dataset) if state == "checking" else "",
    }


def _live_url(dataset: Dataset) -> str:
    return url_for("pages.datasets.part", dataset_id=dataset.id, then=request.args.get("then"))


def _hint(state: str, check: Situation, dataset: Dataset) -> str:
    if state == "checking":
        return hint(check)
    if state == "ready":
        values = {
            "train": amounts.number(dataset.report.get("train", 0)),
            "test": amounts.number(dataset.report.get("test", 0)),
        }
        return say("{train} images to learn from, {test} kept for testing.", values)
    return say("The check found faults. Nothing of the file can be used until they are corrected.")


def _failure(job: Job) -> Mapping[str, Any]:
    stored = job.failure or {"code": "internal"}
    title, detail, _ = failures.describe(stored)
    faults = [(say(one.message, one.values), one.where.get("file", "")) for one in failures.faults(stored)]
    return {"title": title, "detail": detail, "faults": faults, "code": failures.slug(str(stored.get("code")))}


def _trainings(kind: str) -> list[tuple[str, str, str]]:
    """Tasks that learn from datasets of a kind: task, title, summary."""

    def learns(params: type[Params]) -> bool:
        inputs = params.model_json_schema()["properties"].values()
        return params.makes == "model" and any(
            own.get("x-input") == "dataset" and own.get("x-kind") == kind for own in inputs
        )

    return [
        (task, names.family_title(names.split(task)[0]), names.summary(task))
        for task, params in registry.tasks().items()
        if learns(params)
    ]
