"""What can go wrong when talking to a server, as a tree; ``str(error)`` is the server's own sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin

from aigc.speech import say


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a request: a sentence, and where it applies.

    Attributes:
        detail: The sentence, the same as in the web form.
        pointer: JSON pointer to the setting (``/epochs``), or empty.
        where: Place in the data, such as ``{"file": "a.png"}``.
    """

    detail: str
    pointer: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Problem:
    """What a server says about a refused request (RFC 9457), in the fields a client needs.

    Attributes:
        dataset: Id of the dataset that was refused, where an upload was.
    """

    status: int = 0
    code: str = ""
    title: str = ""
    detail: str = ""
    errors: Sequence[Flaw] = ()
    request_id: str = ""
    help_url: str = ""
    dataset: str = ""


class ApiError(Exception):
    """The server refused or failed; the message is its sentence, or one line per flaw."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.status = problem.status
        self.code = problem.code
        self.title = problem.title
        self.detail = problem.detail
        self.errors = list(problem.errors)
        self.request_id = problem.request_id
        self.help_url = problem.help_url
        self.dataset = problem.dataset
        sentences = dict.fromkeys(flaw.detail for flaw in self.errors if flaw.detail)
        super().__init__("\n".join(sentences) or self.detail or self.title)


class NotFound(ApiError):
    """There is no such thing, or it belongs to somebody else."""


class InvalidParams(ApiError):
    """Settings or data cannot be used; ``errors`` lists every flaw."""


class Conflict(ApiError):
    """The request does not fit the present state, such as cancelling a finished job."""


class RateLimited(ApiError):
    """Too many requests, even after waiting as long as the server asked."""


class Unavailable(ApiError):
    """The server cannot serve at the moment, even after trying again."""


class NotReachable(Unavailable):
    """No server answered at the address."""


class Unauthorized(ApiError):
    """A token is missing, wrong, or not allowed to do this."""


class JobFailed(ApiError):
    """A job that was waited for failed, expired or was cancelled; ``job_id`` says which."""

    def __init__(self, problem: Problem, job_id: str) -> None:
        super().__init__(problem)
        self.job_id = job_id


class DamagedFile(ApiError):
    """A downloaded file does not have the SHA-256 the server names for it."""


class WaitTimeout(TimeoutError):
    """The job is not finished yet; it goes on, only the waiting ended."""

    def __init__(self, job_id: str, seconds: float) -> None:
        self.job_id = job_id
        sentence = "The job {job} has not finished within {seconds} s. It goes on."
        super().__init__(say(sentence, job=job_id, seconds=f"{seconds:g}"))


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidParams,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: InvalidParams,
    415: InvalidParams,
    422: InvalidParams,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}


def error_from(status: int, headers: Mapping[str, str], body: Any) -> ApiError:
    """The error a reply stands for, whether or not it is problem+json."""
    known = body if isinstance(body, Mapping) else {}
    reason = HTTPStatus(status).phrase if status in {item.value for item in HTTPStatus} else "an unknown status"
    problem = Problem(
        status=status,
        code=str(known.get("code") or str(known.get("type") or "").rsplit("/", 1)[-1]),
        title=str(known.get("title") or reason),
        detail=str(known.get("detail") or say("The server answered {reason}.", reason=f"{status} {reason}")),
        errors=flaws_from(known.get("errors")),
        request_id=str(known.get("request_id") or headers.get("x-request-id", "")),
        help_url=str(known.get("help_url") or known.get("type") or ""),
        dataset=str(known.get("dataset") or ""),
    )
    return _BY_STATUS.get(status, ApiError)(problem)


def job_failed(job: Mapping[str, Any], server: str = "") -> JobFailed:
    """The error a job that did not succeed stands for; ``server`` completes the address of its help page."""
    said = job.get("error") or {}
    cancelled = job["state"] == "cancelled"
    problem = Problem(
        code=str(said.get("code") or ("cancelled" if cancelled else "internal")),
        title=str(said.get("title") or say("The job was cancelled" if cancelled else "The job failed")),
        detail=str(said.get("detail") or (say("The job {job} was cancelled.", job=job["id"]) if cancelled else "")),
        errors=flaws_from(said.get("errors")),
        help_url=urljoin(server, str(said["help_url"])) if said.get("help_url") else "",
    )
    return JobFailed(problem, str(job["id"]))


def flaws_from(listed: Any) -> list[Flaw]:
    """The flaws a reply lists; whatever is not one is left out."""
    if not isinstance(listed, list):
        return []
    return [
        Flaw(str(item.get("detail", "")), str(item.get("pointer") or "").removeprefix("#"), item.get("where") or {})
        for item in listed
        if isinstance(item, Mapping)
    ]
