"""The form that asks a recommender for somebody's list: a known user, or items picked by title.

Without JavaScript "Find" sends the form and brings it back with what was found; with it, the list follows the typing.
Either way the job that "Recommend" makes is an ordinary one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from aigc_models import registry
from aigc_models.base import Params
from aigc_models.data.recommended import Item, find_items
from jobs.errors import InvalidParams
from jobs.submit import Submission, submit
from jobs.tables import ModelVersion
from web import context, forms, recommended_files
from web.auth import scoped

OPERATION = "recommend"
USER, HISTORY = "users", "history"
FOUND, MOST_PICKED = 12, 200

blueprint = Blueprint("recommend", __name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """The form as it is shown.

    Attributes:
        task: The task that recommends.
        model_field: Its setting that names the model version.
        picked: The items of the history, in the order they were picked.
        found: Items that fit what is searched for, without those picked.
        wish: What is searched for.
        main: The task's own settings that are in view, without the model, the user and the history.
        more: The others.
        user: The user that was typed.
        takes_user: Whether the task can look up known users.
        problems: What was wrong.
        errors: The same, for the user's and the history's field.
        key: Makes one job of a double click.
    """

    task: str
    model_field: str
    picked: Sequence[Item]
    found: Sequence[Item]
    wish: str
    main: Sequence[forms.Field]
    more: Sequence[forms.Field]
    user: str
    takes_user: bool
    problems: Sequence[forms.Problem] = ()
    errors: Mapping[str, Sequence[str]] | None = None
    key: str = ""


@blueprint.get("/models/<model_id>/recommend")
def show(model_id: str) -> str:
    """The form on a page of its own."""
    row = context.repository().model(model_id)
    return _page(row, _asked(row))


@blueprint.post("/models/<model_id>/recommend")
@scoped("submit")
def start(model_id: str) -> Response | BaseResponse | str:
    """Find items and show the form again, or queue the job."""
    row = context.repository().model(model_id)
    asked = _asked(row)
    if request.form.get("_action") == "find":
        return _page(row, asked)
    try:
        made = submit(context.engine(), context.principal(), _submission(row, asked))
    except InvalidParams as error:
        page = _page(row, _with_faults(asked, error))
        return Response(page, status=422, content_type="text/html; charset=utf-8")
    return redirect(url_for("pages.job.show", job_id=made.job.id), 303)


@blueprint.get("/models/<model_id>/items")
def items(model_id: str) -> str:
    """Items that fit what is being typed, as a part of the form."""
    row = context.repository().model(model_id)
    wish = request.args.get("find", "")[:200]
    found = _found(recommended_files.catalogue(row), wish, request.args.getlist("item"))
    return render_template("recommend_found.html", asked={"found": found, "wish": wish})


def offered(row: ModelVersion) -> Asked | None:
    """The form for a model version's page; None where its family does not recommend."""
    return _fresh(row) if f"{row.family}.{OPERATION}" in registry.tasks() else None


def _asked(row: ModelVersion) -> Asked:
    made = offered(row)
    if made is None:
        abort(404)
    return made


def _fresh(row: ModelVersion) -> Asked:
    """The form with what was sent, or what the address says."""
    task = f"{row.family}.{OPERATION}"
    params = registry.task(task)
    sent = request.form if request.method == "POST" else request.args
    catalogue = recommended_files.catalogue(row)
    ids = list(dict.fromkeys(sent.getlist("item")))[:MOST_PICKED]
    known = {one.item: one for one in catalogue}
    wish = sent.get("find", "").strip()[:200]
    form = forms.build(params, {name: sent[name] for name in params.model_fields if name in sent})
    own = _fields(params)
    fields = [one for one in form.fields if one.name not in (own, USER, HISTORY)]
    return Asked(
        task=task,
        model_field=own,
        picked=[known.get(one, Item(one)) for one in ids],
        found=_found(catalogue, wish, ids),
        wish=wish,
        main=[one for one in fields if not one.advanced],
        more=[one for one in fields if one.advanced],
        user=sent.get(USER, "").strip()[:2000],
        takes_user=USER in params.model_fields,
        key=uuid4().hex,
    )


def _fields(params: type[Params]) -> str:
    """The setting that names the model version."""
    listed: Mapping[str, Mapping[str, Any]] = params.model_json_schema()["properties"]
    return next(name for name, own in listed.items() if own.get("x-input") == "model")


def _submission(row: ModelVersion, asked: Asked) -> Submission:
    params = registry.task(asked.task)
    meant = dict(forms.read(params, request.form).params)
    meant[asked.model_field] = row.id
    if asked.picked:
        meant[HISTORY] = _history(params, [one.item for one in asked.picked])
    return Submission(
        task=asked.task,
        params={name: value for name, value in meant.items() if value not in ("", [])},
        idempotency_key=request.form.get("_key", "")[:64] or None,
    )


def _history(params: type[Params], ids: Sequence[str]) -> Any:
    """Items as the task takes them: a list, or one text with a line for each."""
    own = params.model_json_schema()["properties"][HISTORY]
    kinds = {str(one.get("type")) for one in (own, *own.get("anyOf", ()))}
    return list(ids) if "array" in kinds else "\n".join(ids)


def _with_faults(asked: Asked, error: InvalidParams) -> Asked:
    params = registry.task(asked.task)
    typed = {name: request.form[name] for name in params.model_fields if name in request.form}
    form = forms.build(params, typed, faults=error.faults)
    by_name = {one.name: one for one in form.fields}
    return replace(
        asked,
        main=[by_name[one.name] for one in asked.main],
        more=[by_name[one.name] for one in asked.more],
        problems=form.problems,
        errors={name: by_name[name].errors for name in (USER, HISTORY) if name in by_name},
    )


def _page(row: ModelVersion, asked: Asked) -> str:
    return render_template("recommend.html", model=row, asked=asked)


def _found(catalogue: Sequence[Item], wish: str, picked: Sequence[str]) -> list[Item]:
    left = (one for one in find_items(catalogue, wish) if one.item not in picked)
    return list(islice(left, FOUND))
