"""Fetching a file for a dataset from a host that the operator lists: checked, in time, and no larger than allowed.

The address, each redirect and everything a name leads to pass the guard of the webhooks; nothing is looked up twice.
"""

import http.client
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import IO
from urllib.parse import unquote, urljoin

from aigc_models.base import Fault
from jobs.artifacts import in_words
from jobs.errors import FileTooLarge, InvalidParams
from jobs.settings import Settings
from jobs.webhooks import receivers
from jobs.webhooks.receivers import Policy, Receiver
from jobs.webhooks.sending import INTERNET, Deadline, Incoming, Network, NotPublic, connect, send

SECONDS = 300.0
MOST_REDIRECTS = 5
CHUNK = 2**20
HEAD_ROOM, MARKS = 2**20, 8  # for status and headers; and how much the marks between small chunks may add
REDIRECTS = frozenset({301, 302, 303, 307, 308})

SENTENCES: Mapping[str, str] = {
    "off": "Fetching datasets from an address is switched off on this server. The operator allows hosts with "
    "AIGC_DATASET_HOSTS. Upload the file instead.",
    "unreadable": "The address of a dataset must read like https://name/path: ASCII, at most {longest} characters, "
    "without user name, fragment, blanks, and numbers other than a plain IP address in the place of the name.",
    "not listed": "Datasets may not be fetched from {host}. The operator lists the hosts in AIGC_DATASET_HOSTS.",
    "not private": "The address {host} is not a public one. The operator lists hosts inside in "
    "AIGC_DATASET_ALLOW_PRIVATE.",
    "plain": "A dataset is fetched by https. Plain http is only for hosts that AIGC_DATASET_ALLOW_PRIVATE lists with "
    "http://.",
    "port": "Datasets may not be fetched from port {port} of {host}. The ports are 443, 8443 and those listed with the "
    "host.",
}
CODES = ("fetching-off", "invalid-url")
POINTER = "/url"

NOT_PUBLIC = "The name {host} leads to an address that is not public, so nothing was fetched."
NO_NAME = "The name {host} cannot be resolved. Correct the address."
TOO_SLOW = "The host {host} took longer than {seconds} seconds. Upload the file in pieces instead."
BAD_CERTIFICATE = "The certificate of {host} is not valid for its name."
NO_CONNECTION = "No connection to {host} could be made. Try again later, or upload the file."
BROKEN = "The connection to {host} broke before all of the file had come. Send the request again."
NO_HTTP = "What {host} answered is not HTTP."
ANSWERED_BADLY = (
    "The host {host} answered {answer}. Correct the address, or see that the file may be read without signing in."
)
TOO_MANY_REDIRECTS = "The host {host} redirects again and again. Use the address where the file really lies."


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that has come.

    Attributes:
        filename: What it is called there.
        size: Its bytes.
    """

    filename: str
    size: int


class _Redirected(Exception):
    def __init__(self, to: str) -> None:
        self.to = to


def policy(settings: Settings) -> Policy:
    """Where files may be fetched from."""
    return Policy(settings.dataset_hosts, settings.dataset_allow_private, SENTENCES, CODES, POINTER)


def fetch(url: str, settings: Settings, open_file: Callable[[int], IO[bytes]], network: Network = INTERNET) -> Fetched:
    """Fetch a file.

    Args:
        url: Where it lies.
        settings: What the operator allows.
        open_file: Gives the file to write to, told how many bytes are expected (0 where that is not known).
        network: How names are looked up and connections made.

    Raises:
        InvalidParams: Fetching is off, the host is not allowed, or it did not give the file; with the reason.
        FileTooLarge: The file is larger than uploads may be.
    """
    deadline = Deadline(SECONDS)
    for _ in range(MOST_REDIRECTS + 1):
        source = receivers.check(url, policy(settings))
        try:
            return _told(source, lambda place: _get(place, settings, open_file, network, deadline))
        except _Redirected as elsewhere:
            url = urljoin(url, elsewhere.to)
    raise _failed(TOO_MANY_REDIRECTS, source)


def _told(source: Receiver, get: Callable[[Receiver], Fetched]) -> Fetched:
    """Say what the network does in a sentence."""
    try:
        return get(source)
    except NotPublic:
        raise _failed(NOT_PUBLIC, source) from None
    except socket.gaierror:
        raise _failed(NO_NAME, source) from None
    except TimeoutError:
        raise _failed(TOO_SLOW, source, seconds=int(SECONDS)) from None
    except ssl.SSLCertVerificationError:
        raise _failed(BAD_CERTIFICATE, source) from None
    except (http.client.IncompleteRead, ConnectionResetError, BrokenPipeError, ssl.SSLError):
        raise _failed(BROKEN, source) from None
    except http.client.HTTPException:
        raise _failed(NO_HTTP, source) from None
    except ConnectionError:
        raise _failed(NO_CONNECTION, source) from None


def _get(
    source: Receiver, settings: Settings, open_file: Callable[[int], IO[bytes]], network: Network, deadline: Deadline
) -> Fetched:
    try:
        link = connect(source, network, deadline)
    except (TimeoutError, socket.gaierror, ssl.SSLError, ConnectionError):
        raise
    except OSError:
        raise ConnectionRefusedError from None
    limit = settings.max_upload
    with link:
        send(link, _head(source), deadline)
        reply = http.client.HTTPResponse(Incoming(link, deadline, MARKS * limit + HEAD_ROOM), method="GET")  # type: ignore[arg-type]  # it only asks for makefile()
        with reply:
            reply.begin()
            if reply.status in REDIRECTS and (to := reply.getheader("Location")):
                raise _Redirected(to)
            if reply.status != http.client.OK:
                raise _failed(ANSWERED_BADLY, source, answer=f"{reply.status} {reply.reason}"[:80].strip())
            expected = reply.length or 0
            if expected > limit:
                raise FileTooLarge(limit=in_words(limit))
            return Fetched(_filename(source, reply.msg), _copy(reply, open_file(expected), limit))


def _copy(reply: http.client.HTTPResponse, to: IO[bytes], limit: int) -> int:
    expected, size = reply.length, 0
    while chunk := reply.read(CHUNK):
        size += len(chunk)
        if size > limit:
            raise FileTooLarge(limit=in_words(limit))
        to.write(chunk)
    if expected is not None and size < expected:
        raise http.client.IncompleteRead(b"", expected - size)
    to.flush()
    return size


def _head(source: Receiver) -> bytes:
    lines = (
        f"GET {source.target} HTTP/1.1",
        f"Host: {source.authority}",
        "User-Agent: aigc-foundry-datasets",
        "Accept: */*",
        "Accept-Encoding: identity",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _filename(source: Receiver, headers: Message) -> str:
    """What the host calls the file, else the last part of the address."""
    return headers.get_filename() or unquote(source.target.partition("?")[0].rpartition("/")[2]) or source.host


def _failed(sentence: str, source: Receiver, **values: object) -> InvalidParams:
    fault = Fault(sentence, {"host": source.host, **values}, POINTER, code="fetch-failed")
    return InvalidParams(faults=[fault])
