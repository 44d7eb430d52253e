"""The operation that recommends: who is asked for, what may come, and the files it writes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aigc_models.accumulation import with_room
from aigc_models.base import Fault, InputError, Metrics, Run
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.data.recommended import (
    BULK,
    SHOWN,
    Reason,
    RecommendationList,
    Recommendations,
    Recommended,
    save_recommendations,
    write_bulk,
)
from aigc_models.recommending import naming
from aigc_models.recommending.lists import Scored, first_items, log_shares, reasons
from aigc_models.recommending.saved import Saved
from aigc_models.recommending.settings import Recommend

_BATCH, _CELLS = 256, 2**25
_SHOWN_EVENTS = 50

How = Literal["leave_one_out", "attention", "none"]


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who is to get a list.

    Attributes:
        user: The user's id; None for somebody new.
        history: Numbers of the items had, the oldest first.
        unknown: Items of the history that nobody knows.
    """

    user: str | None
    history: NDArray[np.int64]
    unknown: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Wishes:
    """Who is to get a list, and users who were asked for and are not known."""

    asked: Sequence[Asked]
    unknown_users: Sequence[str]


@dataclass(slots=True)
class Counts:
    """What came of it."""

    lists: int = 0
    short: int = 0
    items: set[int] | None = None


def recommend(params: Recommend, run: Run, saved: Saved, title: str, how: How) -> Metrics:
    """Write the lists of everyone who is asked for.

    Raises:
        InputError: Nobody is asked for, nothing of what is named is known, or no item may be recommended.
    """
    wishes = wished(params, saved, run)
    candidates, filtered = allowed(params, saved, run)
    run.phase("generating")
    counts = Counts(items=set())
    shown: list[RecommendationList] = []

    def lists() -> Iterator[RecommendationList]:
        for asked, found in _found(params, run, saved, wishes.asked, candidates):
            counts.lists += 1
            counts.short += len(found) < params.count
            assert counts.items is not None
            counts.items.update(item for item, _ in found)
            plain = RecommendationList(asked.user, (), [_recommended(saved, one, ()) for one in found])
            if len(shown) < SHOWN:
                shown.append(_with_reasons(saved, asked, found, how))
            yield plain

    with (run.out_dir / BULK).open("w", encoding="utf-8", newline="") as stream:
        rows = write_bulk(lists(), stream)
    if counts.short:
        run.log(f"{counts.short:,} lists are shorter than {params.count}: no more items may be recommended to them.")
    whole = Recommendations(shown, title, filtered, counts.lists, wishes.unknown_users[:SHOWN])
    save_recommendations(whole, run.out_dir)
    run.report(len(wishes.asked), len(wishes.asked))
    return {
        "lists": float(counts.lists),
        "recommendations": float(rows),
        "distinct_items": float(len(counts.items or ())),
    }


def wished(params: Recommend, saved: Saved, run: Run) -> Wishes:
    """Who is asked for: somebody new first, then the users named, then everybody else."""
    if misfits := params.misfits(lambda _name: {}):
        raise InputError(misfits)
    asked: list[Asked] = []
    if params.history.strip():
        had = naming.find(params.history, saved.item_numbers)
        naming.tell_unknown(had.unknown, "Item {name} was not in the training data; it was left out.", run)
        if not had.numbers:
            sentence = (
                "None of the items of the history was in the training data. Give ids as the dataset has them, such as "
                "{examples}."
            )
            raise naming.nothing_known(sentence, "history", saved.item_numbers)
        asked.append(Asked(None, np.array(had.numbers, np.int64), had.unknown))
    named = naming.find(params.users, saved.user_numbers)
    naming.tell_unknown(named.unknown, "User {name} was not in the training data; no list was made.", run)
    numbers = dict.fromkeys(named.numbers)
    if params.everybody:
        numbers |= dict.fromkeys(range(len(saved.users)))
    if not numbers and not asked:
        sentence = (
            "None of the users was in the training data. Give ids as the dataset has them, such as {examples}, or the "
            "history of somebody new."
        )
        raise naming.nothing_known(sentence, "users", saved.user_numbers)
    asked += [Asked(saved.users[number], saved.histories[number]) for number in numbers]
    return Wishes(asked, named.unknown)


def allowed(params: Recommend, saved: Saved, run: Run) -> tuple[NDArray[np.bool_], int]:
    """Items that may be recommended, bool (I,), and how many the lists of allowed and denied items take away.

    Raises:
        InputError: None is left.
    """
    may = ~saved.cold
    if saved.cold.any():
        run.log(f"{int(saved.cold.sum()):,} items have no event in the training part, so they are not recommended.")
    before = int(may.sum())
    if params.allow.strip():
        named = naming.find(params.allow, saved.item_numbers)
        naming.tell_unknown(named.unknown, "Allowed item {name} was not in the training data; it was left out.", run)
        chosen = np.zeros_like(may)
        chosen[np.array(named.numbers, np.int64)] = True
        may &= chosen
    denied = naming.find(params.deny, saved.item_numbers)
    naming.tell_unknown(denied.unknown, "Denied item {name} was not in the training data.", run)
    may[np.array(denied.numbers, np.int64)] = False
    if not may.any():
        sentence = "The lists of allowed and denied items leave none to recommend. Allow more items, or deny fewer."
        raise InputError(Fault(sentence, pointer="/allow" if params.allow.strip() else "/deny", code="nothing-left"))
    return may, before - int(may.sum())


def _found(
    params: Recommend, run: Run, saved: Saved, asked: Sequence[Asked], may: NDArray[np.bool_]
) -> Iterable[tuple[Asked, Scored]]:
    """The list of each, batch by batch; shares are among all items a model knows, so filters do not change them."""
    batch = run.adjustments.chunk(max(1, min(_BATCH, _CELLS // len(may))))
    outside = np.flatnonzero(~may)
    for start in range(0, len(asked), batch):
        some = asked[start : start + batch]
        histories = ItemLists.of([one.history for one in some])
        shares = with_room(partial(log_shares, saved.recommender, histories, ~saved.cold, params.include_seen))
        shares[:, outside] = -np.inf
        yield from zip(some, first_items(shares, params.count), strict=True)
        if start + batch < len(asked):
            run.report(start + len(some), len(asked))


def _with_reasons(saved: Saved, asked: Asked, found: Scored, how: How) -> RecommendationList:
    because = reasons(saved.recommender, asked.history, [item for item, _ in found], how)
    return RecommendationList(
        asked.user,
        [saved.item(int(item)) for item in asked.history[-_SHOWN_EVENTS:]],
        [_recommended(saved, one, why) for one, why in zip(found, because, strict=True)],
        asked.unknown,
    )


def _recommended(saved: Saved, scored: tuple[int, float], because: Iterable[tuple[int, float]]) -> Recommended:
    item, score = scored
    named = [Reason(saved.items[one], saved.titles[one], round(weight, 4)) for one, weight in because]
    return Recommended(saved.items[item], saved.titles[item], score, named)
