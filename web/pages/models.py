"""Model versions: the list, and one version's page with its figures, a form to generate with it, files and lineage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from aigc_models import registry
from aigc_models.base import families_of
from jobs import catalogue, removal
from jobs.filtering import ModelFilter
from jobs.repository import JobFilter, Repository
from jobs.tables import Artifact, Job, ModelVersion
from web import cards, context, forms
from web.auth import audit, scoped
from web.pages import (
    assistant_sentences,
    chat,
    how_to,
    input_facts,
    live,
    model_library,
    names,
    recommend,
    recommendations,
    result_views,
    results,
    snippets,
)
from web.pages.states import Situation, situation

ROWS = 20
UNFINISHED = ("blocked", "queued", "running", "paused")
RECENT = 6
MAKING = ("generate", how_to.OPERATION)  # operations that the page of a model version has a form for

blueprint = Blueprint("models", __name__)


@dataclass(frozen=True, slots=True)
class Listed:
    """A model version in the list."""

    row: ModelVersion
    figure: str
    picture: Artifact | None
    aliases: Sequence[str]


@dataclass(frozen=True, slots=True)
class Made:
    """A job that used a model version, its picture, and where its settings can be used again."""

    now: Situation
    picture: Artifact | None
    again: str
    advice: recommendations.Shown | None = None


@blueprint.get("/models")
def index() -> str:
    """List model versions, the newest first; what was chosen is in the address."""
    reads = context.repository()
    chosen = {name: request.args.get(name, "").strip()[:200] for name in ("q", "family", "use", "name")}
    wanted = ModelFilter(*(chosen[name] or None for name in ("family", "use", "name", "q")))
    page = reads.models(request.args.get("cursor") or None, ROWS, wanted)
    held = reads.aliases([row.id for row in page.items])
    shown = [
        Listed(
            row, results.main_figure(row.family, row.metrics or {}), _picture(reads, row.job_id), held.get(row.id, [])
        )
        for row in page.items
    ]
    view = {"chosen": chosen, "kinds": _kinds(), "uses": _all_uses(), "filtered": any(chosen.values())}
    coming = [] if shown or view["filtered"] else _coming(reads)
    return render_template("models.html", cards=shown, older=page.next_cursor, coming=coming, **view)


def _kinds() -> list[str]:
    """Families that make model versions."""
    tasks = registry.tasks().items()
    return list(dict.fromkeys(name.partition(".")[0] for name, params in tasks if params.makes == "model"))


def _all_uses() -> list[str]:
    """What model versions can be used for."""
    operations = (name for family in _kinds() for name in registry.families()[family].operations)
    return [name for name in dict.fromkeys(operations) if name not in ("train", "evaluate")]


def _coming(reads: Repository) -> list[Job]:
    """Trainings that have not ended: each makes a model version."""
    rows = reads.jobs(JobFilter(states=UNFINISHED), limit=ROWS).items
    tasks = registry.tasks()
    return [job for job in rows if getattr(tasks.get(f"{job.family}.{job.operation}"), "makes", "") == "model"]


@blueprint.get("/models/<model_id>")
def show(model_id: str) -> str:
    """One model version."""
    reads = context.repository()
    row = reads.model(model_id)
    card = cards.of(row)
    files = results.files(reads.artifacts(row.job_id))
    uses = _uses(row.family)
    recent = _recent(reads, row)
    known = model_library.versions(reads, row)
    views = result_views.of(result_views.Results(row.job_id, row.family, row.metrics or {}, files.everything))
    last = next((one for one in recent if one.now.job.id == request.args.get("from")), None)
    return render_template(
        "model.html",
        model=row,
        job=card.job,
        card=card,
        dataset=card.dataset,
        cautions=input_facts.notes([card.dataset] if card.dataset else [], card.job.params if card.job else {}),
        said=assistant_sentences.verdict(row.metrics or {}),
        figures=results.figures(row.family, row.metrics or {}),
        family=registry.families().get(row.family),
        pictures=result_views.pictures(files.pictures, views),
        views=views,
        explained=result_views.explained(views),
        files=[file for file in files.everything if file.name.startswith("model/")],
        playground=_playground(row, uses, last.now.job.params if last else {}),
        asked=recommend.offered(row),
        chat=chat.offered(row),
        uses=[(task, names.operation_title(names.split(task)[1]), names.summary(task)) for task in uses],
        **_gallery(row, recent),
        versions=known,
        promotions=model_library.promotions(row, known),
        used=catalogue.users_of_model(reads.engine, reads.principal, row.id),
        snippets=_snippets(row, uses, last.now.job.params if last else {}),
    )


@blueprint.get("/models/<model_id>/recent")
def part(model_id: str) -> Response:
    """The gallery of what was made with it lately, if it changed."""
    reads = context.repository()
    row = reads.model(model_id)
    recent = _recent(reads, row)
    tag = live.tag_of(*((one.now.job.id, one.now.job.version, one.now.state, one.now.position) for one in recent))
    return live.part(tag, lambda: render_template("model_recent.html", model=row, **_gallery(row, recent)))


@blueprint.get("/models/<model_id>/delete")
def ask_delete(model_id: str) -> str:
    """Ask whether to delete, or say what keeps it from being deleted and what to do first."""
    reads = context.repository()
    row = reads.model(model_id)
    used = catalogue.users_of_model(reads.engine, reads.principal, row.id)
    return render_template("model_confirm.html", model=row, used=used)


@blueprint.post("/models/<model_id>/delete")
@scoped("submit")
def delete(model_id: str) -> BaseResponse:
    """Delete a model version that nothing uses."""
    row = context.repository().model(model_id)
    removal.delete_model(context.engine(), context.principal(), row.id)
    audit.info("delete %s by %s, request %s", row.id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.models.index"), 303)


def _uses(family: str) -> list[str]:
    """Tasks that work with model versions of a family, generation first."""
    found = []
    for task, params in registry.tasks().items():
        fields = params.model_json_schema()["properties"].values()
        if any(own.get("x-input") == "model" and family in families_of(own["x-kind"]) for own in fields):
            found.append(task)
    return sorted(found, key=lambda task: names.split(task)[1] not in MAKING)


def _playground(row: ModelVersion, uses: list[str], last: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The form to generate with it, with the settings of the last time."""
    task = _generation(uses)
    if task is None:
        return None
    params = registry.task(task)
    field = next(
        name for name, own in params.model_json_schema()["properties"].items() if own.get("x-input") == "model"
    )
    typed = {name: forms.to_text(value) for name, value in last.items() if name in params.model_fields}
    form = forms.build(params, {**typed, field: row.id})
    fields = [one for one in form.fields if one.name != field]
    return {
        "task": task,
        "verb": names.verb(names.split(task)[1]),
        "field": field,
        "main": sorted(
            (one for one in fields if not one.advanced or one.name == "seed"), key=lambda one: one.name == "seed"
        ),
        "more": [one for one in fields if one.advanced and one.name != "seed"],
        "key": uuid4().hex,
    }


