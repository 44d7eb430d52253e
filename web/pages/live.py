"""Parts of pages that the browser asks for again and again: rendered only when their tag has changed.

When it has, everyone who looks at the same asks within a second: the first of them has it rendered, the others
wait for that and share it.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex
from threading import Lock
from time import monotonic

from flask import Flask, Response, current_app, g, request
from flask_wtf.csrf import generate_csrf

from web import context
from web.translate import language

KEPT, LONGEST, FRESH = 32, 65_536, 2.0


@dataclass
class Rendered:
    """The parts rendered in the last two seconds, by who may see them, address and tag.

    The form tokens in them are the reader's own: in what is kept, a mark that nobody can guess stands for them.
    """

    clock: Callable[[], float] = monotonic
    _mark: str = field(default_factory=lambda: token_hex(16))
    _parts: OrderedDict[Hashable, tuple[float, str]] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)
    _turns: dict[Hashable, tuple[Lock, int]] = field(default_factory=dict)

    def shared(self, key: Hashable, render: Callable[[], str]) -> str:
        """A part that is fresh, or else rendered now, by one request at a time."""
        found = self.get(key)
        if found is not None:
            return found
        with self._turn(key):
            html = self.get(key)
            if html is None:
                html = render()
                self.keep(key, html)
        return html

    @contextmanager
    def _turn(self, key: Hashable) -> Iterator[None]:
        """Alone with a key; the last who leaves forgets it."""
        with self._lock:
            turn, others = self._turns.get(key, (Lock(), 0))
            self._turns[key] = (turn, others + 1)
        try:
            with turn:
                yield
        finally:
            with self._lock:
                turn, others = self._turns.pop(key)
                if others > 1:
                    self._turns[key] = (turn, others - 1)

    def get(self, key: Hashable) -> str | None:
        """A part with the token of this request, or None where none is fresh."""
        with self._lock:
            at, html = self._parts.get(key, (0.0, ""))
        if not html or self.clock() - at > FRESH:
            return None
        return html.replace(self._mark, generate_csrf()) if self._mark in html else html

    def keep(self, key: Hashable, html: str) -> None:
        """Keep what this request rendered, in the place of the oldest."""
        token = g.get("csrf_token")
        kept = html.replace(token, self._mark) if token else html
        with self._lock:
            self._parts[key] = (self.clock(), kept if len(kept) <= LONGEST else "")
            self._parts.move_to_end(key)
            while len(self._parts) > KEPT:
                self._parts.popitem(last=False)


def init_app(app: Flask) -> None:
    """Give the application its store of rendered parts."""
    app.extensions["aigc_rendered"] = Rendered()


def tag_of(*parts: object) -> str:
    """A tag made of what the part shows, and of the language it is in."""
    text = "\n".join(str(part) for part in (*parts, language()))
    return sha256(text.encode()).hexdigest()[:24]


def part(tag: str, render: Callable[[], str]) -> Response:
    """The part, or 304 for a browser that has it. Clocks stay out of parts: they tick in the browser."""
    if tag in request.if_none_match:
        reply = Response(status=304)
    else:
        reply = Response(_html(tag, render), content_type="text/html; charset=utf-8")
    reply.set_etag(tag)
    reply.headers["Cache-Control"] = "private, no-store"
    return reply


def _html(tag: str, render: Callable[[], str]) -> str:
    rendered: Rendered = current_app.extensions["aigc_rendered"]
    key = (context.principal(), request.host, request.full_path, tag)
    return rendered.shared(key, render)
