"""Uploads in pieces, by tus 1.0: begin one, ask how far it is, go on, and make a dataset of it."""

import base64
import binascii
from collections.abc import Mapping
from email.utils import format_datetime

from flask import Flask, Response, request
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.exceptions import ClientDisconnected

from aigc_models.base import InputError
from aigc_models.data import kinds
from jobs import errors, incoming
from web import context, rates, schemas, uploads
from web.api import datasets, parsing
from web.api.render import answer, api, nothing
from web.api.routing import Reply, operation
from web.auth import audit
from web.problems import BadRequest, WrongMediaType

VERSION = "1.0.0"
PIECE, BYTES = "application/offset+octet-stream", "application/octet-stream"
LONGEST_METADATA = 8_192
TOLD = ("filename", "name", "kind", "head")
PLACE_HEADERS = {
    "Upload-Offset": "Bytes that have come; the next piece begins there.",
    "Upload-Expires": "When the upload is given up unless more comes.",
    "Tus-Resumable": "Version of the protocol.",
}
MADE_HEADERS = {"Location": "Address of the upload.", **PLACE_HEADERS}


class OtherTusVersion(errors.AigcError):
    """This server speaks tus {version}, not {asked}."""

    code, status, title = "other-tus-version", 412, "Another version of the protocol"


