"""Datasets: the list, uploading one, and one dataset's page from its check to what used it."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from aigc_models import registry
from aigc_models.base import Fault, Params
from aigc_models.data.kinds import KINDS, Kind
from aigc_models.data.starters import STARTERS
from jobs import catalogue, removal
from jobs.errors import AigcError, Unavailable
from jobs.tables import Dataset, Job
from jobs.uploads import receive_starter, revise
from web import context, failures, rates, uploads
from web.auth import audit, scoped
from web.i18n import plural
from web.pages import (
    amounts,
    dataset_form,
    dataset_report,
    interaction_report,
    live,
    log_report,
    names,
    snippets,
    table_report,
    text_report,
)
from web.pages.states import Situation, hint, situation
from web.translate import say

ROWS = 20
USED_BY = 20
ANSWERED = ("documents", "dialogues")  # shapes of texts for an assistant
ANSWERED_BY = "assistant.train"
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
    rows = [
        (
            row,
            CHECKS[reads.dataset_state(row)],
            say(KINDS[row.kind].title) if row.kind in KINDS else row.kind,
            holds(row),
        )
        for row in page.items
    ]
    return render_template("datasets.html", rows=rows, older=page.next_cursor, starters=STARTERS.values())


@blueprint.get("/datasets/new")
def new() -> str:
    """The upload form; for the next version of a dataset with that one's words."""
    kind = dataset_form.kind_of(request.args.get("kind", ""))
    return dataset_form.page(kind, dataset_form.typed_in(kind, request.args))


@blueprint.post("/datasets/new")
@scoped("submit")
def upload() -> Response | BaseResponse:
    """Store an upload and go to its page, or say why it cannot be used; large ones have come in pieces already."""
    kind = dataset_form.kind_of(request.form.get("kind", ""))
    typed = {name: request.form.get(name, "") for name in dataset_form.ABOUT}
    posted = dataset_form.read(kind, request.form)
    typed |= dict(posted.typed)
    file, pieces = request.files.get("file"), request.form.get("upload", "")
    if not pieces and (file is None or not file.filename):
        return _refused(kind, typed, [Fault(dataset_form.NO_FILE, pointer="/file")])
    if not pieces:  # else it was counted when it began
        rates.count("uploads")
    described = uploads.Described(
        kind=kind.name if kind else "",
        name=typed["name"].strip()[:120],
        licence=typed["licence"][:120],
        notes=typed["notes"][:10_000],
        params=dict(posted.params),
        idempotency_key=request.form.get("idempotency_key") or None,
    )
    try:
        dataset, _ = uploads.finish(pieces, described) if pieces or file is None else uploads.receive(file, described)
    except (Unavailable, HTTPException):
        raise
    except AigcError as error:
        faults = error.faults or [Fault(str(error), pointer="/file", code=error.code)]
        return _refused(kind, typed, faults, error.status)
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
    return render_template("dataset.html", **_view(dataset_id), snippets=snippets.dataset(""))


