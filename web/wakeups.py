"""Announcing work from the web process: Celery's message, written to Redis without Celery.

Celery, kombu and redis-py cost 15 MiB and two milliseconds a message here, and a message has no
payload: its form (Celery's protocol 2 in kombu's envelope) is constant but for the ids. Addresses
that need more than a socket and a password (TLS, Sentinel) go through Celery after all.
"""

import base64
import json
import logging
import os
import socket
import threading
import time
from dataclasses import dataclass
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from jobs.dispatch import PAUSE_SECONDS, PUBLISH_SECONDS, TASK, CeleryDispatcher, Dispatcher
from jobs.settings import Settings

log = logging.getLogger("aigc.dispatch")

BODY = base64.b64encode(
    json.dumps([[], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]).encode()
).decode()
LONGEST_LINE = 1024

Reply = int | str


class BrokerError(OSError):
    """The broker answered with an error, or not at all."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where the broker listens."""

    place: str | tuple[str, int]
    database: str = "0"
    user: str = ""
    password: str = ""


def dispatcher(settings: Settings) -> Dispatcher:
    """The lightest dispatcher that can reach the broker."""
    address = parse(settings.broker_url)
    return CeleryDispatcher(settings) if address is None else SocketDispatcher(address, settings.key_prefix)


def parse(url: str) -> Address | None:
    """Read a broker's address; None if it needs more than we speak."""
    parts = urlsplit(url)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    asked = parse_qs(parts.query)
    if parts.scheme == "redis+socket" and set(asked) <= {"virtual_host"}:
        database = asked.get("virtual_host", ["0"])[0]
        return Address(unquote(parts.path), database, user, password)
    if parts.scheme == "redis" and not parts.query and ";" not in url:
        place = (parts.hostname or "127.0.0.1", parts.port or 6379)
        return Address(place, parts.path.strip("/") or "0", user, password)
    return None


class SocketDispatcher:
    """One connection of the process, opened when needed; see :class:`jobs.dispatch.Dispatcher`."""

    def __init__(self, address: Address, prefix: str) -> None:
        self._address = address
        self._prefix = prefix
        self._lock = threading.Lock()
        self._stream: BinaryIO | None = None
        self._silent_until = 0.0

    def announce(self, lane: str, device_kind: str) -> bool:
        """See :class:`jobs.dispatch.Dispatcher`."""
        queue = f"{lane}.{device_kind}"
        return self._ask("LPUSH", self._prefix + queue, message(queue)) is not None

    def waiting(self, lane: str, device_kind: str) -> int | None:
        """See :class:`jobs.dispatch.Dispatcher`."""
        found = self._ask("LLEN", f"{self._prefix}{lane}.{device_kind}")
        return found if isinstance(found, int) else None

    def alive(self) -> bool:
        """See :class:`jobs.dispatch.Dispatcher`."""
        return self._ask("PING") == "PONG"

    def close(self) -> None:
        """Give the connection back; the next use opens a new one."""
        with self._lock:
            self._close()

    def _ask(self, *words: str) -> Reply | None:
        """Send a command; None when it was not answered well. A frozen broker costs a second, once a second."""
        with self._lock:
            if time.monotonic() < self._silent_until:
                return None
            # A connection may have died with an earlier broker; a fresh one tells whether there is a broker now.
            for stream in (self._stream, None):
                try:
                    self._stream = stream or self._connect()
                    return command(self._stream, *words)
                except OSError as error:
                    self._close()
                    if stream is None or isinstance(error, TimeoutError):
                        self._silent_until = time.monotonic() + PAUSE_SECONDS
                        log.warning("The broker did not answer: %s", error)
                        return None
        return None

    def _connect(self) -> BinaryIO:
        where = self._address
        with _dial(where.place) as link:  # the stream keeps it open
            stream: Any = link.makefile("rwb")
        try:
            if where.password:
                command(stream, "AUTH", *filter(None, (where.user, where.password)))
            if where.database != "0":
                command(stream, "SELECT", where.database)
        except OSError:
            stream.close()
            raise
        return stream  # type: ignore[no-any-return]

    def _close(self) -> None:
        if self._stream is not None:
            try:
                self._stream.close()
            except OSError:
                log.debug("the connection was gone already")
            self._stream = None


def _dial(place: str | tuple[str, int]) -> socket.socket:
    if isinstance(place, tuple):
        return socket.create_connection(place, PUBLISH_SECONDS)
    link = socket.socket(socket.AF_UNIX)
    try:
        link.settimeout(PUBLISH_SECONDS)
        link.connect(place)
    except OSError:
        link.close()
        raise
    return link


def command(stream: BinaryIO, *words: str) -> Reply:
    """Send one command and read its reply.

    Raises:
        BrokerError: The reply is an error, or there is none.
    """
    encoded = [word.encode() for word in words]
    parts = [b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded]
    stream.write(b"*%d\r\n%s" % (len(parts), b"".join(parts)))
    stream.flush()
    line = stream.readline(LONGEST_LINE)
    if not line.endswith(b"\r\n") or line[:1] not in (b"+", b":"):
        raise BrokerError(line.decode(errors="replace").strip() or "the connection was closed")
    text = line[1:-2].decode()
    return int(text) if line[:1] == b":" else text


def message(queue: str) -> str:
    """A message for the one task there is, as Celery would send it."""
    id_ = str(uuid4())
    headers = {
        "lang": "py",
        "task": TASK,
        "id": id_,
        "root_id": id_,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "argsrepr": "()",
        "kwargsrepr": "{}",
        "origin": f"web{os.getpid()}@{socket.gethostname()}",
        "ignore_result": True,
    }
    properties = {
        "correlation_id": id_,
        "reply_to": "",
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid4()),
    }
    return json.dumps(
        {
            "body": BODY,
            "content-encoding": "utf-8",
            "content-type": "application/json",
            "headers": headers,
            "properties": properties,
        }
    )
