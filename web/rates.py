"""How often one caller may do what is costly: submit, upload, and fail to sign in.

The counting is that of the package ``limits``: a moving window in this process's memory. It is imported
only where something is limited, as it costs the process a megabyte.
"""

import ipaddress
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal, ParamSpec, TypeVar

from flask import Flask, current_app, g, request

from jobs.settings import RATE_OFF, Settings
from web.bind_guard import is_loopback
from web.problems import TooManyRequests

if TYPE_CHECKING:
    from limits import RateLimitItem

Kind = Literal["submissions", "uploads", "failed_logins"]
ELSEWHERE: Mapping[Kind, str] = {
    "submissions": "300/minute",
    "uploads": "60/minute",
    "failed_logins": "20/minute",
}
"""The limits of a server that other machines reach; one on loopback has none unless it is told to."""
SENTENCES: Mapping[Kind, str] = {
    "submissions": "Too many jobs at once. Try again in {seconds} s.",
    "uploads": "Too many uploads at once. Try again in {seconds} s.",
    "failed_logins": "Too many failed sign-ins from this address. Try again in {seconds} s.",
}
ONE_HOME = 64  # bits of an IPv6 address that one household or server is given

P = ParamSpec("P")
R = TypeVar("R")


class Rates:
    """The limits of one process, and what its callers have used of them."""

    def __init__(self, settings: Settings) -> None:
        texts = {kind: wanted(settings, kind) for kind in ELSEWHERE}
        self._limits: dict[Kind, list[RateLimitItem]] = {kind: [] for kind in texts}
        if any(texts.values()):
            from limits import parse_many
            from limits.storage import MemoryStorage
            from limits.strategies import MovingWindowRateLimiter

            self._window = MovingWindowRateLimiter(MemoryStorage())
            self._limits = {kind: parse_many(text) if text else [] for kind, text in texts.items()}

    def count(self, kind: Kind, caller: str) -> None:
        """Count one more.

        Raises:
            TooManyRequests: A limit is reached; this one does not count.
        """
        self.check(kind, caller)
        for limit in self._limits[kind]:
            if not self._window.hit(limit, kind, caller):  # others came between
                raise self._refused(limit, kind, caller)

    def check(self, kind: Kind, caller: str) -> None:
        """Whether one more would be allowed; nothing is counted.

        Raises:
            TooManyRequests: A limit is reached.
        """
        for limit in self._limits[kind]:
            if not self._window.test(limit, kind, caller):
                raise self._refused(limit, kind, caller)

    def _refused(self, limit: "RateLimitItem", kind: Kind, caller: str) -> TooManyRequests:
        free_at = self._window.get_window_stats(limit, kind, caller).reset_time
        return TooManyRequests(SENTENCES[kind], seconds=max(1, math.ceil(free_at - time.time())))


def wanted(settings: Settings, kind: Kind) -> str:
    """The limit of a kind as the package reads it, or nothing."""
    text: str = getattr(settings, f"rate_{kind}").strip().lower()
    if text:
        return "" if text == RATE_OFF else text
    return "" if is_loopback(settings.host) else ELSEWHERE[kind]


def init_app(app: Flask, settings: Settings) -> None:
    """Begin to count."""
    app.extensions["aigc_rates"] = Rates(settings)


def count(kind: Kind) -> None:
    """Count one more of the caller's. Raises :class:`TooManyRequests`."""
    _rates().count(kind, g.get("caller") or address())


def limited(kind: Kind) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a page's view be reached only so often."""

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        def counted(*args: P.args, **kwargs: P.kwargs) -> R:
            count(kind)
            return view(*args, **kwargs)

        counted.__name__, counted.__doc__ = view.__name__, view.__doc__
        return counted

    return decorate


def check_address() -> None:
    """Refuse an address that has failed to sign in too often, whatever token it brings now.

    Raises:
        TooManyRequests: It has.
    """
    _rates().check("failed_logins", address())


def count_failure() -> None:
    """Note that whoever sits at this address has failed to sign in. Raises :class:`TooManyRequests`."""
    _rates().count("failed_logins", address())


def address() -> str:
    """Where the request comes from; of IPv6 the part that one caller has to himself."""
    try:
        found = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return str(request.remote_addr)
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, ONE_HOME), strict=False))


def _rates() -> Rates:
    rates: Rates = current_app.extensions["aigc_rates"]
    return rates