class DatasetOf(BaseModel):
    """What should be known about the file."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field("", title="Kind", description=datasets.KIND_CHOICE, max_length=16, pattern=parsing.NO_NUL)
    name: str = Field(
        "", title="Name", description="What the dataset is called.", max_length=120, pattern=parsing.NO_NUL
    )
    licence: str = Field(
        "", title="Licence", description="Licence of the data.", max_length=120, pattern=parsing.NO_NUL
    )
    notes: str = Field(
        "", title="Notes", description="Where it is from, what to know.", max_length=10_000, pattern=parsing.NO_NUL
    )
    params: datasets.ImportParams = Field(
        default_factory=datasets.ImportParams, title="Params", description="Settings of the import."
    )


def init_app(app: Flask) -> None:
    """Tell on every reply what of the protocol is spoken."""

    def tell(reply: Response) -> Response:
        if request.path.startswith(uploads.PIECES):
            reply.headers["Tus-Resumable"] = reply.headers["Tus-Version"] = VERSION
            reply.headers["Tus-Extension"] = "creation,expiration,termination"
            reply.headers["Tus-Max-Size"] = str(context.settings().max_upload)
        return reply

    app.after_request(tell)


@operation(
    method="POST",
    path="/uploads",
    tag="uploads",
    scope="submit",
    headers=("Upload-Length", "Upload-Metadata", "Tus-Resumable"),
    replies={201: Reply("The upload can be sent.", schemas.Upload, headers=MADE_HEADERS)},
    errors=(
        errors.FileTooLarge,
        errors.StorageFull,
        errors.EmptyFile,
        errors.UnsupportedFile,
        errors.InvalidParams,
        OtherTusVersion,
    ),
)
def create_upload() -> Response:
    """Begin an upload that is sent in pieces, by the protocol tus 1.0.

    Worth it above 8 MB: after a lost connection it goes on where it was, for a day. With the first bytes of the file
    as `head` in `Upload-Metadata`, 1,500 or so, a file that can be no dataset is refused before it is sent.
    """
    _check_version()
    rates.count("uploads")
    length = _number("Upload-Length")
    told = _metadata()
    filename = told.get("filename", told.get("name", b"")).decode(errors="replace")
    _check_beginning(filename, told)
    made = incoming.begin(context.settings(), context.principal(), filename, length)
    reply = _told(made, 201)
    reply.headers["Location"] = api(f"/uploads/{made.id}")
    return reply


@operation(
    method="GET",
    path="/uploads/{upload_id}",
    tag="uploads",
    headers=("Tus-Resumable",),
    replies={200: Reply("How far the upload is.", schemas.Upload, headers=PLACE_HEADERS)},
    errors=(errors.NotFound, OtherTusVersion),
)
def get_upload(upload_id: str) -> Response:
    """See how far an upload is; `HEAD` gives the headers alone."""
    _check_version()
    return _told(_found(upload_id))


@operation(
    method="PATCH",
    path="/uploads/{upload_id}",
    tag="uploads",
    scope="submit",
    headers=("Upload-Offset", "Tus-Resumable"),
    raw=(PIECE, BYTES),
    replies={204: Reply("The piece has been added.", headers=PLACE_HEADERS)},
    errors=(
        errors.NotFound,
        errors.UploadMoved,
        errors.UploadOverrun,
        errors.StorageFull,
        OtherTusVersion,
        WrongMediaType,
    ),
)
def append_upload(upload_id: str) -> Response:
    """Send the next piece of an upload, of any size.

    What has come before a connection breaks is kept; ask for the new offset, then go on from there.
    """
    _check_version()
    if request.mimetype not in (PIECE, BYTES):
        raise WrongMediaType(wanted=PIECE, found=request.mimetype or "nothing")
    offset, known = _number("Upload-Offset"), _found(upload_id)
    incoming.check_room(context.settings(), request.content_length or 0)
    try:
        known = incoming.append(context.settings(), known, offset, request.stream.read)
    except ClientDisconnected:
        raise BadRequest("The connection broke. Ask for the offset of the upload, then go on from there.") from None
    return _placed(nothing(), known)


@operation(
    method="DELETE",
    path="/uploads/{upload_id}",
    tag="uploads",
    scope="submit",
    headers=("Tus-Resumable",),
    replies={204: Reply("The upload is forgotten.")},
    errors=(errors.NotFound, OtherTusVersion),
)
def delete_upload(upload_id: str) -> Response:
    """Call an upload off; a dataset that was made of it stays."""
    _check_version()
    incoming.remove(context.settings(), _found(upload_id))
    audit.info("delete %s by %s, request %s", upload_id, context.principal().owner, context.request_id())
    return nothing()


@operation(
    method="POST",
    path="/uploads/{upload_id}/dataset",
    tag="uploads",
    scope="submit",
    headers=("Idempotency-Key", "Prefer"),
    body=DatasetOf,
    optional_body=True,
    replies=datasets.MADE,
    errors=(*datasets.MADE_ERRORS, errors.NotFound, errors.UploadIncomplete),
)
def create_dataset_of_upload(upload_id: str, body: DatasetOf) -> Response:
    """Make a dataset of an upload of which all has come; sent again, it gives the same dataset.

    The reply waits for the check, as that to a whole file does. After a refusal for a setting, correct it and
    send this again: the bytes are still there.
    """
    described = uploads.Described(
        kind=body.kind.strip(),
        name=body.name.strip(),
        licence=body.licence,
        notes=body.notes,
        params=body.params.model_dump(),
        idempotency_key=parsing.idempotency_key(),
    )
    with parsing.pointing_into_params():
        made = uploads.finish(upload_id, described)
    return datasets.checked(*made)


def _found(upload_id: str) -> incoming.Incoming:
    return incoming.find(context.settings(), context.principal(), upload_id)


def _told(known: incoming.Incoming, status: int = 200) -> Response:
    base = api(f"/uploads/{known.id}")
    shown = schemas.Upload(
        id=known.id,
        filename=known.filename,
        offset=known.offset,
        length=known.length,
        expires_at=known.expires_at,
        dataset=known.dataset,
        links=schemas.UploadLinks(self=base, dataset=f"{base}/dataset"),
    )
    return _placed(answer(shown, status), known)


def _placed(reply: Response, known: incoming.Incoming) -> Response:
    reply.headers["Upload-Offset"] = str(known.offset)
    reply.headers["Upload-Length"] = str(known.length)
    reply.headers["Upload-Expires"] = format_datetime(known.expires_at, usegmt=True)
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _check_version() -> None:
    """Programs that are no clients of tus may leave the header out."""
    asked = request.headers.get("Tus-Resumable", VERSION)
    if asked != VERSION:
        raise OtherTusVersion(version=VERSION, asked=asked[:20])


def _number(name: str) -> int:
    sent = request.headers.get(name, "")
    if not (sent.isascii() and sent.isdecimal() and len(sent) <= 15):
        raise BadRequest("The header {name} must be a number of bytes.", name=name)
    return int(sent)


def _metadata() -> dict[str, bytes]:
    """What ``Upload-Metadata`` says: pairs of a key and base64, with commas between."""
    sent = request.headers.get("Upload-Metadata", "")
    told = {}
    for pair in sent[:LONGEST_METADATA].split(","):
        key, _, value = pair.strip().partition(" ")
        if key in TOLD:
            try:
                told[key] = base64.b64decode(value, validate=True)
            except binascii.Error:
                raise BadRequest("The header Upload-Metadata must have pairs of a key and base64.") from None
    return told


def _check_beginning(filename: str, told: Mapping[str, bytes]) -> None:
    """Refuse what can be no dataset, by its first bytes, where they were told."""
    if "head" in told:
        try:
            kind = told.get("kind", b"").decode(errors="replace").strip()
            kinds.precheck_beginning(told["head"], uploads.safe_filename(filename), kind)
        except InputError as error:
            raise uploads.refusal(error) from None


VIEWS = (create_upload, get_upload, append_upload, delete_upload, create_dataset_of_upload)
