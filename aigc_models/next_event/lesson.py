"""What is learnt from: sessions as rows of numbers, some of them set aside to choose the best step by."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.data.event_logs import EventLog, Ints
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.next_event.networks import Rows
from aigc_models.next_event.plan import GAPS, Plan
from aigc_models.recommending.windows import Windows

_ASIDE, _MOST_ASIDE = 0.1, 1_000


@dataclass(frozen=True, slots=True)
class Sessions:
    """Sessions with a start before and an end behind their events, and behind that nothing.

    Attributes:
        lists: Numbers of the events of each.
        gaps: Kinds of the time before each event, as long as ``lists.items``.
        tasks: What each is for; the plan's number of tasks where that is unknown.
        outcomes: How each ended, likewise.
    """

    lists: ItemLists
    gaps: Ints
    tasks: Ints
    outcomes: Ints

    @classmethod
    def of(cls, log: EventLog, which: NDArray[np.bool_], plan: Plan) -> "Sessions":
        """Some sessions of a log."""
        starts, gaps = log.starts, gap_kinds(log.gaps)
        chosen = np.flatnonzero(which)
        rows = [slice(int(starts[one]), int(starts[one + 1])) for one in chosen]
        lists = ItemLists.of([[plan.start, *log.events.numbers[row], plan.end, plan.missing] for row in rows])
        kinds = np.concatenate([np.concatenate([[0], gaps[row], [0, 0]]) for row in rows]) if rows else np.empty(0)
        tasks, outcomes = log.labels["task"].numbers[chosen], log.labels["outcome"].numbers[chosen]
        return cls(
            lists,
            kinds.astype(np.int64),
            np.where(tasks < 0, plan.tasks, tasks),
            np.where(outcomes < 0, plan.outcomes, outcomes),
        )

    def __len__(self) -> int:
        """Number of sessions."""
        return len(self.lists)

    def cut(self, windows: Windows, chosen: Ints, later: Ints, plan: Plan) -> tuple[Rows, torch.Tensor]:
        """Windows as rows, and what comes after each of their events, -1 for nothing; (B, T)."""
        places, found = windows.places(chosen, later, plan.max_length)
        last = len(self.lists.items) - 1
        events = np.where(found, self.lists.items[places], plan.missing)
        targets = np.where(found, self.lists.items[np.minimum(places + 1, last)], -1)
        targets = np.where(targets == plan.missing, -1, targets)  # nothing comes after an end
        of = windows.row[chosen]
        rows = (events, np.where(found, self.gaps[places], 0), self.tasks[of], self.outcomes[of])
        return Rows(*map(torch.from_numpy, rows)), torch.from_numpy(targets)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt from, where, and how gently.

    Attributes:
        train: Sessions to learn from.
        validation: Sessions by which the best step is chosen.
        events: What the events are called.
        tasks: What sessions are for.
        device: Torch device string.
        adjustments: How to go gentler than the settings say.
    """

    train: Sessions
    validation: Sessions
    events: Sequence[str]
    tasks: Sequence[str]
    device: str = "cpu"
    adjustments: Adjustments = UNADJUSTED


def part(log: EventLog, seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which sessions are learnt from, and which are set aside; those of the test are neither."""
    learnt = ~log.is_test
    able = np.flatnonzero(learnt)
    count = min(max(1, round(_ASIDE * len(able))), _MOST_ASIDE)
    aside = np.zeros_like(learnt)
    aside[np.random.default_rng([seed, 3]).permutation(able)[:count]] = True
    return learnt & ~aside, aside


def gap_kinds(seconds: NDArray[np.float64]) -> Ints:
    """Kinds of times between events: 0 for an unknown one, then doublings of a second."""
    with np.errstate(invalid="ignore"):
        doubled = np.floor(np.log2(np.nan_to_num(seconds, nan=0.0, posinf=2.0**40) + 1)) + 1
    return np.where(np.isnan(seconds), 0, np.clip(doubled, 1, GAPS - 1)).astype(np.int64)
