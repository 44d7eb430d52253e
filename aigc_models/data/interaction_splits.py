"""Ways to part events into what models learn from, what chooses between them, and what judges them.

Every split gives each event one of four parts. What is *known* when a part is predicted are the events of its users
that came before it; nothing else of these users is shown to a model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data.interactions import Interactions

SplitName = Literal["leave_one_out", "time", "share", "strong"]
TRAIN, HISTORY, VALIDATION, TEST = range(4)  # HISTORY is shown to a model as a user's past and never learnt from

Parts = NDArray[np.int8]

_NOTHING = {
    TRAIN: "The split {split} leaves no events to learn from. Choose another split, or bring more events.",
    VALIDATION: "The split {split} leaves no events to validate with. Choose another split, or bring more events.",
    TEST: "The split {split} leaves no events to test with. Choose another split, or bring more events.",
}


@dataclass(frozen=True, slots=True)
class ItemLists:
    """Items of several users, one list after the other.

    Attributes:
        items: Numbers of the items, int64 (E,).
        starts: Where each list starts, and one end more, int64 (N + 1,).
    """

    items: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, lists: Sequence[Sequence[int] | NDArray[np.int64]]) -> "ItemLists":
        """From lists one by one."""
        starts = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        items = [np.asarray(one, np.int64) for one in lists]
        return cls(np.concatenate(items) if items else np.empty(0, np.int64), starts)

    @classmethod
    def by_user(cls, events: Interactions) -> "ItemLists":
        """The items of every user, in the order of the events."""
        return cls(events.items, events.starts)

    def __len__(self) -> int:
        """Number of lists."""
        return len(self.starts) - 1

    def __getitem__(self, row: int) -> NDArray[np.int64]:
        return self.items[self.starts[row] : self.starts[row + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Items of each list, int64 (N,)."""
        return np.diff(self.starts)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Which list each item is of, int64 (E,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: NDArray[np.int64] | slice) -> "ItemLists":
        """Some of the lists, by number."""
        chosen = np.arange(len(self))[rows]
        lengths = self.lengths[chosen]
        starts = np.cumsum([0, *lengths], dtype=np.int64)
        places = np.arange(starts[-1]) + np.repeat(self.starts[chosen] - starts[:-1], lengths)
        return ItemLists(self.items[places], starts)


@dataclass(frozen=True, slots=True)
class Queries:
    """What is asked of a model: given each user's history, which items come?

    Attributes:
        users: Number of each user, int64 (Q,).
        histories: What each had before.
        targets: What each took then; none of it is in the history, nothing is there twice.
        repeats: Events left out because the user had the item before, which lists of new items cannot hold.
        strangers: Users left out because nothing is known of them before.
    """

    users: NDArray[np.int64]
    histories: ItemLists
    targets: ItemLists
    repeats: int = 0
    strangers: int = 0

    def __len__(self) -> int:
        """Number of users."""
        return len(self.users)

    def take(self, rows: NDArray[np.int64] | slice) -> "Queries":
        """Some of the users."""
        return Queries(self.users[rows], self.histories.take(rows), self.targets.take(rows))


