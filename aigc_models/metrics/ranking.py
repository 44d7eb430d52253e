"""How well scores rank what users really took next, among **all** items; figures on sampled items are not comparable.

Items a user had before are masked, so they take no place. Items with equal scores share their places: every figure is
its expectation over all orders of them, which favours nobody. ``k`` is how many places of a list count.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists, Queries

PLACES = 10
_FEW_TARGETS = 8  # up to which comparing is faster than sorting
_BATCH = 256


class Scorer(Protocol):
    """What says how likely each item comes next."""

    def score(self, histories: ItemLists) -> Tensor:
        """A number for each user and item, the higher the likelier; float32 (B, I) on the CPU, nothing masked."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where the targets stand: places ``better + 1`` to ``better + tied`` are shared by those with the same score.

    Shape: all (B, T), padded; ``present`` tells what is a target.
    """

    better: Tensor
    tied: Tensor
    present: Tensor


def places(scores: Tensor, targets: ItemLists) -> Places:
    """Find the places of targets.

    Shape: scores (B, I), masked items at minus infinity.
    """
    wanted, present = padded(targets)
    own = scores.gather(1, wanted)  # (B, T)
    if own.shape[1] <= _FEW_TARGETS:
        better = torch.stack([(scores > column[:, None]).sum(1) for column in own.unbind(1)], 1)
        tied = torch.stack([(scores == column[:, None]).sum(1) for column in own.unbind(1)], 1)
    else:
        rising = scores.sort(1).values
        upto = torch.searchsorted(rising, own.contiguous(), right=True)
        better, tied = scores.shape[1] - upto, upto - torch.searchsorted(rising, own.contiguous())
    return Places(better, tied.clamp(min=1), present)


def padded(lists: ItemLists) -> tuple[Tensor, Tensor]:
    """Lists side by side, and which cells are taken.

    Shape: int64 (N, longest) and bool (N, longest).
    """
    lengths = torch.from_numpy(lists.lengths)
    present = torch.arange(max(int(lengths.max()), 1))[None] < lengths[:, None]
    cells = torch.zeros(present.shape, dtype=torch.int64)
    cells[present] = torch.from_numpy(lists.items)
    return cells, present


def recall(found: Places, k: int) -> Tensor:
    """Share of a user's targets among the first k places, (B,)."""
    hits = (_upto(found.better + found.tied, k) - _upto(found.better, k)) / found.tied
    return (hits * found.present).sum(1) / found.present.sum(1)


def ndcg(found: Places, k: int) -> Tensor:
    """Discounted gain of the first k places over that of the best list, every target worth the same, (B,).

    Source: Järvelin and Kekäläinen 2002, with the discount 1 / log2(1 + place); ties after McSherry and Najork 2008.
    """
    discounts = 1 / torch.log2(torch.arange(2, k + 2, dtype=torch.float64))
    gained = torch.cat([discounts.new_zeros(1), discounts.cumsum(0)])
    gains = (gained[_upto(found.better + found.tied, k)] - gained[_upto(found.better, k)]) / found.tied
    return (gains * found.present).sum(1) / gained[_upto(found.present.sum(1), k)]


def hit_rate(found: Places, k: int) -> Tensor:
    """Chance that at least one target is among the first k places, (B,)."""
    surely = ((found.better + found.tied <= k) & found.present).any(1)
    astride = (found.better < k) & (found.better + found.tied > k) & found.present  # all of one group
    size, rivals = _of_group(found, astride)
    free = (k - torch.where(astride, found.better, 0).max(1).values).clamp(min=0)
    # None of the group's targets in the places that are left: C(size - targets, free) / C(size, free)
    missed = torch.exp(_log_choose(size - rivals, free) - _log_choose(size, free))
    return torch.where(surely, 1.0, torch.where(rivals > 0, 1 - missed, 0.0))


def reciprocal_rank(found: Places) -> Tensor:
    """One over the place of the first target, (B,).

    Among targets that share places with others, the first one stands at ``j`` in C(n - j, m - 1) of C(n, m) orders.
    """
    first = torch.where(found.present, found.better, torch.iinfo(torch.int64).max).min(1).values
    size, same = _of_group(found, (found.better == first[:, None]) & found.present)
    expected = 1 / (first.double() + 1)
    for row in torch.nonzero(size > same).flatten().tolist():
        n, m = size[row], same[row]
        j = torch.arange(1, int(n - m) + 2, dtype=torch.float64)
        chance = torch.exp(_log_choose(n - j, m - 1) - _log_choose(n, m))
        expected[row] = (chance / (first[row] + j)).sum()
    return expected


def _of_group(found: Places, members: Tensor) -> tuple[Tensor, Tensor]:
    """How many items share the places of some targets, and how many of them are targets; float64 (B,)."""
    return torch.where(members, found.tied, 0).max(1).values.double(), members.sum(1).double()


def _upto(count: Tensor, k: int) -> Tensor:
    return count.clamp(max=k)


def _log_choose(n: Tensor, k: Tensor) -> Tensor:
    """Logarithm of the binomial coefficient; minus infinity where there is no way to choose."""
    n, k = torch.as_tensor(n, dtype=torch.float64), torch.as_tensor(k, dtype=torch.float64)
    return torch.where(
        k > n, -torch.inf, torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma((n - k).clamp(min=0) + 1)
    )


@dataclass(slots=True)
class RankingFigures:
    """Sums of the figures over users, and which items any list shows.

    Args:
        items: Number of items.
        k: Places of a list that count.
    """

    items: int
    k: int = PLACES
    users: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    shown: set[int] = field(default_factory=set)

    def add(self, scores: Tensor, targets: ItemLists) -> None:
        """Take in the scores of some users, (B, I), with masked items at minus infinity."""
        found, k = places(scores, targets), self.k
        figures = {
            "hr": hit_rate(found, k),
            "ndcg": ndcg(found, k),
            "recall": recall(found, k),
            "mrr": reciprocal_rank(found),
        }
        for name, values in figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(values.double().sum())
        self.users += len(targets)
        best = scores.topk(min(k, scores.shape[1]), 1)
        self.shown.update(best.indices[best.values > -torch.inf].tolist())

    def result(self) -> dict[str, float]:
        """Means over the users; coverage is the share of items that some list shows in its first k places."""
        means = {name: total / max(self.users, 1) for name, total in self.sums.items()}
        mrr = means.pop("mrr", 0.0)
        return {f"{name}{self.k}": mean for name, mean in means.items()} | {
            "mrr": mrr,
            f"coverage{self.k}": len(self.shown) / max(self.items, 1),
        }


def rank_all(
    scorer: Scorer, queries: Queries, cold: np.ndarray[tuple[int], np.dtype[np.bool_]], batch: int = _BATCH
) -> dict[str, float]:
    """Every figure of a scorer on queries.

    Args:
        scorer: What is measured.
        queries: Whom and what to ask.
        cold: Items nobody could learn about, bool (I,); they stand behind all others, whoever scores.
        batch: Users scored at once.
    """
    figures = RankingFigures(len(cold))
    behind = torch.from_numpy(cold)
    for start in range(0, len(queries), batch):
        some = queries.take(slice(start, start + batch))
        scores = scorer.score(some.histories).clone()
        scores[:, behind] = torch.finfo(scores.dtype).min
        scores[torch.from_numpy(some.histories.rows), torch.from_numpy(some.histories.items)] = -torch.inf
        figures.add(scores, some.targets)
    return figures.result()
