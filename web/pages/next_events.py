"""What comes next in sessions, as people look at it: likely events with what they rest on, and how sessions may end."""

from collections.abc import Sequence
from dataclasses import dataclass

from aigc_models.data.next_events import Expected, Foretold, Weighed
from jobs.tables import Artifact
from web import how_to_files
from web.pages import amounts
from web.translate import say

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One event that may come: its share in words and from 0 to 1, and what it rests on."""

    event: str
    share: str
    width: float
    because: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One session."""

    history: Sequence[str]
    unknown: str
    rows: Sequence[Row]
    looked_at: str
    facts: Sequence[tuple[str, str]]


def of(files: Sequence[Artifact]) -> list[Shown] | None:
    """What a job said comes next; None where it said nothing."""
    found = how_to_files.foretold(files)
    return [shown(one) for one in found[:MOST_SHOWN]] if found is not None else None


def shown(one: Foretold) -> Shown:
    """One session in words."""
    facts = [(say("Task"), _listed(one.tasks)), (say("Outcome"), _listed(one.outcomes))]
    return Shown(
        one.history,
        say(", ").join(one.unknown),
        [_row(each) for each in one.events],
        _weighed(one.looked_at),
        [(name, text) for name, text in facts if text],
    )


def _row(one: Expected) -> Row:
    names = _weighed(one.because)
    because = say("because of {events}", {"events": names}) if names else ""
    return Row(one.event or say("The session ends"), amounts.share(one.share), one.share, because)


def _weighed(found: Sequence[Weighed]) -> str:
    return say(", ").join(f"{one.place}. {one.event} ({amounts.share(one.weight)})" for one in found)


def _listed(found: Sequence[tuple[str, float]]) -> str:
    return say(", ").join(f"{name} {amounts.share(share)}" for name, share in found[:3])
