"""From scores to lists: which items are candidates, which come first, and what they are recommended for."""

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists
from aigc_models.recommending.trainer import Recommender

MOST_REMOVED = 100  # newest events of a history that are taken out one by one
MOST_REASONS = 3

Scored = list[tuple[int, float]]  # items and their scores, the best first


class Attentive(Protocol):
    """A recommender that tells what it looked at."""

    def attention(self, histories: ItemLists) -> Tensor:
        """How much each event counts, aligned at the ends; (B, T)."""


def log_shares(recommender: Recommender, histories: ItemLists, candidates: NDArray[np.bool_], seen: bool) -> Tensor:
    """Logarithms of how likely each item comes next, among those that may; the others at minus infinity.

    Args:
        recommender: Scores items.
        histories: Of each user.
        candidates: Items that can come, bool (I,).
        seen: Whether items of a user's own history can come again.

    Shape: (B, I).
    """
    scores = recommender.score(histories).clone()
    scores[:, torch.from_numpy(~candidates)] = -torch.inf
    if not seen:
        scores[torch.from_numpy(histories.rows), torch.from_numpy(histories.items)] = -torch.inf
    return torch.log_softmax(scores, 1).nan_to_num(-torch.inf, neginf=-torch.inf)


def first_items(shares: Tensor, count: int) -> list[Scored]:
    """The likeliest items of each row and their shares, from 0 to 1; fewer where fewer can come."""
    best = shares.topk(min(count, shares.shape[1]), 1)
    rows = zip(best.indices.tolist(), best.values.tolist(), strict=True)
    return [
        [(item, float(np.exp(share))) for item, share in zip(items, found, strict=True) if share > -np.inf]
        for items, found in rows
    ]


def best_items(
    recommender: Recommender, histories: ItemLists, candidates: NDArray[np.bool_], count: int
) -> list[Scored]:
    """The likeliest items that each user has not had."""
    return first_items(log_shares(recommender, histories, candidates, seen=False), count)


def reasons(
    recommender: Recommender,
    history: NDArray[np.int64],
    items: Sequence[int],
    how: Literal["leave_one_out", "attention", "none"],
) -> list[Scored]:
    """For each recommended item, the items of the history it is recommended for, with shares that sum to at most 1."""
    if how == "none" or len(history) == 0 or not items:
        return [[] for _ in items]
    if how == "attention":
        return [_looked_at(recommender, history)] * len(items)  # type: ignore[arg-type]
    return _missed(recommender, history, items)


def _missed(recommender: Recommender, history: NDArray[np.int64], items: Sequence[int]) -> list[Scored]:
    """Take each item out of the history; those without which a recommendation is less likely are its reasons."""
    removed = list(dict.fromkeys(history[::-1].tolist()))[:MOST_REMOVED]
    histories = ItemLists.of([history, *(history[history != item] for item in removed)])
    shares = torch.log_softmax(recommender.score(histories), 1)[:, list(items)]
    falls = (shares[0] - shares[1:]).clamp(min=0)  # (removed, items)
    weights = falls / falls.sum(0).clamp(min=torch.finfo(falls.dtype).tiny)
    return [_weightiest(removed, column) for column in weights.T.tolist()]


def _looked_at(recommender: Attentive, history: NDArray[np.int64]) -> Scored:
    """What the last event looks at through all blocks; the same for every recommended item."""
    weights = recommender.attention(ItemLists.of([history]))[0].tolist()
    sums: dict[int, float] = {}
    for item, weight in zip(history[-len(weights) :].tolist(), weights, strict=True):
        sums[item] = sums.get(item, 0.0) + weight
    return _weightiest(list(sums), list(sums.values()))


def _weightiest(items: Sequence[int], weights: Sequence[float]) -> Scored:
    found = sorted(zip(items, weights, strict=True), key=lambda pair: -pair[1])
    return [(item, weight) for item, weight in found[:MOST_REASONS] if weight > 0]
