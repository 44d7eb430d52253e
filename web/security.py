"""What protects the server from other people's pages: host and origin checks, form tokens, headers.

The checks hold for every method that is not known to be safe, so a new method is refused, not
forgotten. They do not depend on the server that carries the application.
"""

import ipaddress
import re
from urllib.parse import urlsplit
from uuid import uuid4

from flask import Flask, Response, g, request
from flask_wtf import CSRFProtect
from flask_wtf.csrf import CSRFError

from jobs import logs
from jobs.errors import Forbidden
from jobs.settings import Settings
from web import context, problems
from web.bind_guard import is_loopback

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: browsers then send "Origin: null" with our own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

VARY = ("Accept-Language", "Cookie", "Authorization")


class WrongHost(Forbidden):
    """This server does not answer to the name {host}. Add it to AIGC_ALLOWED_HOSTS if it should."""

    code, title = "wrong-host", "Unknown host name"


class CrossOrigin(Forbidden):
    """The request comes from a page of another site."""

    code, title = "cross-origin", "Request from another site"


def init_requests(app: Flask) -> None:
    """Name every request, refuse foreign hosts and origins, set the headers of every reply."""
    app.before_request(_name_request)
    app.before_request(_check_host)
    app.before_request(_check_origin)
    app.after_request(_set_headers)


def init_csrf(app: Flask) -> None:
    """Ask for the form token on every unsafe request of a page."""
    app.config.update(WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=False)  # the origin check covers the latter
    app.extensions["aigc_csrf"] = CSRFProtect(app)
    app.register_error_handler(CSRFError, lambda _error: problems.response(problems.FormExpired()))


def exempt_api(app: Flask) -> None:
    """The API reads no forms: it is guarded by the origin check and by tokens."""
    app.extensions["aigc_csrf"].exempt(app.blueprints["api"])


def host_allowed(host: str, settings: Settings) -> bool:
    """Whether the server answers to a name, which keeps rebound DNS names of other sites out."""
    name = hostname(host)
    listed = {item.strip().lower() for item in settings.allowed_hosts.split(",") if item.strip()}
    if name in LOOPBACK_NAMES or name in listed or name == settings.host.lower():
        return True
    # An address typed as digits cannot be rebound; it is only expected where the server is not bound to loopback.
    return not is_loopback(settings.host) and _is_address(name)


def hostname(host: str) -> str:
    """The name in a Host header, without port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def request_name(sent: str) -> str:
    """The name that a request came with, if it is a sane one, or else a new one."""
    return sent if SANE_REQUEST_ID.fullmatch(sent) else uuid4().hex


def _name_request() -> None:
    g.request_id = request_name(request.headers.get("X-Request-Id", ""))
    logs.begin(request=g.request_id)


def _check_host() -> None:
    host = request.headers.get("Host", "")
    if not host_allowed(host, context.settings()):
        raise WrongHost(host=hostname(host)[:100])


def _check_origin() -> None:
    if request.method in SAFE_METHODS:
        return
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise CrossOrigin
    origin = request.headers.get("Origin")
    if origin is not None and not same_origin(origin):
        raise CrossOrigin


def same_origin(origin: str) -> bool:
    """Whether an Origin header names this server. Schemes are not compared: TLS may end at a proxy."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == request.headers.get("Host", "").lower()


def _set_headers(reply: Response) -> Response:
    own = {name.lower() for name, _ in reply.headers}  # one pass: Werkzeug would search them all for each of ours
    for name, value in HEADERS.items():
        if name.lower() not in own:
            reply.headers.add(name, value)
    reply.headers["X-Request-Id"] = context.request_id()
    if "vary" in own:
        reply.vary.update(VARY)
    else:
        reply.headers.add("Vary", ", ".join(VARY))
    return reply
