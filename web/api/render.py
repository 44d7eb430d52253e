"""Replies: JSON bodies, pages of lists, ETags, full addresses."""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Response, request
from pydantic import BaseModel
from werkzeug.exceptions import HTTPException
from werkzeug.wsgi import wrap_file

from jobs.repository import Page
from web import schemas
from web.translate import language

PREFIX = "/api/v1"
REVALIDATE = "private, no-cache"
IN_MEMORY = 2**20

M = TypeVar("M", bound=BaseModel)
Row = TypeVar("Row")


def address(path: str) -> str:
    """The full address of a path of this server."""
    return request.host_url.rstrip("/") + path


def api(path: str) -> str:
    """The full address of a path of the API."""
    return address(PREFIX + path)


def answer(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON reply."""
    reply = Response(model.model_dump_json(by_alias=True), status=status, content_type="application/json")
    reply.headers["Cache-Control"] = REVALIDATE
    reply.headers["Content-Language"] = language()
    for name, value in (headers or {}).items():
        reply.headers[name] = value
    return reply


def tagged(reply: Response, mark: str = "") -> Response:
    """Give a reply an ETag made from its bytes, and 304 to whoever has it already.

    Args:
        reply: The reply.
        mark: Of what people wrote about the thing; ``If-Match`` looks at that alone (:func:`parsing.seen_marks`).
    """
    reply.set_etag(sha256(reply.get_data()).hexdigest()[:32] + (f"-{mark}" if mark else ""))
    reply.make_conditional(request)
    return reply


def listing(page: Page[Row], kind: type[M], shown: Callable[[Row], M]) -> Response:
    """One page of a list, with the next page's address in the Link header."""
    rows = [shown(row) for row in page.items]
    more = page.next_cursor is not None
    body = schemas.Listing[kind](data=rows, has_more=more, next_cursor=page.next_cursor)  # type: ignore[valid-type]
    reply = answer(body)
    if page.next_cursor is not None:
        reply.headers["Link"] = f'<{_next_page(page.next_cursor)}>; rel="next"'
    return tagged(reply)


def whole(rows: list[Any], kind: type[M]) -> Response:
    """A list that is short enough for one page."""
    return tagged(answer(schemas.Listing[kind](data=rows)))  # type: ignore[valid-type]


def download(pieces: Iterable[bytes], name: str, media_type: str) -> Response:
    """A file made on the spot, with its length, an ETag of its bytes, and ranges.

    It is put together first, what exceeds a megabyte on the disk.
    """
    whole = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - closed with the reply
    digest = sha256()
    for piece in pieces:
        digest.update(piece)
        whole.write(piece)
    size = whole.tell()
    whole.seek(0)
    reply = Response(wrap_file(request.environ, whole), content_type=media_type, direct_passthrough=True)
    reply.content_length = size
    reply.set_etag(digest.hexdigest())
    reply.headers["Cache-Control"] = REVALIDATE
    reply.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    reply.call_on_close(whole.close)
    try:
        reply.make_conditional(request, accept_ranges=True, complete_length=size)
    except HTTPException:  # there is no such range
        reply.close()
        raise
    return reply


def nothing(status: int = 204) -> Response:
    """A reply without a body."""
    return Response(status=status)


def _next_page(cursor: str) -> str:
    arguments = request.args.copy()
    arguments["cursor"] = cursor
    return f"{address(request.path)}?{urlencode(list(arguments.items(multi=True)))}"
