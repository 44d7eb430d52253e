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
from aigc_models.base import Family, Fault, Params
from aigc_models.faults import decode_text
from jobs import again, durations, webhooks
from jobs.errors import AigcError, InvalidParams
from jobs.repository import JobFilter, Repository
from jobs.submit import BAD_LIMIT, Submission, check, submit
from jobs.tables import Dataset
from web import context, forms, json_text, rates
from web.auth import scoped
from web.pages import input_facts, names, offers, snippets
from web.pages.estimates import Estimates
from web.translate import say, say_fault

MOST_UNFINISHED = 8
TEXTS = ("json", "yaml")

blueprint = Blueprint("new_job", __name__)


@dataclass(frozen=True, slots=True)
class Page:
    """What a form's page is rendered from; ``text`` was typed in the place of the form's fields, as JSON or YAML."""

    task: str
    params: type[Params]
    posted: forms.Posted
    base: str = ""
    source: str = ""
    name: str = ""
    key: str = ""
    time_limit: str = ""
    after: str = ""
    webhook: str = ""
    events: Sequence[str] = ()
    side: str = ""
    text: str = ""
    error: AigcError | None = None
    checked: bool = False


@blueprint.get("/jobs/new")
def pick() -> str:
    """Pick a task; what needs a setting that nobody made, or data that nobody brought, is not offered."""
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
        if _is_offered(family)
    ]
    return render_template("new_pick.html", groups=[group for group in groups if group[1]], summary=names.summary)


def _is_offered(family: Family) -> bool:
    made, reads = not family.needs or getattr(context.settings(), family.needs), context.repository()
    return bool(made or reads.datasets(None, 1, kind=family.needs_data, ready_only=True).items)


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
    first = offers.first(params, context.repository())
    typed, chosen = {**first, **typed}, {**first, **chosen}
    after = " ".join(request.args.getlist("after"))
    return _render(Page(task, params, forms.Posted(chosen, typed, preset), base=preset, after=after))


def _duplicate(task: str, params: type[Params], source: str) -> Page:
    """An earlier job's settings, with those from the address in the place of its own."""
    job = context.repository().job(source)
    typed = {name: forms.to_text(value) for name, value in job.params.items() if name in params.model_fields}
    changed, chosen = _from_address(params)
    posted = forms.Posted({**job.params, **chosen}, {**typed, **changed}, "")
    limit = durations.spoken(job.time_limit_seconds) if job.time_limit_seconds else ""
    return Page(task, params, posted, source=source, name=again.given_name(job) or "", time_limit=limit)


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
            if page.error is not None:
                raise page.error
            check(context.engine(), context.principal(), _submission(page))
            return _page(replace(page, checked=True), 200)
        rates.count("submissions")
        made = submit(context.engine(), context.principal(), _submission(page))
    except InvalidParams as error:
        return _page(replace(page, error=error), 422)
    return redirect(_next_page(made.job.id), 303)


def _next_page(job_id: str) -> str:
    """The job's page, or for the form on a model version's page that one, which shows the result as it comes."""
    model = request.form.get("_model", "")
    if model:
        return url_for("pages.models.show", model_id=model, _anchor="recent", **names.source(job_id))
    return url_for("pages.job.show", job_id=job_id)


@blueprint.route("/jobs/new/<task>/estimate", methods=["GET", "POST"])
def estimate(task: str) -> Response:
    """What the settings in a form would cost, and the same as JSON and code; asked while someone types."""
    page = _posted(task)
    body = _body(page)
    reads = context.repository()
    chosen = input_facts.named(page.params, page.posted.params, reads)
    columns = input_facts.columns(page.params, chosen)
    return jsonify(
        estimate=Estimates(task, reads).rows(page.posted.params, page.posted.preset),
        columns={name: [(one.value, one.label) for one in offered] for name, offered in columns.items()},
        notes=[(one.sentence, one.link) for one in _notes(page, chosen)],
        snippets={one.key: one.text for one in snippets.submit(body)},
        texts=_texts(body),
        fields=_fields(page),
        faults=[say_fault(fault) for fault in page.error.faults] if page.error else [],
    )


