"""Webhooks: what happened to a job, signed and sent to the address that its submission names.

:mod:`receivers` says where one may go, :mod:`deliveries` keeps the rows, :mod:`sending` makes the
one request, :mod:`courier` does it all on time. Off until the operator lists hosts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jobs.settings import Settings
from jobs.webhooks import receivers, signing

EventKind = Literal["state", "phase", "checkpoint", "sample", "log", "end"]
EVENT_KINDS: tuple[EventKind, ...] = get_args(EventKind)
DEFAULT_EVENTS: tuple[EventKind, ...] = ("state", "end")


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where a job's events are sent.

    Attributes:
        url: The receiver's address; it may hold a secret, so only :attr:`shown` is ever shown.
        events: Kinds of events that are sent.
        server: Address of the web server that took the submission, for links.
    """

    url: str
    events: tuple[str, ...] = DEFAULT_EVENTS
    server: str = ""

    @property
    def shown(self) -> str:
        """The address without what follows the question mark."""
        path, mark, _ = self.url.partition("?")
        return f"{path}{mark}…" if mark else path

    def stored(self) -> dict[str, Any]:
        """As it is kept in the job's row."""
        return {"url": self.url, "events": list(self.events), "server": self.server}


def accept(settings: Settings, url: str, events: Iterable[str] = DEFAULT_EVENTS, server: str = "") -> Webhook:
    """Check a webhook of a submission.

    Raises:
        InvalidParams: Webhooks are off, or this receiver is not allowed.
    """
    receivers.read(url, settings)
    signing.secrets(settings)  # there is one from now on, for whoever writes the receiver
    chosen = frozenset(events)
    return Webhook(url, tuple(kind for kind in EVENT_KINDS if kind in chosen), server)


def of(stored: Mapping[str, Any] | None) -> Webhook | None:
    """The webhook in a job's row."""
    return Webhook(stored["url"], tuple(stored["events"]), stored["server"]) if stored else None
