"""The one request of a delivery: to an address that was looked up once and checked, in a few seconds, no further.

Written on a plain socket: no redirects, no proxies of the environment, no second look-up of the
name between the check and the connection.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jobs.webhooks import networks
from jobs.webhooks.receivers import Receiver

SECONDS = 5.0
MOST_READ = 64 * 1024
MOST_ADDRESSES = 4
GONE = 410

ANSWERED_BADLY = "The receiver answered with an error."
REDIRECTS = "The receiver answered with a redirect, which is not followed."
IS_GONE = "The receiver answered that it is gone (410), so this delivery is not tried again."
TOO_SLOW = "The receiver did not answer within 5 seconds."
HUNG_UP = "The receiver closed the connection without an answer."
NO_HTTP = "What the receiver answered is not HTTP."
NO_CONNECTION = "No connection to the receiver could be made."
NO_NAME = "The receiver's name cannot be resolved."
BAD_CERTIFICATE = "The receiver's certificate is not valid for its name."
INSIDE = "The receiver's name leads to an address that is not public, so nothing was sent."


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended: the receiver's status if it answered, and one of the sentences above if it was no success."""

    status: int | None = None
    error: str | None = None


@lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """The system's certificate authorities, or those ``SSL_CERT_FILE`` names."""
    return ssl.create_default_context()


def dial(address: str, port: int, seconds: float) -> socket.socket:
    """Connect to an IP address."""
    return socket.create_connection((address, port), seconds)


@dataclass(frozen=True, slots=True)
class Network:
    """How names are looked up and connections made; tests put themselves in between.

    Attributes:
        resolve: Name, port and seconds to IP addresses.
        dial: IP address, port and seconds to a connection.
        tls: Whom to trust.
    """

    resolve: Callable[[str, int, float], list[str]] = networks.resolve
    dial: Callable[[str, int, float], socket.socket] = dial
    tls: Callable[[], ssl.SSLContext] = trusted


INTERNET = Network()


class Deadline:
    """The end of the time that something may take."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then. Raises :class:`TimeoutError` once it is past."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class NotPublic(Exception):
    """The name leads to an address that must not be dialled."""


def post(receiver: Receiver, headers: Mapping[str, str], body: bytes, network: Network) -> Outcome:
    """Send a body and learn the receiver's status; never raises for what the network does."""
    try:
        status = _exchange(receiver, headers, body, network)
    except NotPublic:
        return Outcome(error=INSIDE)
    except socket.gaierror:
        return Outcome(error=NO_NAME)
    except TimeoutError:
        return Outcome(error=TOO_SLOW)
    except ssl.SSLCertVerificationError:
        return Outcome(error=BAD_CERTIFICATE)
    except (ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
        return Outcome(error=HUNG_UP)
    except http.client.HTTPException:
        return Outcome(error=NO_HTTP)
    except OSError:
        return Outcome(error=NO_CONNECTION)
    if 200 <= status < 300:
        return Outcome(status)
    if status == GONE:
        return Outcome(status, IS_GONE)
    return Outcome(status, REDIRECTS if 300 <= status < 400 else ANSWERED_BADLY)


def _exchange(receiver: Receiver, headers: Mapping[str, str], body: bytes, network: Network) -> int:
    deadline = Deadline(SECONDS)
    with connect(receiver, network, deadline) as link:
        send(link, _head(receiver, headers, len(body)) + body, deadline)
        reply = http.client.HTTPResponse(Incoming(link, deadline), method="POST")  # type: ignore[arg-type]  # it only asks for makefile()
        with reply:
            reply.begin()
            # The status decides; the rest is only read so that the receiver is not cut off in the middle.
            with suppress(OSError, http.client.HTTPException, ValueError):
                reply.read()
            return reply.status


def connect(receiver: Receiver, network: Network, deadline: Deadline) -> socket.socket:
    """A connection to an address that was looked up once and checked.

    Raises:
        NotPublic: The name leads somewhere that must not be dialled.
        OSError: No connection can be made.
    """
    link = _dial(_addresses(receiver, network, deadline), receiver.port, network, deadline)
    if receiver.scheme != "https":
        return link
    try:
        link.settimeout(deadline.left())
        return network.tls().wrap_socket(link, server_hostname=receiver.host)
    except BaseException:
        link.close()
        raise


def _addresses(receiver: Receiver, network: Network, deadline: Deadline) -> list[str]:
    """Where the name leads, if everything it leads to may be dialled: one wrong address spoils the lot."""
    if networks.is_address(receiver.host):
        found = [receiver.host]
    else:
        found = network.resolve(receiver.host, receiver.port, deadline.left())
    if not found or not all(networks.may_be_dialled(address, private=receiver.private) for address in found):
        raise NotPublic
    return found[:MOST_ADDRESSES]


def _dial(addresses: list[str], port: int, network: Network, deadline: Deadline) -> socket.socket:
    for place, address in enumerate(addresses, 1):
        try:
            return network.dial(address, port, deadline.left() / (len(addresses) - place + 1))
        except OSError:
            if place == len(addresses):
                raise
    raise NotPublic


def _head(receiver: Receiver, headers: Mapping[str, str], length: int) -> bytes:
    own = {
        "Host": receiver.authority,
        "User-Agent": "aigc-foundry-webhooks",
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Connection": "close",
    }
    lines = [f"POST {receiver.target} HTTP/1.1", *(f"{name}: {value}" for name, value in {**own, **headers}.items())]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def send(link: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send all of it in time."""
    left = memoryview(data)
    while left:
        link.settimeout(deadline.left())
        left = left[link.send(left) :]


class Incoming(io.RawIOBase):
    """What a receiver answers, ended by the time limit and after so many bytes."""

    def __init__(self, link: socket.socket, deadline: Deadline, room: int = MOST_READ) -> None:
        self._link, self._deadline, self._room = link, deadline, room

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As :class:`http.client.HTTPResponse` asks a socket for its bytes."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come, at most as much as is still allowed."""
        if self._room <= 0:
            return 0
        self._link.settimeout(self._deadline.left())
        count = self._link.recv_into(memoryview(buffer)[: self._room])
        self._room -= count
        return count
