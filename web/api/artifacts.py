"""Stored files: what they are, and their bytes with ranges and checksums."""

from base64 import b64encode

from flask import Response, request, send_file

from jobs import errors, tables
from web import context, schemas
from web.api import shapes
from web.api.render import answer, tagged
from web.api.routing import Reply, operation
from web.auth import audit
from web.problems import NotAcceptable, RangeNotSatisfiable, not_found

ANY = "*/*"
INLINE = frozenset({"image/png"})
# The bytes of an artifact never change, so a browser needs to ask once.
CACHE = "private, max-age=86400, immutable"
SANDBOX = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; sandbox; frame-ancestors 'none'"
CONTENT_HEADERS = {
    "ETag": "The SHA-256 of the bytes.",
    "Accept-Ranges": "bytes",
    "Content-Disposition": "attachment, except for PNG images.",
    "X-Content-Type-Options": "nosniff",
}


@operation(
    method="GET",
    path="/artifacts/{artifact_id}",
    tag="artifacts",
    headers=("If-None-Match",),
    replies={200: Reply("The file's description.", schemas.Artifact)},
    errors=(errors.NotFound,),
)
def get_artifact(artifact_id: str) -> Response:
    """Look at a file's name, size and SHA-256."""
    return tagged(answer(shapes.artifact(context.repository().artifact(artifact_id))))


@operation(
    method="GET",
    path="/artifacts/{artifact_id}/content",
    tag="artifacts",
    headers=("Range", "If-None-Match"),
    replies={
        200: Reply("The bytes.", media=(ANY,), headers=CONTENT_HEADERS),
        307: Reply("Where the bytes are, in a store of their own; the link can be read for some minutes."),
        206: Reply("A part of the bytes.", media=(ANY,), headers=CONTENT_HEADERS),
    },
    errors=(errors.NotFound, RangeNotSatisfiable),
)
def get_content(artifact_id: str) -> Response:
    """Download a file, or a range of it."""
    row = context.repository().artifact(artifact_id)
    check_wanted(row)
    audit.info("download %s by %s, request %s", row.id, context.principal().owner, context.request_id())
    return content(row)


def check_wanted(row: tables.Artifact) -> None:
    """Raise where the client wants another type than the file has."""
    accepted = request.accept_mimetypes
    if accepted and not accepted[row.media_type.split(";")[0]]:
        raise NotAcceptable(offered=row.media_type)


def content(row: tables.Artifact) -> Response:
    """The bytes of a file, streamed from the store."""
    store = context.engine().store
    name = row.name.rpartition("/")[2]
    link = store.link(row.sha256, name, row.media_type) if row.media_type not in INLINE else None
    if link is not None:
        return _elsewhere(row, link)
    try:
        path = store.local_path(row.sha256)
        reply = send_file(
            path if path is not None else store.open(row.sha256),
            mimetype=row.media_type,
            as_attachment=row.media_type not in INLINE,
            download_name=name,
            conditional=path is not None,
            etag=row.sha256,
            max_age=0,
        )
    except FileNotFoundError:
        raise not_found("file", row.id) from None
    if path is None:
        reply.content_length = row.size
        reply.make_conditional(request, accept_ranges=True, complete_length=row.size)
    reply.headers["Cache-Control"] = CACHE
    reply.headers["Content-Security-Policy"] = SANDBOX
    reply.headers.pop("Last-Modified", None)
    return reply


def _elsewhere(row: tables.Artifact, link: str) -> Response:
    """Send the reader on to the store itself, for the whole file or a range; what it must be is said here already."""
    reply = Response(status=307, headers={"Location": link, "Cache-Control": "no-store"})
    reply.headers["Repr-Digest"] = f"sha-256=:{b64encode(bytes.fromhex(row.sha256)).decode()}:"
    reply.set_etag(row.sha256)
    reply.make_conditional(request)
    return reply


VIEWS = (get_artifact, get_content)
