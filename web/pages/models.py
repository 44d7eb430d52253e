"""Model versions: the list, and one version's page with its figures, a form to generate with it, files and lineage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from aigc_models import registry
from jobs import removal
from jobs.errors import NotFound
from jobs.repository import Repository
from jobs.tables import Artifact, Dataset, Job, ModelVersion
from web import context, forms
from web.auth import audit, scoped
from web.pages import names, results, snippets
from web.pages.states import situation

ROWS = 20
RECENT = 6

blueprint = Blueprint("models", __name__)


@dataclass(frozen=True, slots=True)
class Card:
    """A model version in the list."""

    row: ModelVersion
    figure: str
    picture: Artifact | None


@blueprint.get("/models")
def index() -> str:
    """List model versions, the newest first."""
    reads = context.repository()
    page = reads.models(request.args.get("cursor") or None, ROWS)
    cards = [
        Card(row, results.main_figure(row.family, row.metrics or {}), _picture(reads, row.job_id)) for row in page.items
    ]
    return render_template("models.html", cards=cards, older=page.next_cursor)


@blueprint.get("/models/<model_id>")
def show(model_id: str) -> str:
    """One model version."""
    reads = context.repository()
    row = reads.model(model_id)
    job = reads.job(row.job_id)
    files = results.files(reads.artifacts(row.job_id))
    uses = _uses(row.family)
    return render_template(
        "model.html",
        model=row,
        job=job,
        dataset=_dataset(reads, row),
        figures=results.figures(row.family, row.metrics or {}),
        family=registry.families().get(row.family),
        pictures=files.pictures,
        files=[file for file in files.everything if file.name.startswith("model/")],
        playground=_playground(row, uses),
        uses=[(task, names.operation_title(names.split(task)[1]), names.summary(task)) for task in uses],
        recent=_recent(reads, job, row),
        snippets=snippets.model(row.id, {"count": 16, "seed": 1}),
    )


@blueprint.get("/models/<model_id>/delete")
def ask_delete(model_id: str) -> str:
    """Ask whether to delete."""
    return render_template("model_confirm.html", model=context.repository().model(model_id))


@blueprint.post("/models/<model_id>/delete")
@scoped("submit")
def delete(model_id: str) -> BaseResponse:
    """Delete a model version that nothing uses."""
    removal.delete_model(context.engine(), context.principal(), model_id)
    audit.info("delete %s by %s, request %s", model_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.models.index"), 303)


def _uses(family: str) -> list[str]:
    """Tasks that work with model versions of a family, generation first."""
    found = []
    for task, params in registry.tasks().items():
        fields = params.model_json_schema()["properties"].values()
        if any(own.get("x-input") == "model" and own.get("x-kind") == family for own in fields):
            found.append(task)
    return sorted(found, key=lambda task: not task.endswith(".generate"))


def _playground(row: ModelVersion, uses: list[str]) -> Mapping[str, Any] | None:
    task = next((task for task in uses if task.endswith(".generate")), None)
    if task is None:
        return None
    params = registry.task(task)
    field = next(
        name for name, own in params.model_json_schema()["properties"].items() if own.get("x-input") == "model"
    )
    form = forms.build(params, {field: row.id})
    fields = [one for one in form.fields if one.name != field]
    return {
        "task": task,
        "field": field,
        "main": sorted(
            (one for one in fields if not one.advanced or one.name == "seed"), key=lambda one: one.name == "seed"
        ),
        "more": [one for one in fields if one.advanced and one.name != "seed"],
        "key": uuid4().hex,
    }


def _recent(reads: Repository, job: Job, row: ModelVersion) -> list[tuple[Any, Artifact | None]]:
    """What was made with this version lately, with a picture where there is one."""
    children = [child for child in reads.children(job.id) if row.id in child.params.values()][:RECENT]
    return [(situation(child, reads), _picture(reads, child.id)) for child in children]


def _picture(reads: Repository, job_id: str) -> Artifact | None:
    pictures = results.files(reads.artifacts(job_id, role="output")).pictures
    return next((file for file in pictures if file.name == "samples.png"), pictures[0] if pictures else None)


def _dataset(reads: Repository, row: ModelVersion) -> Dataset | None:
    if row.dataset_id is None:
        return None
    try:
        return reads.dataset(row.dataset_id)
    except NotFound:
        return None
