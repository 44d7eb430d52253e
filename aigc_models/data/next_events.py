"""The file in which is kept what comes next in sessions, and why. Only the standard library is used: pages read it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FILE = "next_events.json"


@dataclass(frozen=True, slots=True)
class Weighed:
    """An earlier event, its place in the history from 1, and how much it mattered, from 0 to 1."""

    event: str
    place: int
    weight: float


@dataclass(frozen=True, slots=True)
class Expected:
    """An event that may come next, how likely, and which earlier events it rests on; an empty one is the end."""

    event: str
    share: float
    because: Sequence[Weighed] = ()


@dataclass(frozen=True, slots=True)
class Foretold:
    """What is said of one session.

    Attributes:
        history: Its events so far; of long ones the newest.
        unknown: Events of the history that the log does not have.
        events: What may come next, the likeliest first.
        looked_at: What the network's attention rested on, whatever comes next.
        tasks: What the session may be for, with shares; none where that was given.
        outcomes: How it may end, with shares.
    """

    history: Sequence[str]
    unknown: Sequence[str]
    events: Sequence[Expected]
    looked_at: Sequence[Weighed]
    tasks: Sequence[tuple[str, float]]
    outcomes: Sequence[tuple[str, float]]


def save_next_events(found: Sequence[Foretold], directory: Path) -> None:
    """Write them."""
    stored = {"sessions": [asdict(one) for one in found]}
    (directory / FILE).write_text(json.dumps(stored, ensure_ascii=False, indent=1), encoding="utf-8")


def parse_next_events(stored: Mapping[str, Any]) -> list[Foretold]:
    """Read them.

    Raises:
        ValueError: It is no such file.
    """
    try:
        return [
            Foretold(
                [str(name) for name in one["history"]],
                [str(name) for name in one["unknown"]],
                [Expected(str(e["event"]), float(e["share"]), weighed(e["because"])) for e in one["events"]],
                weighed(one["looked_at"]),
                [(str(name), float(share)) for name, share in one["tasks"]],
                [(str(name), float(share)) for name, share in one["outcomes"]],
            )
            for one in stored["sessions"]
        ]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no next events: {error}") from None


def weighed(stored: Sequence[Mapping[str, Any]]) -> list[Weighed]:
    """Events that mattered, as they are stored."""
    return [Weighed(str(one["event"]), int(one["place"]), float(one["weight"])) for one in stored]