def _notes(page: Page, chosen: Mapping[str, Dataset]) -> list[input_facts.Note]:
    """What is to be known of the datasets that a training learns from."""
    return input_facts.notes(chosen.values(), page.posted.params) if page.params.makes == "model" else []


def _params(task: str) -> type[Params]:
    params = registry.tasks().get(task)
    if params is None or params.makes == "dataset":
        abort(404)
    return params


def _posted(task: str) -> Page:
    params = _params(task)
    # Not both: what stands in the address is what the form began with.
    sent = request.form if request.method == "POST" else request.args
    posted = forms.read(params, sent)
    side = next((side for side in TEXTS if f"_{side}" in sent), "")
    page = Page(
        task,
        params,
        posted,
        base=posted.preset,
        source=sent.get("_from", ""),
        name=sent.get("_name", "").strip(),
        key=sent.get("_key", ""),
        time_limit=sent.get("_time_limit", "").strip(),
        after=" ".join(dict.fromkeys(" ".join(sent.getlist("_after")).replace(",", " ").split())),
        webhook=sent.get("_webhook", "").strip(),
        side=side,
        text=sent.get(f"_{side}", ""),
    )
    return _from_text(page) if side else page


def _from_text(page: Page) -> Page:
    """The same page with what the text says in its fields, so that all sides of the form show it."""
    try:
        body = _read_yaml(page) if page.side == "yaml" else json_text.read(page.text, page.task)
    except InvalidParams as error:
        return replace(page, posted=forms.Posted({}, {}, ""), error=error)
    typed = {name: forms.to_text(value) for name, value in body.params.items() if name in page.params.model_fields}
    preset = body.preset or ""
    return replace(
        page,
        posted=forms.Posted(body.params, typed, preset),
        base=preset,
        name=body.name or "",
        time_limit=durations.spoken(body.time_limit) if body.time_limit else "",
        after=" ".join(body.after),
        webhook=body.webhook.url if body.webhook else "",
        events=body.webhook.events if body.webhook and "events" in body.webhook.model_fields_set else (),
    )


def _read_yaml(page: Page) -> json_text.TypedJob:
    from web import yaml_text

    return yaml_text.read(page.text, page.task)


def _texts(body: Mapping[str, Any]) -> dict[str, str]:
    return {"json": json_text.written(body), "yaml": json_text.as_yaml(body)}


def _body(page: Page) -> dict[str, Any]:
    """What the API takes for the same job."""
    limit = durations.parse(page.time_limit) if page.time_limit else None
    return {
        name: value
        for name, value in (
            ("task", page.task),
            ("params", dict(page.posted.params)),
            ("preset", page.posted.preset),
            ("name", page.name),
            ("time_limit", int(limit.total_seconds()) if limit else None),
            ("after", page.after.split()),
            ("webhook", _webhook(page)),
        )
        if value or name == "params"
    }


def _webhook(page: Page) -> dict[str, Any] | None:
    events = {"events": list(page.events)} if page.events else {}
    return {"url": page.webhook, **events} if page.webhook else None


def _fields(page: Page) -> dict[str, str]:
    """What the form's fields show for a page, by name."""
    start = forms.defaults(page.params, page.posted.preset)
    own = {name: page.posted.typed.get(name, forms.to_text(start.get(name))) for name in page.params.model_fields}
    beside = {"_preset": page.posted.preset, "_name": page.name, "_time_limit": page.time_limit}
    return own | beside | {"_after": page.after, "_webhook": page.webhook}


def _submission(page: Page) -> Submission:
    if page.error is not None:
        raise page.error
    return Submission(
        task=page.task,
        params=page.posted.params,
        preset=page.posted.preset or None,
        name=page.name or None,
        idempotency_key=_key(page),
        time_limit=_time_limit(page),
        after=page.after.split(),
        webhook=_accepted(page) if page.webhook else None,
    )


