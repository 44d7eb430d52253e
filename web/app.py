"""The application: its parts in the order in which they look at a request."""

from dataclasses import replace

from flask import Flask

from jobs.engine import Engine, open_engine
from jobs.settings import Settings
from jobs.tracing import Off
from web import (
    api,
    auth,
    context,
    health,
    i18n,
    openapi,
    pages,
    problems,
    rates,
    repeated,
    security,
    sessions,
    uploads,
    wakeups,
)
from web.pages import live

JSON_BODY = 2**20
FORM_PARTS = 1_000


def create_app(settings: Settings, engine: Engine | None = None) -> Flask:
    """Build the application.

    Args:
        settings: What the operator set.
        engine: Database, store and dispatcher already open (tests share theirs); opened here if not given.
    """
    app = Flask("web", static_folder="static", template_folder="templates")
    app.config.update(
        MAX_CONTENT_LENGTH=JSON_BODY,
        MAX_FORM_MEMORY_SIZE=JSON_BODY,
        MAX_FORM_PARTS=FORM_PARTS,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    engine = engine or open_web_engine(settings)
    context.init_app(app, settings, engine)
    traced = not isinstance(engine.tracing, Off)
    if traced:
        from web import traces

        traces.init_app(app)
    problems.init_app(app)
    rates.init_app(app, settings)
    uploads.init_app(app)
    api.uploads.init_app(app)
    # The order is the order of the checks: name of the request, host, origin, who asks, form token.
    for part in (security.init_requests, sessions.init_app, auth.init_app, security.init_csrf):
        part(app)
    i18n.init_app(app)
    for blueprint in (api.blueprint(), health.blueprint, openapi.blueprint, pages.blueprint):
        app.register_blueprint(blueprint)
    security.exempt_api(app)
    live.init_app(app)
    if not traced:  # else each request has a span
        repeated.init_app(app)
    return app


def open_web_engine(settings: Settings) -> Engine:
    """The engine as a process wants it that many submit through: it announces lightly, and notes that with company."""
    return replace(open_engine(settings, "web", patient=True), dispatcher=wakeups.dispatcher(settings))
