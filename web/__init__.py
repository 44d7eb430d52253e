"""The web process: pages and HTTP API over :mod:`jobs`. It never imports torch, numpy or pandas."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from jobs.engine import Engine
    from jobs.settings import Settings


def create_app(settings: "Settings", engine: "Engine | None" = None) -> "Flask":
    """Build the application; see :func:`web.app.create_app`.

    Imported when called, so that the server's parent process, which only binds and supervises, stays small.
    """
    from web import app

    return app.create_app(settings, engine)