def _accepted(page: Page) -> webhooks.Webhook:
    return webhooks.accept(context.settings(), page.webhook, page.events or webhooks.DEFAULT_EVENTS, snippets.server())


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


def _key(page: Page) -> str | None:
    """The form's own token with its content: a double click makes one job, going back and changing a value another."""
    if not page.key:
        return None
    content = json.dumps(_body(page), sort_keys=True)
    return f"{page.key[:64]}-{sha256(content.encode()).hexdigest()[:16]}"


def _page(page: Page, status: int) -> Response:
    return Response(_render(page), status=status, content_type="text/html; charset=utf-8")


def _render(page: Page) -> str:
    reads = context.repository()
    chosen = input_facts.named(page.params, {**page.posted.params, **page.posted.typed}, reads)
    made = forms.build(
        page.params,
        page.posted.typed,
        preset=page.posted.preset,
        faults=page.error.faults if page.error else (),
        options={**offers.options(page.params, reads), **input_facts.columns(page.params, chosen)},
    )
    estimates = Estimates(page.task, reads)
    body = _body(page)
    return render_template(
        "new_form.html",
        page=page,
        form=made,
        problems=_problems(page, made),
        notes=_notes(page, chosen),
        title=names.task_title(page.task),
        summary=names.summary(page.task),
        verb=names.verb(page.task.partition(".")[2]),
        presets=_presets(page, estimates),
        key=page.key or uuid4().hex,
        cost=estimates.rows(page.posted.params, page.posted.preset),
        snippets=snippets.submit(body),
        texts=_texts(body) | ({page.side: page.text} if page.side else {}),
        unfinished=_unfinished(page, reads),
        other_ids=_other_ids(page, reads),
        takes_webhooks=bool(context.settings().webhook_hosts.strip()) or bool(page.webhook),
        **{f"{name}_fault": _fault_of(f"/{name}", page.error) for name in ("name", "time_limit", "after", "webhook")},
    )


def _unfinished(page: Page, reads: Repository) -> list[forms.Choice]:
    """Jobs that a new one may wait for, the newest first."""
    chosen = page.after.split()
    rows = reads.jobs(JobFilter(states=offers.UNFINISHED), limit=MOST_UNFINISHED).items
    return [forms.Choice(job.id, job.name, job.id in chosen) for job in rows]


def _other_ids(page: Page, reads: Repository) -> str:
    """Ids to wait for that are not among the unfinished jobs shown."""
    listed = {one.value for one in _unfinished(page, reads)}
    return " ".join(id_ for id_ in page.after.split() if id_ not in listed)


def _problems(page: Page, made: forms.Form) -> list[forms.Problem]:
    """The lines of the error summary; what was typed as text is mended there."""
    found = list(made.problems)
    if not found and page.error is not None:
        found = [forms.Problem(say(page.error.message, page.error.values), "#main")]
    return [replace(one, target=f"#f-{page.side}") for one in found] if page.side else found


def _presets(page: Page, estimates: Estimates) -> list[tuple[str, str, str]]:
    """Name, title and sentence of each preset, with the time it would take once the dataset is known."""
    listed = []
    inputs = {
        name: value for name, value in page.posted.typed.items() if value.startswith(("ds_", "mdl_")) or "@" in value
    }
    for preset in page.params.presets:
        title, sentence = names.PRESETS.get(preset, (forms.in_words(preset), ""))
        cost = estimates.of(inputs, preset)
        listed.append((preset, say(title), cost.time if cost else say(sentence)))
    return listed


def _fault_of(field: str, error: AigcError | None) -> str:
    """What is wrong with a field of the form itself."""
    found = [fault for fault in (error.faults if error else ()) if f"{fault.pointer}/".startswith(f"{field}/")]
    return say(found[0].message, found[0].values) if found else ""
