"""Event logs as families read them: sessions of events in the order in which they happened, and how each ended."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

ARRAYS = "events.safetensors"
NAMES = "names.json"
REPORT = "dataset.json"
FACTS = ("screen", "object", "detail")  # what may be known of an event beside what was done
LABELS = ("task", "outcome")  # what may be known of a session

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labels:
    """One thing known of each event or session: the number of its spelling, -1 where nothing is known.

    Shape: ``numbers`` int64, (E,) of events or (S,) of sessions.
    """

    numbers: Ints
    names: Sequence[str]

    @classmethod
    def unknown(cls, count: int) -> "Labels":
        """Nothing is known of so many."""
        return cls(np.full(count, -1, np.int64), [])

    def take(self, which: Ints | NDArray[np.bool_]) -> "Labels":
        """Of some of them; spellings keep their numbers."""
        return Labels(self.numbers[which], self.names)

    def name(self, place: int) -> str:
        """The spelling at a place; empty where nothing is known."""
        number = int(self.numbers[place])
        return self.names[number] if number >= 0 else ""


@dataclass(frozen=True, slots=True)
class EventLog:
    """Events ordered by session, and each session's by time; equal times keep the order of the file.

    Attributes:
        sessions: Number of each event's session, an index into ``session_names``; int64 (E,).
        events: What was done; (E,).
        times: Seconds since 1970 UTC; NaN in every event where the file has no times; float64 (E,).
        facts: By :data:`FACTS`, what else is known of each event; (E,).
        labels: By :data:`LABELS`, what each session was for and how it ended; (S,).
        session_names: The sessions as they are called in the file, or hashes of that.
        is_test: Which sessions are kept for testing; bool (S,).
    """

    sessions: Ints
    events: Labels
    times: NDArray[np.float64]
    facts: Mapping[str, Labels]
    labels: Mapping[str, Labels]
    session_names: Sequence[str]
    is_test: NDArray[np.bool_]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.sessions)

    @property
    def starts(self) -> Ints:
        """Where each session's events start, and one end more; int64 (S + 1,)."""
        return np.searchsorted(self.sessions, np.arange(len(self.session_names) + 1))

    @property
    def is_timed(self) -> bool:
        """Whether the events have times."""
        return bool(len(self)) and not bool(np.isnan(self.times).any())

    @property
    def gaps(self) -> NDArray[np.float64]:
        """Seconds since the event before in the same session; NaN for the first ones and without times; (E,)."""
        found = np.full(len(self), np.nan)
        inside = np.flatnonzero(self.sessions[1:] == self.sessions[:-1]) + 1
        found[inside] = np.maximum(self.times[inside] - self.times[inside - 1], 0.0)
        return found


def load_log(directory: Path) -> EventLog:
    """Read what an import wrote."""
    arrays = load_file(directory / ARRAYS)
    names = json.loads((directory / NAMES).read_text(encoding="utf-8"))

    def labels(name: str) -> Labels:
        return Labels(arrays[name], names[name])

    return EventLog(
        arrays["sessions"],
        labels("event"),
        arrays["times"],
        {name: labels(name) for name in FACTS},
        {name: labels(name) for name in LABELS},
        names["sessions"],
        arrays["is_test"].astype(np.bool_),
    )


def load_report(directory: Path) -> dict[str, Any]:
    """Read what the import found out: counts, spans, warnings, the hash of the content."""
    report: dict[str, Any] = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    return report


def save_log(log: EventLog, directory: Path) -> None:
    """Write all but the report, to be read by :func:`load_log`."""
    directory.mkdir(parents=True, exist_ok=True)
    known = {"event": log.events, **log.facts, **log.labels}
    arrays: dict[str, NDArray[Any]] = {name: one.numbers for name, one in known.items()}
    arrays |= {"sessions": log.sessions, "times": log.times, "is_test": log.is_test.astype(np.uint8)}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, directory / ARRAYS)
    names = {name: list(one.names) for name, one in known.items()} | {"sessions": list(log.session_names)}
    (directory / NAMES).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")


def save_report(report: Mapping[str, Any], directory: Path) -> None:
    """Write what the import found out."""
    (directory / REPORT).write_text(json.dumps(dict(report), ensure_ascii=False, indent=1), encoding="utf-8")
