"""What sessions say of a way: who does which step, what they do beside it, and where."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np

from aigc_models.data.event_logs import EventLog

MOST_SESSIONS, MOST_EVENTS = 2_000, 200_000


@dataclass(frozen=True, slots=True)
class Walk:
    """What one session did.

    Attributes:
        session: Its number in the log.
        rows: Where its events lie in the log.
        events: Their numbers.
    """

    session: int
    rows: Sequence[int]
    events: Sequence[int]


@dataclass(frozen=True, slots=True)
class Aligned:
    """A walk beside a way.

    Attributes:
        walk: What was done.
        steps: For each event the place of the step that it is, -1 for none; int (E,).
        done: The steps that it has anywhere, in whatever order.
    """

    walk: Walk
    steps: Sequence[int]
    done: frozenset[int]

    def before(self, place: int) -> int:
        """The step that was done last before an event; -1 for none."""
        return next((step for step in reversed(self.steps[:place]) if step >= 0), -1)


def walks(log: EventLog, sessions: Sequence[int]) -> list[Walk]:
    """The walks of sessions; of very many, some drawn evenly."""
    starts = log.starts
    chosen = list(sessions)
    if len(chosen) > MOST_SESSIONS:
        chosen = [chosen[place] for place in np.linspace(0, len(chosen) - 1, MOST_SESSIONS).astype(int).tolist()]
    found, total = list[Walk](), 0
    for session in chosen:
        rows = range(int(starts[session]), int(starts[session + 1]))
        total += len(rows)
        if total > MOST_EVENTS and found:
            break
        found.append(Walk(session, rows, log.events.numbers[rows.start : rows.stop].tolist()))
    return found


def align(walk: Walk, way: Sequence[int]) -> Aligned:
    """Find the longest part of a way that a walk does in order.

    Source: longest common subsequence, Wagner and Fischer 1974.
    """
    events = walk.events
    table = np.zeros((len(events) + 1, len(way) + 1), np.int32)
    wanted = np.asarray(way)
    for row in range(len(events) - 1, -1, -1):
        same = np.where(wanted == events[row], table[row + 1, 1:] + 1, 0)
        best = np.maximum(table[row + 1, :-1], same)
        table[row, :-1] = np.maximum.accumulate(best[::-1])[::-1]
    steps, column = [-1] * len(events), 0
    for row, event in enumerate(events):
        found = column
        while found < len(way) and way[found] != event:
            found += 1
        if found < len(way) and table[row + 1, found + 1] + 1 == table[row, column]:
            steps[row], column = found, found + 1
    counts = Counter(events)
    ranks = [way[:place].count(step) for place, step in enumerate(way)]
    done = frozenset(place for place, step in enumerate(way) if counts[step] > ranks[place])
    return Aligned(walk, steps, done)


@dataclass(frozen=True)
class Evidence:
    """Walks beside a way.

    Attributes:
        log: Where they are from.
        way: The events of the way.
        good: Those that ended as they should.
        bad: Those of the same task that ended otherwise.
    """

    log: EventLog
    way: Sequence[int]
    good: Sequence[Aligned]
    bad: Sequence[Aligned]

    @classmethod
    def over(cls, log: EventLog, way: Sequence[int], good: Sequence[Walk], bad: Sequence[Walk]) -> "Evidence":
        """Align all walks."""
        return cls(log, way, [align(one, way) for one in good], [align(one, way) for one in bad])

    @cached_property
    def support(self) -> list[int]:
        """How many of the good walks do each step."""
        return [sum(step in one.done for one in self.good) for step in range(len(self.way))]

    def share(self, count: int) -> float:
        """A share of the good walks."""
        return count / max(len(self.good), 1)

    def usual(self, fact: str, rows: Sequence[int]) -> str:
        """What is known of more than half of some events, such as their screen."""
        labels = self.log.facts[fact]
        found = Counter(labels.name(row) for row in rows)
        name, count = found.most_common(1)[0] if found else ("", 0)
        return name if name and 2 * count > found.total() else ""

    def seconds(self, rows: Sequence[int]) -> float | None:
        """Time before some events, in the middle; None where none is known."""
        known = [float(self._gaps[row]) for row in rows if not np.isnan(self._gaps[row])]
        return float(median(known)) if known else None

    def duration(self) -> float | None:
        """How long the good walks take, in the middle."""
        if not self.log.is_timed or not self.good:
            return None
        times = self.log.times
        return float(median(float(times[one.walk.rows[-1]] - times[one.walk.rows[0]]) for one in self.good))

    def closest(self, count: int) -> list[int]:
        """Sessions whose walks are most like the way."""
        strays = {one.walk.session: len(one.steps) + len(self.way) - 2 * _matched(one) for one in self.good}
        return sorted(strays, key=lambda session: (strays[session], session))[:count]

    def swapped(self, step: int) -> bool:
        """Whether a step is often done before the one that stands before it."""
        first, second = self.way[step - 1], self.way[step]
        both = [one.walk.events for one in self.good if {first, second} <= set(one.walk.events)]
        other = sum(events.index(second) < events.index(first) for events in both)
        return len(both) >= 5 and other >= 0.25 * len(both)

    @cached_property
    def _gaps(self) -> "np.ndarray[tuple[int, ...], np.dtype[np.float64]]":
        return self.log.gaps

    def rows(self, step: int) -> list[int]:
        """Where a step lies in the log, in all good walks that do it."""
        return [one.walk.rows[place] for one in self.good for place, own in enumerate(one.steps) if own == step]


def _matched(one: Aligned) -> int:
    return sum(step >= 0 for step in one.steps)
