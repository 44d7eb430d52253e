"""The same question again: a program that asks each second, word for word, whether a waiting job is as it was.

The first time Flask answers, after all of its checks, and the view notes on what grounds "304, nothing changed" rests.
Whoever sends the same words again is told the same before Flask, if the grounds still hold: the caller behind the
token, the version of the job, and that a place in the line which was told some seconds ago need not be told anew.
So no check is written twice, and none is skipped for longer than those seconds: what a check looks at is in the words
or in the grounds, but for time (a session's age) and for what others did at the same address (failed sign-ins).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

from flask import Flask, g, request
from sqlalchemy.exc import SQLAlchemyError

from jobs.principal import Principal
from jobs.versions import Whose
from web import auth, context, security

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
App = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

GROUNDS, STATUS, NAME = "aigc.grounds", "304 NOT MODIFIED", "X-Request-Id"
MOST = 2_000  # answers; then all are forgotten
_OWN_NAME, _HAS_BODY = "HTTP_X_REQUEST_ID", ("CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING")


@dataclass(frozen=True, slots=True)
class Grounds:
    """What an answer rests on, beside the words of the question.

    Attributes:
        principal: Who asks.
        credential: Digest of the token that says so; None on an open server.
        place: Where the job's reply of some seconds ago is kept.
        told: That reply's tag, and the version of the job it told of.
    """

    principal: Principal
    credential: str | None
    place: tuple[str, str, str]
    told: tuple[str, int]

    @property
    def job(self) -> Whose:
        """Whose version decides."""
        return self.place[:2]


def init_app(app: Flask) -> None:
    """Stand before the application."""
    answers = Answers(app.wsgi_app, app.extensions["aigc"], app.extensions["aigc_guard"])
    app.wsgi_app = answers  # type: ignore[method-assign]


def note(place: tuple[str, str, str], told: tuple[str, int]) -> None:
    """Say in a view on what grounds the 304 rests that it is about to give."""
    request.environ[GROUNDS] = Grounds(context.principal(), g.get("caller"), place, told)


class Answers:
    """Repeats answers for which their view noted the grounds, and passes all else on.

    Args:
        app: What answers otherwise.
        shared: Versions of jobs and callers behind tokens, read as they are now.
        guard: Whether a token is asked for.
    """

    def __init__(self, app: App, shared: context.Process, guard: auth.Guard) -> None:
        self._app, self._shared, self._guard = app, shared, guard
        self._known: dict[bytes, tuple[Grounds, Headers]] = {}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request, as WSGI (PEP 3333) says."""
        words = words_of(environ)
        if words is None:
            return self._app(environ, start_response)
        grounds, headers = self._known.get(words, (None, []))
        if grounds is not None and self._hold(grounds):
            start_response(STATUS, [*headers, (NAME, security.request_name(environ.get(_OWN_NAME, "")))])
            return ()
        return self._app(environ, partial(self._listen, words, environ, start_response))

    def _hold(self, grounds: Grounds) -> bool:
        """Whether Flask would say the same. Without a database it says so itself."""
        if self._shared.told.peek(grounds.place) is not grounds.told:  # a later one is for Flask to tell, once
            return False
        try:
            return self._caller(grounds.credential) == grounds.principal and (
                self._shared.versions.of(grounds.job) == grounds.told[1]
            )
        except SQLAlchemyError:
            return False

    def _caller(self, credential: str | None) -> Principal | None:
        if credential is not None:
            return auth.behind(self._shared, credential)
        return None if self._guard.asks(self._shared) else auth.operator(self._shared.settings)

    def _listen(
        self, words: bytes, environ: Environ, start_response: Callable[..., Any], status: str, headers: Headers,
        *error: Any,
    ) -> Any:  # fmt: skip
        """Pass on how the reply begins; one whose view noted its grounds is kept."""
        grounds = environ.get(GROUNDS)
        if grounds is not None and status == STATUS and not any(name == "Set-Cookie" for name, _ in headers):
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[words] = (grounds, [pair for pair in headers if pair[0] != NAME])
        return start_response(status, headers, *error)


def words_of(environ: Environ) -> bytes | None:
    """A digest of all that a request says but its name; None where it does more than ask whether a thing changed."""
    asks = environ["REQUEST_METHOD"] == "GET" and "HTTP_IF_NONE_MATCH" in environ
    if not asks or any(environ.get(name) for name in _HAS_BODY):
        return None
    said = [environ.get(name) for name in ("wsgi.url_scheme", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING")]
    said += [pair for pair in environ.items() if pair[0].startswith("HTTP_") and pair[0] != _OWN_NAME]
    return sha256(repr(said).encode()).digest()
