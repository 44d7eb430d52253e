"""Durations, sizes and figures as people read them, in the reader's language."""

from datetime import UTC, datetime
from math import ceil, floor, isfinite, log10
from typing import Any

from web.translate import say

MINUTE, HOUR, DAY = 60, 3_600, 86_400


def number(value: float) -> str:
    """A count with the language's separators: 10,000."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def figure(value: Any) -> str:
    """A measured figure with four significant digits: 0.8123, 48.21, 12,340."""
    if not isinstance(value, int | float) or not isfinite(value):
        return "–"
    if isinstance(value, int) or abs(value) >= 1000:
        return number(round(value))
    text = f"{value:.4g}"
    return text if "e" not in text else f"{value:.2e}"


def size(value: int) -> str:
    """Bytes: 12.3 MB."""
    amount, unit = float(value), "bytes"
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    digits = 0 if unit == "bytes" or amount >= 100 else 1
    return f"{amount:,.{digits}f}".removesuffix(".0") + f" {say(unit)}"


def duration(seconds: float) -> str:
    """How long something took: 0.4 s, 12 s, 3 min 10 s, 2 h 5 min."""
    if seconds < 10:
        return say("{seconds} s", {"seconds": f"{max(seconds, 0):.1f}".removesuffix(".0")})
    whole = round(seconds)
    if whole < MINUTE:
        return say("{seconds} s", {"seconds": whole})
    if whole < HOUR:
        return say("{minutes} min {seconds} s", {"minutes": whole // MINUTE, "seconds": whole % MINUTE})
    if whole < DAY:
        return say("{hours} h {minutes} min", {"hours": whole // HOUR, "minutes": whole % HOUR // MINUTE})
    return say("{days} d {hours} h", {"days": whole // DAY, "hours": whole % DAY // HOUR})


def about(seconds: float) -> str:
    """A guess, rounded so that it does not pretend to be one: about 40 s, about 3 min, about 1.5 h."""
    if seconds < 90:
        return say("about {seconds} s", {"seconds": max(5, 5 * round(seconds / 5))})
    if seconds < 90 * MINUTE:
        return say("about {minutes} min", {"minutes": round(seconds / MINUTE)})
    return say("about {hours} h", {"hours": f"{seconds / HOUR:.1f}".removesuffix(".0")})


def roughly(seconds: float) -> float:
    """A duration to one digit of the unit that :func:`about` tells it in."""
    unit = next((unit for below, unit in ((90, 1), (90 * MINUTE, MINUTE)) if seconds < below), HOUR)
    amount = seconds / unit
    return round(amount, -floor(log10(amount))) * unit if amount >= 1 else seconds


def left(seconds: float) -> str:
    """A guess at the time left, rounded alike: about 40 s left."""
    if seconds < 90:
        return say("about {seconds} s left", {"seconds": max(5, 5 * round(seconds / 5))})
    if seconds < 90 * MINUTE:
        return say("about {minutes} min left", {"minutes": round(seconds / MINUTE)})
    return say("about {hours} h left", {"hours": f"{seconds / HOUR:.1f}".removesuffix(".0")})


def starts(low: float, high: float) -> str:
    """When something begins, as an interval: Starts in about 2 to 5 min."""
    size = next((size for below, size in ((90, 1), (90 * MINUTE, MINUTE)) if high < below), HOUR)
    values = {"low": floor(low / size), "high": ceil(high / size)}
    if values["low"] == values["high"]:
        return say("Starts in {time}.", {"time": about(high)})
    if size == 1:
        return say("Starts in about {low} to {high} s.", values)
    if size == MINUTE:
        return say("Starts in about {low} to {high} min.", values)
    return say("Starts in about {low} to {high} h.", values)


def elapsed(start: datetime | None, end: datetime | None = None) -> float | None:
    """Seconds from one moment to another, or until now."""
    if start is None:
        return None
    return ((end or datetime.now(UTC)) - start).total_seconds()


def share(part: float) -> str:
    """A share from 0 to 1 as people say it: "87 %"; a little is not nothing, and nearly all is not all."""
    if 0 < part < 0.01:
        return "< 1 %"
    return f"{min(round(100 * part), 99 if part < 1 else 100)} %"


def percent(step: int, total: int) -> int | None:
    """Whole percent, never 100 before the end is reached."""
    return int(100 * step / total) if total > 0 else None


def speed(rate: float) -> str:
    """Things per second: 412, 8.5, 0.31."""
    return number(round(rate)) if rate >= 100 else f"{rate:.3g}"
