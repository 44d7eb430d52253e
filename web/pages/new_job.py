"""New jobs: pick a task, fill in the form made from its schema, start; also from an earlier job's settings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from aigc_models import registry
from aigc_models.base import Estimate, Fault, Params
from aigc_models.faults import decode_text
from jobs import durations
from jobs.errors import AigcError, InvalidParams
from jobs.repository import JobFilter, Repository
from jobs.submit import BAD_LIMIT, Submission, submit, validate
from jobs.tables import ModelVersion
from web import context, forms
from web.auth import scoped
from web.pages import amounts, names, snippets
from web.translate import say

MOST_OPTIONS = 100
MOST_TRAININGS = 20

blueprint = Blueprint("new_job", __name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What a form's page is rendered from."""

    task: str
    params: type[Params]
    posted: forms.Posted
    base: str = ""
    source: str = ""
    name: str = ""
    key: str = ""
    time_limit: str = ""
    after: str = ""
    error: AigcError | None = None
    checked: bool = False


@blueprint.get("/jobs/new")
def pick() -> str:
    """Pick a task."""
    groups = [
        (
            family,
            [
                (f"{family.name}.{name}", name)
                for name, params in family.operations.items()
                if params.makes != "dataset"
            ],
        )
        for family in registry.families().values()
    ]
    return render_template("new_pick.html", groups=[group for group in groups if group[1]], summary=names.summary)


@blueprint.get("/jobs/new/<task>")
def form(task: str) -> str:
    """The task's form: fresh, with values from the address, or as an earlier job had them."""
    params = _params(task)
    source = request.args.get("from", "")
    if source:
        return _render(_duplicate(task, params, source))
    preset = (
        request.args.get("preset", "") if request.args.get("preset") in params.presets else forms.first_preset(params)
    )
    typed, chosen = _from_address(params)
    after = " ".join(request.args.getlist("after"))
    return _render(Page(task, params, forms.Posted(chosen, typed, preset), base=preset, after=after))


def _duplicate(task: str, params: type[Params], source: str) -> Page:
    """An earlier job's settings, with those from the address in the place of its own."""
    job = context.repository().job(source)
    typed = {name: forms.to_text(value) for name, value in job.params.items() if name in params.model_fields}
    changed, chosen = _from_address(params)
    posted = forms.Posted({**job.params, **chosen}, {**typed, **changed}, "")
    limit = durations.spoken(job.time_limit_seconds) if job.time_limit_seconds else ""
    return Page(task, params, posted, source=source, name=job.name, time_limit=limit)


def _from_address(params: type[Params]) -> tuple[dict[str, str], dict[str, Any]]:
    typed = {name: value for name, value in request.args.items() if name in params.model_fields}
    return typed, decode_text(params.model_json_schema(), typed)


@blueprint.post("/jobs/new/<task>")
@scoped("submit")
def start(task: str) -> Response | BaseResponse:
    """Start the job, or show everything that is wrong with the values kept."""
    page = _posted(task)
    try:
        if request.form.get("_action") == "check":
            validate(task, page.posted.params, page.posted.preset or None)
            _time_limit(page)
            return _page(replace(page, checked=True), 200)
        made = submit(context.engine(), context.principal(), _submission(page))
    except InvalidParams as error:
        return _page(replace(page, error=error), 422)
    return redirect(_next_page(made.job.id), 303)


def _next_page(job_id: str) -> str:
    """The job's page, or for the form on a model version's page that one, which shows the result as it comes."""
    model = request.form.get("_model", "")
    if model:
        return url_for("pages.models.show", model_id=model, **{"from": job_id}, _anchor="recent")
    return url_for("pages.job.show", job_id=job_id)


@blueprint.get("/jobs/new/<task>/estimate")
def estimate(task: str) -> Response:
    """What the settings in a form would cost, and how to submit them from code; asked while someone types."""
    params = _params(task)
    posted = forms.read(params, request.args)
    return jsonify(
        estimate=_cost_text(task, posted.params, posted.preset),
        snippets={one.key: one.text for one in snippets.submit(task, posted.params, posted.preset)},
    )


def _params(task: str) -> type[Params]:
    params = registry.tasks().get(task)
    if params is None or params.makes == "dataset":
        abort(404)
    return params


def _posted(task: str) -> Page:
    params = _params(task)
    posted = forms.read(params, request.form)
    return Page(
        task,
        params,
        posted,
        base=posted.preset,
        source=request.form.get("_from", ""),
        name=request.form.get("_name", "").strip(),
        key=request.form.get("_key", ""),
        time_limit=request.form.get("_time_limit", "").strip(),
        after=request.form.get("_after", "").strip(),
    )


def _submission(page: Page) -> Submission:
    return Submission(
        task=page.task,
        params=page.posted.params,
        preset=page.posted.preset or None,
        name=page.name or None,
        idempotency_key=_key(page),
        time_limit=_time_limit(page),
        after=_after(page),
    )


def _time_limit(page: Page) -> timedelta | None:
    """The limit as it was typed.

    Raises:
        InvalidParams: It is no time.
    """
    found = durations.parse(page.time_limit) if page.time_limit else None
    if page.time_limit and found is None:
        values = {"text": page.time_limit[:20]}
        raise InvalidParams(faults=[Fault(durations.NO_TIME, values, "/time_limit", code=BAD_LIMIT)])
    return found


