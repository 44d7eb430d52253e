"""A job's live stream (server-sent events): what to ask for, what a line means, when to ask again."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aigc.errors import ApiError
from aigc.records import Event
from aigc.wire import Call, ConnectionLost, Patience, backoff, not_reachable

QUIET = 30.0  # the server says at least every ten seconds that it is there
NO_STREAM_LEFT = "too-many-streams"


@dataclass
class Stream:
    """One reader's place in the events of a job; it outlives the connections that carry it.

    Attributes:
        after: The number of the last event that arrived; the next connection goes on after it.
        ended: Whether the last event was the end of the job.
        news: Whether the connection that is open has brought an event with a number.
    """

    job_id: str
    patience: Patience
    after: int = 0
    ended: bool = False
    news: bool = False
    _failures: int = 0
    _kind: str = ""
    _number: str = ""
    _data: list[str] = field(default_factory=list)

    def call(self) -> Call:
        """The request that opens the stream, or goes on with it."""
        self.news = False
        self._forget()
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": str(self.after)} if self.after else {})
        return Call("GET", f"jobs/{self.job_id}/events", headers=headers, wait=QUIET)

    def read(self, line: str) -> Event | None:
        """Take the next line; gives the event that it completes, if it does."""
        self._failures = 0
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "id":
            self._number = value
        elif name == "data":
            self._data.append(value)
        elif not line and self._data:
            return self._event()
        return None

    def failed(self, error: ConnectionLost | ApiError) -> float:
        """Seconds until the next try after a connection that broke.

        Raises:
            ApiError: Trying again makes no sense, or was of no use.
        """
        attempt, self._failures = self._failures, self._failures + 1
        if isinstance(error, ConnectionLost) and attempt < self.patience.retries:
            return backoff(attempt, self.patience)
        raise not_reachable(str(error)) if isinstance(error, ConnectionLost) else error

    def _event(self) -> Event:
        said: dict[str, Any] = json.loads("\n".join(self._data))
        kind, number = self._kind, self._number
        self._forget()
        if not number:
            return Event(self.after, kind, datetime.now(UTC), said)
        self.after, self.news, self.ended = int(number), True, kind == "end"
        return Event.of(said)

    def _forget(self) -> None:
        self._kind, self._number, self._data = "", "", []
