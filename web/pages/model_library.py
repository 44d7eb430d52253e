"""What is kept about a model version: its card, its versions and aliases; and the forms that change them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from jobs import aliases, catalogue
from jobs.repository import Repository
from jobs.switches import ALIASES
from jobs.tables import ModelVersion
from web import context
from web.auth import audit, scoped
from web.pages import results

blueprint = Blueprint("model_library", __name__)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a name, with the aliases that stand for it and its main figure."""

    row: ModelVersion
    aliases: Sequence[str]
    figure: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a button of an alias does: move it here from ``replaces``, or take it away where it is held."""

    alias: str
    held: bool
    replaces: str
    holder: ModelVersion | None


def versions(reads: Repository, row: ModelVersion) -> list[Version]:
    """All versions of a name, the newest first."""
    rows: list[ModelVersion] = catalogue.versions(reads.engine, reads.principal, ModelVersion, row.name)
    held = reads.aliases([one.id for one in rows])
    return [Version(one, held.get(one.id, []), results.main_figure(one.family, one.metrics or {})) for one in rows]


def promotions(row: ModelVersion, known: Sequence[Version]) -> list[Promotion]:
    """What can be done with each alias."""
    holders: Mapping[str, ModelVersion] = {alias: one.row for one in known for alias in one.aliases}
    found = []
    for alias in ALIASES:
        holder = holders.get(alias)
        held = holder is not None and holder.id == row.id
        found.append(Promotion(alias, held, holder.id if holder else "", holder))
    return found


@blueprint.post("/models/<model_id>/card")
@scoped("submit")
def write_card(model_id: str) -> BaseResponse:
    """Write the card anew."""
    row = context.repository().model(model_id)
    changes = {part: request.form.get(part, "")[:longest] for part, longest in catalogue.CARD.items()}
    catalogue.write_card(context.engine(), context.principal(), row.id, changes)
    return _done("change card of", row, "card")


@blueprint.post("/models/<model_id>/promote")
@scoped("submit")
def promote(model_id: str) -> BaseResponse:
    """Let an alias stand for this version, if it still stands for what the page showed."""
    row = context.repository().model(model_id)
    alias, replaces = request.form.get("alias", ""), request.form.get("replaces") or None
    aliases.promote(context.engine(), context.principal(), row.id, alias, replaces)
    return _done(f"promote to {alias}", row, "versions")


@blueprint.post("/models/<model_id>/demote")
@scoped("submit")
def demote(model_id: str) -> BaseResponse:
    """Take an alias from this version."""
    row = context.repository().model(model_id)
    alias = request.form.get("alias", "")
    aliases.demote(context.engine(), context.principal(), row.id, alias)
    return _done(f"remove {alias} from", row, "versions")


def _done(what: str, row: ModelVersion, anchor: str) -> BaseResponse:
    audit.info("%s %s by %s, request %s", what, row.id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.models.show", model_id=row.id, _anchor=anchor), 303)