@dataclass(frozen=True, slots=True)
class Split:
    """Events and the part of each, int8 (E,)."""

    data: Interactions
    parts: Parts

    @property
    def train(self) -> Interactions:
        """What models learn from."""
        return self.data.take(self.parts == TRAIN)

    def learnt(self, *, again: bool) -> Interactions:
        """What a finished model has learnt from: with the validation events where it learns again."""
        return self.data.take(np.isin(self.parts, (TRAIN, VALIDATION))) if again else self.train

    def known(self, part: int) -> Interactions:
        """Everything there was before the events of a part."""
        return self.data.take(self.parts < part)

    def queries(self, part: int) -> Queries:
        """What a part asks, for the users who have events before it and in it."""
        known, wanted = self.known(part), self.data.take(self.parts == part)
        items = len(self.data.item_names)
        pairs = _first(wanted.users * items + wanted.items)
        fresh = pairs[~np.isin(pairs, known.users * items + known.items)]
        users = np.unique(fresh // items)
        histories = ItemLists.by_user(known)
        familiar = users[histories.lengths[users] > 0]
        fresh = fresh[np.isin(fresh // items, familiar)]
        starts = np.searchsorted(fresh // items, np.append(familiar, len(self.data.user_names)))
        targets = ItemLists(fresh % items, starts)
        repeats = len(wanted) - len(pairs) + int(np.isin(pairs, known.users * items + known.items).sum())
        return Queries(familiar, histories.take(familiar), targets, repeats, len(users) - len(familiar))


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """How to part events.

    Attributes:
        name: ``leave_one_out``: the last event of each user is the test, the one before it the validation.
            ``time``: the last share of all events is the test, as much before it the validation.
            ``share``: of each user a share drawn at random is the test, and of the rest a tenth the validation.
            ``strong``: users drawn at random are never learnt from; a fifth of their events is asked for.
        test_share: Share of the events, or with ``strong`` of the users, that is the test.
        seed: Of the random draws.
    """

    name: SplitName
    test_share: float = 0.1
    seed: int = 0

    def part(self, data: Interactions) -> Split:
        """Part the events.

        Raises:
            InputError: The split needs times and there are none, or it leaves nothing to learn from or to test.
        """
        split = Split(data, _SPLITS[self.name](data, self))
        for part, sentence in _NOTHING.items():
            enough = len(split.train) if part == TRAIN else len(split.queries(part))
            if not enough:
                raise InputError(Fault(sentence, {"split": self.name}, "/split", code="empty-split"))
        return split


def leave_one_out(data: Interactions) -> Parts:
    """The last event of each user tests, the one before it validates; users with fewer than three only teach."""
    parts = np.zeros(len(data), np.int8)
    starts = data.starts
    ends = starts[1:][np.diff(starts) >= 3]
    parts[ends - 1], parts[ends - 2] = TEST, VALIDATION
    return parts


def by_time(data: Interactions, test_share: float) -> Parts:
    """The last events of all test, those before them validate; events at one moment stay together.

    Raises:
        InputError: An event has no time.
    """
    if len(data) == 0 or np.isnan(data.times).any():
        sentence = "The events have no times, so they cannot be split by time. Choose another split."
        raise InputError(Fault(sentence, pointer="/split", code="no-times"))
    in_order, wanted = np.sort(data.times), max(round(len(data) * test_share), 1)
    test = in_order[len(data) - wanted]
    before = in_order[in_order < test]
    parts = np.zeros(len(data), np.int8)
    if len(before):
        parts[data.times >= before[len(before) - max(min(wanted, len(before) // 2), 1)]] = VALIDATION
    parts[data.times >= test] = TEST
    return parts


def by_share(data: Interactions, test_share: float, seed: int) -> Parts:
    """Of each user a share drawn at random tests, and of the rest a tenth validates.

    A user with ``n`` events keeps ``round((1 - test_share) n)`` of them, as stratified splits commonly do; one of
    three or more of these validates at least.
    """
    lengths, places = np.diff(data.starts), _drawn_places(data, seed)
    kept = np.rint((1 - test_share) * lengths).astype(np.int64)
    learnt = kept - np.where(kept > 2, np.maximum(np.floor(0.1 * kept).astype(np.int64), 1), 0)
    parts = np.zeros(len(data), np.int8)
    parts[places >= learnt[data.users]] = VALIDATION
    parts[places >= kept[data.users]] = TEST
    return parts


def strong(data: Interactions, test_share: float, seed: int) -> Parts:
    """Some users test, as many others validate, and nobody learns from either; four fifths of theirs are shown.

    Source: Liang et al. 2018, section 4.1 (strong generalisation), with users who have five events or more.
    """
    lengths, places = np.diff(data.starts), _drawn_places(data, seed)
    able = np.flatnonzero(lengths >= 5)
    drawn = np.random.default_rng([seed, 1]).permutation(able)
    count = min(round(test_share * len(lengths)), len(able) // 3)
    role = np.full(len(lengths), TRAIN, np.int8)
    role[drawn[:count]], role[drawn[count : 2 * count]] = TEST, VALIDATION
    asked = places >= np.floor(0.8 * lengths).astype(np.int64)[data.users]
    roles = role[data.users]
    return np.where(roles == TRAIN, TRAIN, np.where(asked, roles, HISTORY)).astype(np.int8)


_SPLITS: Mapping[str, Callable[[Interactions, SplitPlan], Parts]] = MappingProxyType(
    {
        "leave_one_out": lambda data, _: leave_one_out(data),
        "time": lambda data, plan: by_time(data, plan.test_share),
        "share": lambda data, plan: by_share(data, plan.test_share, plan.seed),
        "strong": lambda data, plan: strong(data, plan.test_share, plan.seed),
    }
)
assert set(_SPLITS) == set(get_args(SplitName))


def _drawn_places(data: Interactions, seed: int) -> NDArray[np.int64]:
    """A random place of each event among its user's, from 0, int64 (E,)."""
    order = np.lexsort((np.random.default_rng([seed, 0]).random(len(data)), data.users))
    places = np.empty(len(data), np.int64)
    places[order] = np.arange(len(data)) - data.starts[data.users[order]]
    return places


def _first(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Different values, those of one user in the order in which they come first."""
    _, places = np.unique(values, return_index=True)
    return values[np.sort(places)]