def _after(page: Page) -> tuple[str, ...]:
    """Ids of the jobs to wait for, as typed: apart by blanks or commas."""
    return tuple(dict.fromkeys(page.after.replace(",", " ").split()))


def _key(page: Page) -> str | None:
    """The form's own token with its content: a double click makes one job, going back and changing a value another."""
    if not page.key:
        return None
    asked = [page.task, page.posted.params, page.posted.preset, page.name, page.time_limit, page.after]
    content = json.dumps(asked, sort_keys=True)
    return f"{page.key[:64]}-{sha256(content.encode()).hexdigest()[:16]}"


def _page(page: Page, status: int) -> Response:
    return Response(_render(page), status=status, content_type="text/html; charset=utf-8")


def _render(page: Page) -> str:
    reads = context.repository()
    made = forms.build(
        page.params,
        page.posted.typed,
        preset=page.posted.preset,
        faults=page.error.faults if page.error else (),
        options=options(page.params, reads),
    )
    shown = page.posted.params
    return render_template(
        "new_form.html",
        page=page,
        form=made,
        title=names.task_title(page.task),
        summary=names.summary(page.task),
        verb=names.verb(page.task.partition(".")[2]),
        presets=_presets(page),
        key=page.key or uuid4().hex,
        cost=_cost_text(page.task, shown, page.posted.preset),
        snippets=snippets.submit(page.task, shown, page.posted.preset),
        name_fault=_fault_of("/name", page.error),
        limit_fault=_fault_of("/time_limit", page.error),
        after_fault=_fault_of("/after", page.error),
    )


def options(params: type[Params], reads: Repository) -> Mapping[str, Sequence[forms.Choice]]:
    """What can be chosen for each input: ready datasets of the kind, model versions of the family."""
    found: dict[str, Sequence[forms.Choice]] = {}
    for name, own in params.model_json_schema()["properties"].items():
        if own.get("x-input") == "dataset":
            rows = reads.datasets(None, MOST_OPTIONS, kind=own["x-kind"], ready_only=True).items
            found[name] = [forms.Choice(row.id, f"{row.name} v{row.number}") for row in rows]
        elif own.get("x-input") == "model":
            versions = reads.models(None, MOST_OPTIONS, family=own["x-kind"]).items
            ids = [forms.Choice(row.id, f"{row.name} v{row.number}") for row in versions]
            found[name] = [*_aliases(versions, reads), *ids, *_trainings(own["x-kind"], reads)]
    return found


def _aliases(versions: Sequence[ModelVersion], reads: Repository) -> list[forms.Choice]:
    """What aliases stand for at this moment; the job takes the version that its alias stands for when it is sent."""
    held = reads.aliases([row.id for row in versions])
    return [
        forms.Choice(f"{row.name}@{alias}", f"{row.name}@{alias} (v{row.number})")
        for row in versions
        for alias in held.get(row.id, ())
    ]


def _trainings(family: str, reads: Repository) -> list[forms.Choice]:
    """Unfinished trainings of a family: a job may wait for the model version that one of them makes."""
    tasks = registry.families()[family].operations.items() if family in registry.families() else ()
    found = list[forms.Choice]()
    for name in (name for name, params in tasks if params.makes == "model"):
        wanted = JobFilter(states=("blocked", "queued", "running", "paused"), task=f"{family}.{name}")
        found += [
            forms.Choice(job.id, say("{name} (when it is trained)", {"name": job.name}))
            for job in reads.jobs(wanted, limit=MOST_TRAININGS).items
        ]
    return found


def _presets(page: Page) -> list[tuple[str, str, str]]:
    """Name, title and sentence of each preset, with the time it would take once the dataset is known."""
    listed = []
    inputs = {
        name: value for name, value in page.posted.typed.items() if value.startswith(("ds_", "mdl_")) or "@" in value
    }
    for preset in page.params.presets:
        title, sentence = names.PRESETS.get(preset, (forms.in_words(preset), ""))
        cost = cost_of(page.task, inputs, preset)
        listed.append((preset, say(title), amounts.about(cost.seconds) if cost else say(sentence)))
    return listed


def cost_of(task: str, params: Mapping[str, Any], preset: str) -> Estimate | None:
    """What a job would cost; None while its settings are wrong or its dataset is not chosen."""
    try:
        checked = validate(task, params, preset or None)
        report = _report(checked)
    except AigcError:
        return None
    return checked.estimate(report, context.settings().cpu_threads) if report else None


def _report(params: Params) -> Mapping[str, Any]:
    for name, info in type(params).model_fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, Mapping) and extra.get("x-input") == "dataset":
            chosen = getattr(params, name)
            return context.repository().dataset(chosen).report if chosen else {}
    return {}


def _cost_text(task: str, params: Mapping[str, Any], preset: str) -> list[tuple[str, str]]:
    cost = cost_of(task, params, preset)
    if cost is None:
        return []
    return [
        (say("Time"), amounts.about(cost.seconds)),
        (say("Memory"), amounts.size(int(cost.memory_mib * 2**20))),
        (say("Parameters"), amounts.number(cost.parameters)),
    ]


def _fault_of(field: str, error: AigcError | None) -> str:
    """What is wrong with a field of the form itself."""
    found = [fault for fault in (error.faults if error else ()) if f"{fault.pointer}/".startswith(f"{field}/")]
    return say(found[0].message, found[0].values) if found else ""
