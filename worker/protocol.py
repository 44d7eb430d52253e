"""Lines of JSON between a supervisor and its runner, on pipes of their own.

Standard output and error of the runner are not part of it: model code may print what it likes.

To the runner: ``run`` (everything an operation needs), ``run_many`` (the same for several jobs, its ``parts``, in
one call), ``cancel``, ``pause``. From it: ``ready``, ``phase``, ``progress``, ``log``, ``preview``, ``saving``,
``checkpoint`` and, once per run, ``end``. Of several jobs every message names its ``part``; when all have ended,
``over`` says so. A ``run`` on several ``devices`` is one that the runner shares with processes of its own
(:mod:`worker.mates`), of which the supervisor sees nothing.
"""

import json
import os
import select
import threading
from collections.abc import Mapping
from typing import Any

Message = Mapping[str, Any]
_CHUNK = 1 << 16
MAX_LINE = 1 << 24


class BrokenProtocol(Exception):
    """The other side wrote something that is no message."""


class Writer:
    """Writes messages, whole ones, from any thread.

    Args:
        fd: Descriptor of the pipe; closed by :meth:`close`.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def send(self, kind: str, /, **fields: Any) -> None:
        """Write one message.

        Raises:
            BrokenPipeError: Nobody reads any more.
        """
        line = json.dumps({"kind": kind, **fields}, allow_nan=False, default=str).encode() + b"\n"
        with self._lock:
            if self._fd < 0:
                raise BrokenPipeError
            while line:
                line = line[os.write(self._fd, line) :]

    def close(self) -> None:
        """Close the pipe; the reader sees its end."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1


class Reader:
    """Cuts what a pipe brings into messages.

    Args:
        fd: Descriptor of the pipe; blocking or not, as its owner set it.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.ended = False
        self._rest = b""

    def read(self) -> list[Message]:
        """The messages that one read completes; sets :attr:`ended` at the end of the pipe.

        Raises:
            BrokenProtocol: A line is no message, or has no end.
        """
        try:
            chunk = os.read(self.fd, _CHUNK)
        except BlockingIOError:
            return []
        if not chunk:
            self.ended = True
            return []
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise BrokenProtocol("a message has no end")
        return [_parse(line) for line in lines]

    def read_all(self) -> list[Message]:
        """Everything that a pipe which does not block still holds."""
        messages: list[Message] = []
        while True:
            found = self.read()
            messages += found
            if self.ended or (not found and not self._more()):
                return messages

    def _more(self) -> bool:
        return bool(select.select([self.fd], [], [], 0)[0])


def _parse(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except ValueError as error:
        raise BrokenProtocol("a line is no JSON") from error
    if not isinstance(message, dict) or not isinstance(message.get("kind"), str):
        raise BrokenProtocol("a line is no message")
    return message
