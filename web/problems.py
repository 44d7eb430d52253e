"""What went wrong, told as RFC 9457 problem JSON under ``/api`` and as a page elsewhere; never a trace."""

import logging
from collections.abc import Iterable, Sequence

from flask import Flask, Response, render_template, request
from markupsafe import Markup
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from aigc_models.base import Fault
from jobs.artifacts import in_words
from jobs.errors import (
    AigcError,
    FileTooLarge,
    Forbidden,
    InvalidParams,
    NotFound,
    StorageFull,
    Unauthorized,
    Unavailable,
)
from web import context
from web.schemas import Problem, ProblemError
from web.translate import language, say, say_fault

log = logging.getLogger("aigc.web")

PROBLEM_TYPE = "application/problem+json"
HELP = "/docs/problems/"
RETRY_AFTER = {429: "20", 503: "2"}


class BadRequest(AigcError):
    """The request cannot be read."""

    code, status, title = "bad-request", 400, "The request cannot be read"


class AddressTooLong(BadRequest):
    """The address is longer than 8190 characters."""

    status = 414


class HeadersTooLarge(BadRequest):
    """The headers are larger than the server reads."""

    status = 431


class MalformedJson(AigcError):
    """The body is not JSON: {reason}."""

    code, status, title = "malformed-json", 400, "The body is not JSON"


class FormExpired(AigcError):
    """The form was opened too long ago or in another session. Go back, reload the page and send it again."""

    code, status, title = "form-expired", 400, "The form has expired"


class UnknownAddress(AigcError):
    """There is nothing at the address {path}."""

    code, status, title = "not-found", 404, "Not found"


class WrongMethod(AigcError):
    """The address {path} does not accept {method}."""

    code, status, title = "method-not-allowed", 405, "Method not allowed"


class NotAcceptable(AigcError):
    """This address answers with {offered}, which the Accept header does not allow."""

    code, status, title = "not-acceptable", 406, "Not available in that form"


class BodyTooLarge(AigcError):
    """The body is larger than the limit of {limit}."""

    code, status, title = "body-too-large", 413, "The body is too large"


class WrongMediaType(AigcError):
    """The body must be sent as {wanted}, not as {found}."""

    code, status, title = "unsupported-media-type", 415, "The body has the wrong type"


class RangeNotSatisfiable(AigcError):
    """The file does not have the bytes that the Range header asks for."""

    code, status, title = "range-not-satisfiable", 416, "No such range"


class TooManyRequests(AigcError):
    """Too many requests came in a short time. Wait as long as the header Retry-After says, then send again."""

    code, status, title = "too-many-requests", 429, "Too many requests"

    @property
    def retry_after(self) -> str:
        """Seconds to wait."""
        return str(self.values.get("seconds", RETRY_AFTER[self.status]))


class TooManyStreams(AigcError):
    """All {size} event streams of this server are in use. Ask again later, or poll the job instead."""

    code, status, title = "too-many-streams", 503, "Too many event streams"


class NeedsUpload(AigcError):
    """The task {task} starts with an upload. Send the file to /api/v1/datasets instead."""

    code, status, title = "needs-upload", 422, "A file is needed"


class DatasetRefused(AigcError):
    """The file cannot be used as a dataset."""

    code, status, title = "dataset-refused", 422, "The file cannot be used"

    def __init__(self, code: str, faults: Sequence[Fault] = (), **ids: str) -> None:
        super().__init__(faults=faults)
        self.code = code  # type: ignore[misc]  # the reason found in the data
        self.ids = ids


class Internal(AigcError):
    """Something went wrong on the server. Nothing of the request was kept. Report it with the request id."""

    code, status, title = "internal", 500, "Something went wrong"


def init_app(app: Flask) -> None:
    """Tell every fault in the form its reader wants."""
    app.register_error_handler(AigcError, _known)
    app.register_error_handler(HTTPException, _http)
    # PostgreSQL tells by an InternalError whom it cut off for being frozen within a transaction.
    for outage in (OperationalError, InterfaceError, InternalError, PoolTimeout):
        app.register_error_handler(outage, _outage)
    app.register_error_handler(Exception, _unknown)


