"""What the check of a dataset of interactions found, as its page shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jobs.tables import Dataset
from web.pages import amounts
from web.translate import say

UNITS: Mapping[str, str] = {
    "seconds": "seconds since 1970",
    "milliseconds": "milliseconds since 1970",
    "microseconds": "microseconds since 1970",
    "nanoseconds": "nanoseconds since 1970",
    "days": "days, as in 20240131",
    "numbers": "numbers in rising order",
    "iso": "dates, as in 2024-01-31",
}
ROLES: Mapping[str, str] = {"user": "User", "item": "Item", "time": "Time", "rating": "Rating", "title": "Title"}
DELIMITERS: Mapping[str, str] = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space"}
PERSONAL: Mapping[str, str] = {
    "email": "The users look like e-mail addresses.",
    "phone": "The users look like phone numbers.",
    "card": "The users look like card numbers.",
    "national_id": "The users look like national ids.",
    "iban": "The users look like account numbers.",
    "name": "The users look like names of people.",
}


@dataclass(frozen=True, slots=True)
class Bin:
    """How many users or items have so many events."""

    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Spread:
    """How events spread over users or items."""

    title: str
    head: str
    sentence: str
    bins: Sequence[Bin]
    most: int


def view(dataset: Dataset) -> Mapping[str, Any]:
    """What the template needs beside the report itself."""
    report: Mapping[str, Any] = dataset.report or {}
    columns: Mapping[str, str] = report.get("columns") or {}
    return {
        "columns": [(say(ROLES[role]), name) for role, name in columns.items() if role in ROLES],
        "unit": unit(str(report.get("time_unit", ""))),
        "span": [readable(str(report.get(name, ""))) for name in ("first_time", "last_time")],
        "density": density(float(report.get("density", 0.0))),
        "reading": reading(report),
        "personal": _personal(str(report.get("personal", ""))),
        "spreads": [
            spread(say("Events of a user"), say("Users"), report.get("per_user")),
            spread(say("Events of an item"), say("Items"), report.get("per_item")),
        ]
        if report.get("per_user")
        else [],
        "popular": report.get("popular") or [],
        "first": report.get("first") or [],
        "synthetic": "synthetic" in dataset.name,
    }


def readable(moment: str) -> str:
    """A time of the report as people read it: "2024-01-31 10:00 UTC"."""
    day, _, clock = moment.partition("T")
    return f"{day} {clock[:5]} UTC" if clock else moment


def density(share: float) -> str:
    """Which share of all pairs of users and items there is: "6.3 %"."""
    percent = 100 * share
    return f"{percent:.2g} %" if percent < 10 else f"{percent:.0f} %"


def _personal(kind: str) -> str:
    return say(PERSONAL[kind]) if kind in PERSONAL else ""


def unit(name: str) -> str:
    """How times are written: "dates, as in 2024-01-31"."""
    return say(UNITS[name]) if name in UNITS else name


def reading(report: Mapping[str, Any]) -> str:
    """How the file was read: "utf-8, comma"."""
    encoding, delimiter = str(report.get("encoding", "")), str(report.get("delimiter", ""))
    parts = [encoding] if encoding else []
    parts += [say(DELIMITERS[delimiter])] if delimiter in DELIMITERS else []
    return say(", ").join(parts)


def spread(title: str, head: str, found: Mapping[str, Any] | None) -> Spread:
    """How events spread over users, items or sessions."""
    found = found or {}
    bins = [Bin(label(one["from"], one["to"]), int(one["count"])) for one in found.get("bins") or []]
    values = {
        "least": amounts.number(found.get("least", 0)),
        "middle": amounts.number(found.get("middle", 0)),
        "most": amounts.number(found.get("most", 0)),
    }
    sentence = say("{least} at least, {middle} in the middle, {most} at most.", values)
    return Spread(title, head, sentence, bins, max((one.count for one in bins), default=1))


def label(low: int, high: int | None) -> str:
    """What stands before a bin: "5", "5–9", "500 or more"."""
    if high is None:
        return say("{count} or more", {"count": amounts.number(low)})
    return amounts.number(low) if low == high else f"{amounts.number(low)}–{amounts.number(high)}"