def _generation(uses: list[str]) -> str | None:
    return next((task for task in uses if names.split(task)[1] in MAKING), None)


def _snippets(row: ModelVersion, uses: list[str], last: Mapping[str, Any]) -> list[snippets.Snippet]:
    """How to do the same from code, with what the form holds."""
    task = _generation(uses)
    asked = recommend.offered(row)
    if asked is not None:
        history = "\n".join(one.item for one in asked.found[:2])
        return snippets.model(row.id, {"history": history, "count": 10}, recommend.OPERATION)
    if chat.offered(row):
        return snippets.model(row.id, {"question": "How do I print a page?"}, chat.OPERATION)
    if task is not None and names.split(task)[1] == how_to.OPERATION:
        return snippets.submit({"task": task, "params": {"model": row.id, **_changed(task, last)}})
    if task is None or not last:
        usual = forms.defaults(registry.task(task)) if task else {}
        return snippets.model(row.id, {"count": usual.get("count", 16), "seed": 1})
    return snippets.submit({"task": task, "params": _changed(task, last)})


def _changed(task: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that differ from their defaults."""
    known = forms.defaults(registry.task(task))
    return {name: value for name, value in params.items() if known.get(name) != value}


def _recent(reads: Repository, row: ModelVersion) -> list[Made]:
    """What was made with this version lately, with a picture where there is one."""
    used = catalogue.users_of_model(reads.engine, reads.principal, row.id).jobs[:RECENT]
    return [Made(situation(job, reads), _picture(reads, job.id), _again(row, job), _advice(reads, job)) for job in used]


def _advice(reads: Repository, job: Job) -> recommendations.Shown | None:
    """The first list a job recommended."""
    done = job.operation == recommend.OPERATION and job.status == "succeeded"
    return recommendations.first(reads.artifacts(job.id, role="output")) if done else None


def _again(row: ModelVersion, job: Job) -> str:
    """Where the form of this page has a generation's settings again; other tasks have forms of their own."""
    if job.operation in MAKING:
        return url_for("pages.models.show", model_id=row.id, _anchor="generate", **names.source(job.id))
    return url_for("pages.new_job.form", task=f"{job.family}.{job.operation}", **names.source(job.id))


def _gallery(row: ModelVersion, recent: list[Made]) -> dict[str, Any]:
    """The recent results, and where to ask for news of them while some are not done."""
    moving = any(not one.now.final for one in recent)
    live_url = url_for("pages.models.part", model_id=row.id) if moving else ""
    return {"recent": recent, "live_url": live_url, "drawn": results.drawn(row.family)}


def _picture(reads: Repository, job_id: str) -> Artifact | None:
    pictures = results.files(reads.artifacts(job_id, role="output")).pictures
    return next((file for file in pictures if file.name == "samples.png"), pictures[0] if pictures else None)
