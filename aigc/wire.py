"""One request and its retries, written once for the synchronous and the asynchronous client.

Everything here is a generator that asks for effects (:class:`Call`, :class:`Sleep`) and is sent
their results by a driver in :mod:`aigc.transport`. So policies are tested without a network.
"""

import email.utils
import random
import time
from collections import OrderedDict
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from aigc.errors import ApiError, NotReachable, Problem, error_from
from aigc.speech import say

T = TypeVar("T")
Flow = Generator["Call | Sleep", Any, T]

RETRIED = frozenset({429, 502, 503, 504})


class Tagged(dict[str, Any]):
    """A JSON object as it came, with the ETag it had."""

    etag: str = ""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send as multipart form, with the other fields of the form."""

    path: Path
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request. All of ours may be sent twice: writing ones carry an idempotency key.

    Attributes:
        save_to: Where to stream the reply's body; the reply then holds its SHA-256 as body.
        wait: Seconds the server may hold the reply back, on top of the usual time limit.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None
    content: bytes | None = None
    save_to: Path | None = None
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class Sleep:
    """Let time pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; header names are in lower case, ``body`` is parsed where it is JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any


class ConnectionLost(Exception):
    """No whole reply came: refused, reset, timed out."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long to try again.

    Attributes:
        retries: Tries after the first.
        base: Seconds before the first retry; each further one doubles it. Drawn at random below that.
        cap: Longest pause of our own choosing, in seconds.
        longest_wish: Longest ``Retry-After`` that is obeyed; a longer one ends in the error at once.
    """

    retries: int = 5
    base: float = 0.25
    cap: float = 8.0
    longest_wish: float = 60.0


class ReplyCache:
    """The last replies that had an ETag, so that an unchanged one is not sent again."""

    def __init__(self, size: int = 64) -> None:
        self._size = size
        self._kept: OrderedDict[tuple[str, tuple[tuple[str, str], ...]], Reply] = OrderedDict()

    def find(self, call: Call) -> Reply | None:
        """The reply kept for the same address."""
        return self._kept.get((call.path, call.query)) if _cachable(call) else None

    def keep(self, call: Call, reply: Reply) -> None:
        """Remember a reply, and forget the oldest ones."""
        if _cachable(call) and reply.status == 200 and "etag" in reply.headers:
            self._kept[call.path, call.query] = reply
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)


def _cachable(call: Call) -> bool:
    # with the known ETag, a request that may be held back would wait for another change than we want
    return call.method == "GET" and call.save_to is None and not call.wait


def send(call: Call, patience: Patience, cache: ReplyCache) -> Flow[Reply]:
    """Send a request until it is answered for good.

    Raises:
        ApiError: The server refused, or retries were of no use.
    """
    known = cache.find(call)
    if known is not None:
        call = _with_header(call, "If-None-Match", known.headers["etag"])
    for attempt in range(patience.retries + 1):
        last = attempt == patience.retries
        try:
            reply: Reply = yield call
        except ConnectionLost as lost:
            if last:
                raise not_reachable(str(lost)) from lost
            yield Sleep(backoff(attempt, patience))
            continue
        if reply.status == 304 and known is not None:
            return known
        if reply.status < 400:
            cache.keep(call, reply)
            return reply
        pause = _pause(reply, attempt, patience)
        if last or pause is None:
            raise error_from(reply.status, reply.headers, reply.body)
        yield Sleep(pause)
    raise AssertionError("the last attempt returns or raises")


@dataclass(frozen=True, slots=True)
class Wire:
    """How a client's requests are sent; every flow takes one."""

    patience: Patience
    cache: ReplyCache

    def json(self, call: Call) -> Flow[Any]:
        """Send a request and give its parsed body."""
        reply: Reply = yield from send(call, self.patience, self.cache)
        return reply.body


def _pause(reply: Reply, attempt: int, patience: Patience) -> float | None:
    """Seconds until the next try, or None where trying again makes no sense."""
    wish = retry_after(reply.headers)
    in_flight = reply.status == 409 and wish is not None  # the same key is being worked on
    if reply.status not in RETRIED and not in_flight:
        return None
    if wish is None:
        return backoff(attempt, patience)
    return wish if wish <= patience.longest_wish else None


def backoff(attempt: int, patience: Patience) -> float:
    """Seconds to wait after a try that failed: drawn at random, doubled with every try."""
    return random.uniform(0.5, 1.0) * min(patience.cap, patience.base * 2.0**attempt)  # noqa: S311 - jitter


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds a reply asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None


def _with_header(call: Call, name: str, value: str) -> Call:
    return replace(call, headers={**call.headers, name: value})


def not_reachable(said: str) -> ApiError:
    """The error for a server that did not answer, with what was said about that."""
    return NotReachable(Problem(code="not-reachable", title=say("The server cannot be reached"), detail=said))