def response(error: AigcError) -> Response:
    """The reply that tells an error: problem JSON under ``/api``, a page elsewhere."""
    body = problem(error)
    if wants_json():
        text = body.model_dump_json(exclude_none=True)
        reply = Response(text, status=error.status, content_type=PROBLEM_TYPE)
        reply.headers["Content-Language"] = language()
    else:
        reply = Response(_page(body), status=error.status, content_type="text/html; charset=utf-8")
    reply.headers["Cache-Control"] = "no-store"
    if error.status in RETRY_AFTER:
        fixed = RETRY_AFTER[error.status]
        reply.headers["Retry-After"] = error.retry_after if isinstance(error, TooManyRequests) else fixed
    if isinstance(error, Unauthorized):
        reply.headers["WWW-Authenticate"] = 'Bearer realm="aigc"'
    return reply


def problem(error: AigcError) -> Problem:
    """The RFC 9457 object of an error, in the reader's language."""
    return Problem(
        type=HELP + error.code,
        title=say(error.title),
        status=error.status,
        detail=_detail(error),
        instance=request.path,
        code=error.code,
        request_id=context.request_id(),
        help_url=HELP + error.code,
        errors=told(error.faults) or None,
        used_by=error.values.get("users"),
        **(error.ids if isinstance(error, DatasetRefused) else {}),
    )


def told(faults: Iterable[Fault]) -> list[ProblemError]:
    """Faults as sentences with their places."""
    return [
        ProblemError(
            detail=say_fault(fault),
            pointer=f"#{fault.pointer}" if fault.pointer else None,
            where=dict(fault.where) or None,
            code=fault.code,
        )
        for fault in faults
    ]


def wants_json() -> bool:
    """Whether this request is a program's."""
    return request.path.startswith("/api/") or request.path in ("/healthz", "/readyz", "/metrics", "/openapi.json")


def _detail(error: AigcError) -> str:
    if len(error.faults) == 1 and not error.values:
        return say_fault(error.faults[0])
    return say(error.message, error.values)


def _page(body: Problem) -> str:
    try:
        return render_template(
            "error.html",
            code=body.code,
            title=body.title,
            detail=body.detail,
            request_id=body.request_id,
            status=body.status,
            errors=body.errors or [],
            users=body.used_by or [],
        )
    except Exception:
        # The frame of every page reads from the database, which may be what fails.
        log.exception("the error page failed, request %s", body.request_id)
        said = Markup("<h1>{}</h1><p>{}</p><p>{}</p>").format(body.title, body.detail, body.request_id)
        return Markup('<!doctype html><html lang="{}"><title>{}</title>{}').format(language(), body.title, said)


def _known(error: AigcError) -> Response:
    return response(error)


def _http(error: HTTPException) -> Response:
    """Errors of Flask and Werkzeug: no address, wrong method, broken body."""
    if error.response is not None or (error.code or 500) < 400:
        return error.get_response()  # type: ignore[return-value]  # a redirect of the router
    reply = response(_translate_http(error))
    for name, value in error.get_headers():  # Allow, Content-Range
        if name != "Content-Type":
            reply.headers[name] = value
    return reply


def _translate_http(error: HTTPException) -> AigcError:
    match error.code:
        case 401:
            return Unauthorized()
        case 403:
            return Forbidden()
        case 404:
            return UnknownAddress(path=request.path)
        case 405:
            return WrongMethod(path=request.path, method=request.method)
        case 413:
            return too_large()
        case 415:
            return WrongMediaType(wanted="application/json", found=request.mimetype or "nothing")
        case 416:
            return RangeNotSatisfiable()
        case 422:
            return InvalidParams()
        case 429:
            return TooManyRequests()
        case 503:
            return Unavailable("The server cannot answer at the moment. Send again in a moment.")
        case code if code is not None and 400 <= code < 500:
            return BadRequest()
    log.error("http error %s, request %s", error.code, context.request_id())
    return Internal()


def too_large() -> AigcError:
    """The body passed its limit, which differs between uploads and everything else."""
    limit = request.max_content_length or 0
    if limit > context.settings().max_upload:
        return FileTooLarge(limit=in_words(context.settings().max_upload))
    return BodyTooLarge(limit=in_words(limit))


def _outage(error: Exception) -> Response:
    if "disk" in str(error) and "full" in str(error):
        return response(StorageFull(free="0 bytes", needed=in_words(context.settings().min_free_disk)))
    log.error("database outage, request %s: %s", context.request_id(), type(error).__name__, exc_info=error)
    return response(Unavailable())


def _unknown(error: Exception) -> Response:
    log.exception("unexpected fault, request %s", context.request_id(), exc_info=error)
    return response(Internal())


def not_found(kind: str, found_id: str) -> NotFound:
    """There is none, or not for this caller: both read the same."""
    return NotFound(kind=kind, id=found_id)
