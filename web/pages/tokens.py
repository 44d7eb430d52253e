"""Tokens: make one (its secret is shown once), see which work, revoke."""

from datetime import timedelta

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from aigc_models.base import Fault
from jobs import tokens
from jobs.principal import Scope
from web import auth, context
from web.auth import audit, scoped
from web.forms import Problem
from web.translate import say_fault

SCOPES: tuple[tuple[Scope, str, str], ...] = (
    ("read", "Look", "See jobs, datasets and models."),
    ("submit", "Work", "Look, and submit, cancel and delete jobs."),
    ("admin", "Administer", "Everything, tokens included."),
)
LONGEST_NAME = 120
MOST_DAYS = 3_650

blueprint = Blueprint("tokens", __name__)


@blueprint.get("/settings/tokens")
@scoped("admin")
def index() -> Response:
    """Show the tokens that work."""
    return _page()


@blueprint.post("/settings/tokens")
@scoped("admin")
def create() -> Response:
    """Make a token and show its secret, this once."""
    name, scope, days = (request.form.get(part, "").strip() for part in ("name", "scope", "days"))
    faults = _faults(name, days)
    if faults:
        return _page(422, faults=faults)
    chosen: Scope = next((one for one, _, _ in SCOPES if one == scope), "read")
    expires = timedelta(days=int(days)) if days else None
    row, secret = tokens.create(context.engine(), context.principal(), name, chosen, expires)
    audit.info("token %s made by %s, request %s", row.id, context.principal().owner, context.request_id())
    return _page(201, secret=secret)


@blueprint.post("/settings/tokens/<token_id>/revoke")
@scoped("admin")
def revoke(token_id: str) -> BaseResponse:
    """End a token."""
    tokens.revoke(context.engine(), context.principal(), token_id)
    audit.info("token %s revoked by %s, request %s", token_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.tokens.index"), 303)


def _faults(name: str, days: str) -> list[Fault]:
    found = []
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        found.append(
            Fault("The name must have 1 to {longest} printable characters.", {"longest": LONGEST_NAME}, "/name")
        )
    if days and not (days.isdecimal() and 1 <= int(days) <= MOST_DAYS):
        values = {"title": "Days until it stops working", "low": 1, "high": MOST_DAYS}
        found.append(Fault("{title} must be between {low} and {high}.", values, "/days"))
    return found


def _page(status: int = 200, *, secret: str = "", faults: list[Fault] | None = None) -> Response:
    problems = [Problem(say_fault(fault), f"#f-{fault.pointer[1:]}") for fault in faults or []]
    page = render_template(
        "tokens.html",
        tokens=tokens.listing(context.engine(), context.principal()),
        scopes=SCOPES,
        secret=secret,
        problems=problems,
        wrong={problem.target.removeprefix("#f-"): problem.sentence for problem in problems},
        typed=request.form,
        protected=auth.is_protected() or bool(secret),
    )
    reply = Response(page, status=status, content_type="text/html; charset=utf-8")
    reply.headers["Cache-Control"] = "no-store"
    return reply
