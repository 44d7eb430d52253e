"""What every page has: assets with their hashes, theme, language links, filters for amounts and names."""

from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request, session, url_for

from jobs.workers import code_version
from web import auth, context
from web.pages import amounts, names, results, states
from web.pages.problem_texts import TOPICS

STATIC = Path(__file__).parent.parent / "static"
THEMES = ("auto", "light", "dark")
THEME_COOKIE = "aigc_theme"
YEAR = 365 * 24 * 3600
SWITCHES = frozenset({"lang", "theme"})


def init(blueprint: Blueprint) -> None:
    """Give templates their words and remember the theme."""
    blueprint.app_context_processor(_shared)
    blueprint.after_app_request(_remember_theme)
    for name in ("number", "figure", "size", "duration", "about", "speed"):
        blueprint.add_app_template_filter(getattr(amounts, name), name)
    for name in ("family_title", "operation_title", "task_title", "curve_title", "outcome", "reason"):
        blueprint.add_app_template_filter(getattr(names, name), name)
    blueprint.add_app_template_filter(states.look, "look")
    blueprint.add_app_template_global(TOPICS.get, "topic_of")
    blueprint.add_app_template_filter(
        lambda row: results.main_figure(row.job.family, row.job.metrics or {}), "main_figure"
    )


def _shared() -> dict[str, Any]:
    return {
        "asset": asset,
        "here": here,
        "theme": theme(),
        "themes": THEMES,
        "version": code_version(),
        "signed_in": auth.SESSION_KEY in session,
        "request_id": context.request_id(),
        "file_url": file_url,
    }


def asset(name: str) -> str:
    """The address of a static file, which changes when the file does."""
    return url_for("static", filename=name, v=_fingerprint(name, (STATIC / name).stat().st_mtime_ns))


@lru_cache(maxsize=64)
def _fingerprint(name: str, _modified: int) -> str:
    return sha256((STATIC / name).read_bytes()).hexdigest()[:10]


def here(**changes: Any) -> str:
    """This page's address with some parameters changed; ``None`` removes one."""
    kept = [
        (name, value) for name, value in request.args.items(multi=True) if name not in changes | dict.fromkeys(SWITCHES)
    ]
    kept += [(name, str(value)) for name, value in changes.items() if value is not None]
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def theme() -> str:
    """The theme asked for, or the remembered one, or the system's."""
    asked = request.args.get("theme") or request.cookies.get(THEME_COOKIE)
    return asked if asked in THEMES else "auto"


def file_url(artifact_id: str) -> str:
    """Where a file's bytes are."""
    return f"/api/v1/artifacts/{artifact_id}/content"


def _remember_theme(reply: Response) -> Response:
    asked = request.args.get("theme")
    if asked in THEMES and request.method == "GET":
        reply.set_cookie(THEME_COOKIE, asked, max_age=YEAR, samesite="Lax", httponly=True, secure=request.is_secure)
    return reply
