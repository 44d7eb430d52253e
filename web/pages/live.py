"""Parts of pages that the browser asks for again and again: rendered only when their tag has changed."""

from collections.abc import Callable
from hashlib import sha256

from flask import Response, request

from web.translate import language


def tag_of(*parts: object) -> str:
    """A tag made of what the part shows, and of the language it is in."""
    text = "\n".join(str(part) for part in (*parts, language()))
    return sha256(text.encode()).hexdigest()[:24]


def part(tag: str, render: Callable[[], str]) -> Response:
    """The part, or 304 for a browser that has it. Clocks stay out of parts: they tick in the browser."""
    reply = (
        Response(status=304)
        if tag in request.if_none_match
        else Response(render(), content_type="text/html; charset=utf-8")
    )
    reply.set_etag(tag)
    reply.headers["Cache-Control"] = "private, no-store"
    return reply
