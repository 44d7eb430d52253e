"""Signing in and out of the pages: a signed cookie that stands for a token's digest."""

import hashlib
import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Request, Response, redirect, render_template, request, session, url_for
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from werkzeug.wrappers import Response as BaseResponse

from web import auth, context, rates
from web.auth import audit
from web.translate import say

KEY_BYTES = 32
NOT_KNOWN = "This token is not known here. Copy it again, or make one with: aigc token create"

blueprint = Blueprint("sessions", __name__)


class CookieSession(SecureCookieSessionInterface):
    """The session cookie: named after the installation, with the ``__Host-`` prefix over TLS.

    Args:
        key: The installation's key.
    """

    def __init__(self, key: str) -> None:
        self._name = f"aigc_session_{hashlib.sha256(key.encode()).hexdigest()[:8]}"

    def get_cookie_name(self, app: Flask) -> str:
        """Cookies ignore ports, so two installations on one host need two names."""
        return f"__Host-{self._name}" if request.is_secure else self._name

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Read the cookie. Programs send none, and what would check its signature takes a while to make."""
        if self.get_cookie_name(app) not in request.cookies:
            return self.session_class()
        return super().open_session(app, request)

    def get_cookie_secure(self, app: Flask) -> bool:
        """Over TLS the cookie never leaves it."""
        return request.is_secure


def init_app(app: Flask) -> None:
    """Sign sessions with the installation's key and serve sign-in and sign-out."""
    settings = app.extensions["aigc"].settings
    app.secret_key = key = secret_key(settings.home.resolve() / "secret.key")
    app.session_interface = CookieSession(key)
    app.config.update(SESSION_COOKIE_HTTPONLY=True, SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_PATH="/")
    app.register_blueprint(blueprint)


def secret_key(path: Path) -> str:
    """The key in a file only the owner reads; made on first use, by whichever process is first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(KEY_BYTES))
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_text().strip()


@blueprint.get("/login")
def login() -> Response | BaseResponse:
    """Show the sign-in form; an open server has none."""
    if not auth.is_protected():
        return redirect(_back())
    return _form()


@blueprint.post("/login")
def sign_in() -> Response | BaseResponse:
    """Exchange a token for a session."""
    rates.check_address()
    credential = auth.digest(request.form.get("token", "").strip())
    if auth.verify(credential) is None:
        rates.count_failure()
        audit.warning("refused sign-in from %s, request %s", request.remote_addr, context.request_id())
        return _form(say(NOT_KNOWN), 401)
    session.clear()  # a session made before signing in must not live on
    session[auth.SESSION_KEY] = credential
    session.permanent = True
    audit.info("signed in from %s, request %s", request.remote_addr, context.request_id())
    return redirect(_back())


@blueprint.post("/logout")
def sign_out() -> BaseResponse:
    """Forget the session."""
    session.clear()
    return redirect(url_for("sessions.login"))


def _form(error: str = "", status: int = 200) -> Response:
    page = render_template("login.html", next=_back(), error=error)
    return Response(page, status=status, content_type="text/html; charset=utf-8")


def _back() -> str:
    """Where to go afterwards: a path of this server, never another site."""
    target = request.values.get("next", "/")
    parts = urlsplit(target.replace("\\", "/"))
    safe = target.startswith("/") and not target.startswith("//") and not parts.netloc and not parts.scheme
    return target if safe and "\\" not in target and target.isprintable() else "/"
