"""The web process: pages and HTTP API over :mod:`jobs`. It never imports torch, numpy or pandas."""

from collections.abc import Callable
from importlib.util import find_spec

from flask import Flask

from jobs.engine import Engine, open_engine
from jobs.settings import Settings
from web import api, auth, context, health, openapi, problems, security, sessions, uploads

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
    context.init_app(app, settings, engine or open_engine(settings))
    problems.init_app(app)
    uploads.init_app(app)
    # The order is the order of the checks: name of the request, host, origin, who asks, form token.
    for part in (security.init_requests, sessions.init_app, auth.init_app, security.init_csrf):
        part(app)
    for blueprint in (api.blueprint(), health.blueprint, openapi.blueprint):
        app.register_blueprint(blueprint)
    security.exempt_api(app)
    _add_pages(app)
    return app


def _add_pages(app: Flask) -> None:
    if find_spec("web.i18n"):
        from web import i18n

        i18n.init_app(app)
    if find_spec("web.pages.__init__"):
        from web import pages

        app.register_blueprint(pages.blueprint)


def factory(settings: Settings) -> Callable[[], Flask]:
    """A callable that builds the application when first asked, after the server has forked."""
    return lambda: create_app(settings)
