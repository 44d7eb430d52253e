"""Who asks: a bearer token for programs, a session made from the same token for pages.

Without any token the server is open, which is only possible on loopback: :mod:`web.__main__`
refuses to bind anything else.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import ParamSpec, TypeVar

from flask import Flask, Response, current_app, g, redirect, request, session, url_for

from jobs import tokens
from jobs.engine import Engine
from jobs.errors import Forbidden, Unauthorized
from jobs.principal import Principal, Scope
from jobs.settings import Settings
from web import context, problems, rates

audit = logging.getLogger("aigc.audit")

PUBLIC_ENDPOINTS = frozenset({"static", "health.healthz", "health.readyz", "sessions.login", "sessions.sign_in"})
SCOPES: tuple[Scope, ...] = ("read", "submit", "admin")
SESSION_KEY = "credential"
LOOK_AGAIN = 2.0

P = ParamSpec("P")
R = TypeVar("R")


class ScopeTooSmall(Forbidden):
    """This token may only {has}. The request needs one that may {needs}."""

    code, title = "scope-too-small", "The token does not allow this"


class CookieNeedsOrigin(Forbidden):
    """A change signed in by cookie must come from a page of this server. Programs send a token instead."""

    code, title = "cookie-needs-origin", "Not from a page of this server"


@dataclass
class Guard:
    """Remembers for two seconds whether any token exists, so that an open server asks SQL rarely."""

    checked_at: float = field(default=float("-inf"))
    protected: bool = True

    def asks(self, shared: context.Process) -> bool:
        """Whether a token is asked for."""
        return shared.settings.token is not None or self.is_protected(shared.engine)

    def is_protected(self, engine: Engine) -> bool:
        """Whether any token exists."""
        now = time.monotonic()
        if now - self.checked_at > LOOK_AGAIN:
            self.protected = tokens.any_active(engine)
            self.checked_at = now
        return self.protected


def init_app(app: Flask) -> None:
    """Find out who asks before every view."""
    app.extensions["aigc_guard"] = Guard()
    app.before_request(_authenticate)


def is_protected() -> bool:
    """Whether this server asks for a token."""
    guard: Guard = current_app.extensions["aigc_guard"]
    return guard.asks(context.process())


def digest(secret: str) -> str:
    """What is kept of a token: its SHA-256 (tokens are random, so nothing slower is needed)."""
    return hashlib.sha256(secret.encode()).hexdigest()


def verify(sha256: str) -> Principal | None:
    """The caller a token's digest stands for: the operator's AIGC_TOKEN or one kept in SQL."""
    return behind(context.process(), sha256)


def behind(shared: context.Process, sha256: str) -> Principal | None:
    """As :func:`verify`, outside a request."""
    settings = shared.settings
    if settings.token is not None and compare_digest(sha256, digest(settings.token.get_secret_value())):
        return operator(settings)
    return shared.tokens.of(sha256)


def operator(settings: Settings) -> Principal:
    """The caller behind AIGC_TOKEN, and everybody on an open server."""
    return Principal(tenant_id=settings.tenant, owner="operator", scope="admin")


def require(scope: Scope) -> None:
    """Refuse callers whose token allows less."""
    has = context.principal().scope
    if SCOPES.index(has) < SCOPES.index(scope):
        audit.warning("denied %s %s, scope %s, request %s", request.method, request.path, has, context.request_id())
        raise ScopeTooSmall(has=has, needs=scope)


def scoped(scope: Scope) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a page's view be reached only with a scope."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            require(scope)
            return view(*args, **kwargs)

        checked.__name__, checked.__doc__ = view.__name__, view.__doc__
        return checked

    return decorate


def _authenticate() -> Response | None:
    if request.endpoint in PUBLIC_ENDPOINTS or request.method == "OPTIONS":
        return None
    found = _bearer() if "Authorization" in request.headers else _from_session()
    if found is None and not is_protected():
        found = operator(context.settings())
    if found is not None:
        g.principal = found
        return None
    if problems.wants_json() or request.method not in ("GET", "HEAD"):
        raise Unauthorized
    return redirect(url_for("sessions.login", next=request.full_path.rstrip("?")))  # type: ignore[return-value]


def _bearer() -> Principal:
    kind, _, secret = request.headers["Authorization"].partition(" ")
    rates.check_address()
    credential = digest(secret.strip())
    found = verify(credential) if kind.lower() == "bearer" and secret.strip() else None
    if found is None:
        audit.warning("refused token from %s, request %s", request.remote_addr, context.request_id())
        rates.count_failure()
        raise Unauthorized
    g.caller = credential
    return found


def _from_session() -> Principal | None:
    credential = session.get(SESSION_KEY)
    if not isinstance(credential, str):
        return None
    found = verify(credential)
    if found is None:
        session.pop(SESSION_KEY)
        return None
    g.caller = credential
    # Forms carry a token of their own; for the API the browser's own words must say where the request comes from.
    if problems.wants_json() and request.method not in ("GET", "HEAD", "OPTIONS"):
        told = request.headers.get("Sec-Fetch-Site") or request.headers.get("Origin")
        if told is None:
            raise CookieNeedsOrigin
    return found