@blueprint.post("/datasets/<dataset_id>/columns")
@scoped("submit")
def columns(dataset_id: str) -> BaseResponse:
    """Read a table's uploaded file again with other words about its columns, as the dataset's next version."""
    reads = context.repository()
    dataset = reads.dataset(dataset_id)
    changes = table_report.changes(dataset.report or {}, reads.job(dataset.job_id).params, request.form)
    made, _ = revise(context.engine(), context.principal(), dataset_id, changes)
    audit.info("revise %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=made.id), 303)


@blueprint.post("/datasets/<dataset_id>/hash-users")
@scoped("submit")
def hash_users(dataset_id: str) -> BaseResponse:
    """Read uploaded interactions again with users under a hash of their name, as the dataset's next version."""
    if context.repository().dataset(dataset_id).kind != "interactions":
        abort(404)
    made, _ = revise(context.engine(), context.principal(), dataset_id, {"hash_users": True})
    audit.info("revise %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=made.id), 303)


@blueprint.post("/datasets/<dataset_id>/texts")
@scoped("submit")
def texts(dataset_id: str) -> BaseResponse:
    """Read uploaded texts again: with other columns, without personal data or without copies, as the next version."""
    dataset = context.repository().dataset(dataset_id)
    if dataset.kind != "text":
        abort(404)
    changes = text_report.changes(dataset.report or {}, request.form)
    made, _ = revise(context.engine(), context.principal(), dataset_id, changes)
    audit.info("revise %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=made.id), 303)


@blueprint.post("/datasets/<dataset_id>/log")
@scoped("submit")
def log(dataset_id: str) -> BaseResponse:
    """Read an uploaded log again: with other columns, or without personal data, as the next version."""
    dataset = context.repository().dataset(dataset_id)
    if dataset.kind != "event_log":
        abort(404)
    changes = log_report.changes(dataset.report or {}, request.form)
    made, _ = revise(context.engine(), context.principal(), dataset_id, changes)
    audit.info("revise %s by %s, request %s", dataset_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=made.id), 303)


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


def _refused(kind: Kind | None, typed: Mapping[str, str], faults: list[Fault], status: int = 422) -> Response:
    page = dataset_form.page(kind, typed, faults)
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
        "table": table_report.view(dataset, reads.job(dataset.job_id), files) if dataset.kind == "table" else None,
        "events": interaction_report.view(dataset) if dataset.kind == "interactions" else None,
        "log": log_report.view(dataset) if dataset.kind == "event_log" else None,
        "texts": text_report.view(dataset, files) if dataset.kind == "text" else None,
        "versions": [(row, CHECKS[reads.dataset_state(row)], holds(row)) for row in others],
        "preview": next((file for file in files if file.name == "preview.png"), None),
        "files": files,
        "used": used,
        "users": [situation(job, reads) for job in used.jobs[:USED_BY]],
        "trainings": _trainings(dataset.kind, str(report.get("shape", ""))),
        "then": request.args.get("then", ""),
        "live_url": _live_url(dataset) if state == "checking" else "",
    }


def holds(row: Dataset) -> str:
    """How much a dataset holds: "4,454 rows"."""
    report = row.report or {}
    count = report.get("parameters", report.get("events", report.get("train", 0) + report.get("test", 0)))
    return plural(*KINDS[row.kind].counted, count) if count else "–"


def _live_url(dataset: Dataset) -> str:
    return url_for("pages.datasets.part", dataset_id=dataset.id, then=request.args.get("then"))


def _hint(state: str, check: Situation, dataset: Dataset) -> str:
    if state == "checking":
        return hint(check)
    if state == "ready":
        report: Mapping[str, Any] = dataset.report or {}
        counts = {name: count for name, count in report.items() if type(count) in (int, float)}
        known = {"train": 0, "test": 0, "events": 0, "users": 0, "items": 0, "sessions": 0, "parameters": 0} | counts
        return say(KINDS[dataset.kind].ready, {name: amounts.number(count) for name, count in known.items()})
    return say("The check found faults. Nothing of the file can be used until they are corrected.")


def _failure(job: Job) -> Mapping[str, Any]:
    stored = job.failure or {"code": "internal"}
    title, detail, _ = failures.describe(stored)
    faults = [(say(one.message, one.values), one.where.get("file", "")) for one in failures.faults(stored)]
    return {"title": title, "detail": detail, "faults": faults, "code": failures.slug(str(stored.get("code")))}


def _trainings(kind: str, shape: str) -> list[tuple[str, str, str, str]]:
    """Tasks that learn from datasets of a kind: task, setting, title, summary; what fits its shape best comes first."""

    def takes(params: type[Params]) -> str:
        inputs = params.model_json_schema()["properties"].items() if params.makes == "model" else ()
        fitting = (name for name, own in inputs if own.get("x-input") == "dataset" and own.get("x-kind") == kind)
        return next(fitting, "")

    found = {task: field for task, params in registry.tasks().items() if (field := takes(params))}
    return [
        (task, found[task], names.family_title(names.split(task)[0]), names.summary(task))
        for task in sorted(found, key=_fitting(shape))
    ]


def _fitting(shape: str) -> Callable[[str], bool]:
    """Help pages and dialogues are to be answered from before they are to be imitated; tables go to a table VAE."""
    first = ANSWERED_BY if shape in ANSWERED else "table_vae.train"
    return lambda task: task != first
