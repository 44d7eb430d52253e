"""What the check of an event log found, as its page shows it, and what its forms ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models.base import Fault
from aigc_models.data import column_words
from jobs.errors import InvalidParams
from jobs.tables import Dataset
from web.i18n import plural
from web.pages import amounts
from web.pages.interaction_report import Spread, readable, reading, spread, unit
from web.pages.text_report import PERSONAL
from web.translate import say

# What a column can be; each is a setting of the import but the last two.
USES: Mapping[str, str] = {
    "session": "Session", "event": "Event", "time": "Time", "task": "Task", "outcome": "Outcome", "screen": "Screen",
    "object": "Object", "detail": "Detail", "joined": "Part of the event", "": "Left out",
}  # fmt: skip
SESSIONS: Mapping[str, str] = {
    "email": "The sessions are called like e-mail addresses.",
    "phone": "The sessions are called like phone numbers.",
    "card": "The sessions are called like card numbers.",
    "national_id": "The sessions are called like national ids.",
    "iban": "The sessions are called like account numbers.",
    "name": "The sessions are called like people.",
}
TWICE = "Two columns are chosen as {use}: {first} and {second}. Choose one."
_NEEDED = ("session", "event")


@dataclass(frozen=True, slots=True)
class LogView:
    """An event log as its page shows it.

    Attributes:
        span: When the first and the last event happened.
        unit: How times are written.
        reading: How the file was read.
        duration: How long sessions take; empty where that is not known.
        personal: Sentences on likely personal data.
        per_session: How events spread over sessions.
        columns: The file's columns, each with what it is.
        uses: What a column can be.
        tasks: Tasks with how many sessions are for them, and how these ended.
        synthetic: Whether the data is made up.
    """

    span: Sequence[str]
    unit: str
    reading: str
    duration: str
    personal: Sequence[str]
    per_session: Spread | None
    columns: Sequence[tuple[str, str]]
    uses: Sequence[tuple[str, str]]
    tasks: Sequence[tuple[str, int, str]]
    synthetic: bool


def view(dataset: Dataset) -> LogView:
    """Everything that the page shows of it beside the report itself."""
    report: Mapping[str, Any] = dataset.report or {}
    return LogView(
        span=[readable(str(report.get(name, ""))) for name in ("first_time", "last_time")],
        unit=unit(str(report.get("time_unit", ""))),
        reading=reading(report),
        duration=_duration(report.get("duration")),
        personal=[_personal(one) for one in report.get("personal") or []],
        per_session=spread(say("Events of a session"), say("Sessions"), report["per_session"])
        if report.get("per_session")
        else None,
        columns=_columns(report),
        uses=[(name, say(word)) for name, word in USES.items()],
        tasks=[_task(one) for one in report.get("tasks") or []],
        synthetic="synthetic" in dataset.name,
    )


def changes(report: Mapping[str, Any], sent: Mapping[str, str]) -> dict[str, Any]:
    """The settings of the next import by a form of the page: a hint's button, or what each column is.

    Raises:
        InvalidParams: Two columns are chosen as one thing.
    """
    if "mask" in sent:
        return {"mask": True}
    found: dict[str, str] = {}
    joined: list[str] = []
    for place, (name, own) in enumerate(_columns(report)):
        use = sent.get(f"use-{place}", own)
        if use == "joined":
            joined.append(name)
        elif use in USES and use:
            if use in found:
                values = {"use": say(USES[use]), "first": found[use], "second": name}
                raise InvalidParams(faults=[Fault(TWICE, values, f"/use-{place}")])
            found[use] = name
    settings = [name for name in USES if name not in ("joined", "")]
    chosen = {f"{use}_column": found.get(use, "" if use in _NEEDED else "none") for use in settings}
    return {**chosen, "joined_columns": column_words.join(joined)}


def _columns(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    named = {str(name): str(use) for use, name in (report.get("columns") or {}).items()}
    named |= {str(name): "joined" for name in report.get("joined") or ()}
    return [(str(name), named.get(str(name), "")) for name in report.get("all_columns") or ()]


def _duration(found: Any) -> str:
    if not isinstance(found, Mapping):
        return ""
    values = {name: amounts.duration(float(found[name])) for name in ("middle", "most")}
    return say("{middle} in the middle; nine in ten are done after {most}", values)


def _personal(one: Mapping[str, Any]) -> str:
    kind, role = str(one.get("kind")), str(one.get("role"))
    if role == "session":
        return say(SESSIONS.get(kind, SESSIONS["name"]))
    found = plural(*PERSONAL.get(kind, ("{count} name", "{count} names")), int(one.get("count", 0)))
    return say("{column}: {found}", {"column": say(USES.get(role, role)), "found": found})


def _task(one: Mapping[str, Any]) -> tuple[str, int, str]:
    ended = [f"{name}: {amounts.number(count)}" for name, count in (one.get("outcomes") or {}).items()]
    return str(one["name"]), int(one["sessions"]), say(", ").join(ended)
