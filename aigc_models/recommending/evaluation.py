"""What a recommender is worth on events it never saw, beside what is popular, what goes together and what follows."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Metrics, Run
from aigc_models.data.interaction_splits import TEST, ItemLists, Queries, Split
from aigc_models.metrics.ranking import Scorer, rank_all
from aigc_models.metrics.ranking_baselines import Ease, MarkovCounts, Popularity
from aigc_models.recommending.figures import BASELINES

MOST_USERS = 20_000  # more change a figure less than another seed does
MOST_EASE = 5_000  # items up to which the closed form takes seconds, and less than a gigabyte
_CELLS = 2**25  # scores held at once

_MADE: Mapping[str, Callable[[ItemLists, int], Scorer]] = MappingProxyType(
    {"popularity": Popularity, "ease": Ease, "markov": MarkovCounts}
)
assert set(_MADE) == set(BASELINES)


def some_of(queries: Queries, most: int, seed: int) -> Queries:
    """The queries, or as many of them drawn at random."""
    if len(queries) <= most:
        return queries
    return queries.take(np.sort(np.random.default_rng([seed, 2]).permutation(len(queries))[:most]))


def never_had(known: ItemLists, items: int) -> NDArray[np.bool_]:
    """Items without any event, bool (I,)."""
    return np.asarray(np.bincount(known.items, minlength=items) == 0, np.bool_)


def figures(scorer: Scorer, queries: Queries, cold: NDArray[np.bool_], run: Run) -> dict[str, float]:
    """Every ranking figure of a scorer, computed in batches that fit."""
    batch = max(1, min(256, _CELLS // max(len(cold), 1)))
    return rank_all(scorer, queries, cold, run.adjustments.chunk(batch))


def evaluate(scorer: Scorer, split: Split, cold: NDArray[np.bool_], seed: int, run: Run) -> Metrics:
    """Measure on the test part, beside baselines that count everything known before it.

    Args:
        scorer: The trained model.
        split: Which events test.
        cold: Items the model could not learn about; they stand behind all others in its lists.
        seed: Draws the users, where there are very many.
        run: Is told how far it is.
    """
    queries = split.queries(TEST)
    _say_left_out(queries, run)
    queries = some_of(queries, MOST_USERS, seed)
    known, items = ItemLists.by_user(split.known(TEST)), len(cold)
    found = figures(scorer, queries, cold, run)
    beside = {}
    for name, make in _MADE.items():
        if name == "ease" and items > MOST_EASE:
            run.log(f"EASE is left out: its closed form takes too long for {items:,} items.")
            continue
        beside[name] = figures(make(known, items), queries, never_had(known, items), run)
    best = max(beside, key=lambda name: beside[name]["ndcg10"])
    for line in verdict(found, beside, best):
        run.log(line)
    each = {f"{figure}_{name}": one[figure] for figure in ("ndcg10", "hr10") for name, one in beside.items()}
    standard = {f"{figure}_baseline": beside[best][figure] for figure in ("ndcg10", "hr10")}
    return {**found, **standard, **each, "test_users": float(len(queries))}


def verdict(found: Metrics, beside: Mapping[str, Metrics], best: str) -> list[str]:
    """Plain sentences on where the model stands."""
    others = ", ".join(f"{BASELINES[name]} {one['ndcg10']:.4f}" for name, one in beside.items())
    lines = [f"NDCG@10 {found['ndcg10']:.4f} over all items; beside it {others}."]
    if found["ndcg10"] <= beside[best]["ndcg10"]:
        lines.append(
            f"The model is not better than the baseline: {BASELINES[best]} reaches {beside[best]['ndcg10']:.4f}."
        )
    return lines


def _say_left_out(queries: Queries, run: Run) -> None:
    if queries.repeats:
        run.log(f"{queries.repeats} test events repeat an item of the user's history and are not counted.")
    if queries.strangers:
        run.log(f"{queries.strangers} users have no event before the test and are not counted.")
