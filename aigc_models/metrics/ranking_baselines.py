"""What any recommender must beat: what is popular, which items go together, and what commonly follows what."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.data.interaction_splits import ItemLists

EASE_WEIGHT = 300.0  # chosen on validation events of MovieLens 100K among 50 to 1,000
MARKOV_STEPS = 3
_CHUNK = 1024


def multi_hot(lists: ItemLists, items: int) -> Tensor:
    """One where a list holds an item, however often; float32 (N, I)."""
    table = torch.zeros(len(lists), items)
    table[torch.from_numpy(lists.rows), torch.from_numpy(lists.items)] = 1.0
    return table


class Popularity:
    """Every item scores the number of its events, for everybody alike."""

    def __init__(self, known: ItemLists, items: int) -> None:
        self._counts = torch.from_numpy(np.bincount(known.items, minlength=items)).float()

    def score(self, histories: ItemLists) -> Tensor:
        """The same row for each user, (B, I)."""
        return self._counts.expand(len(histories), -1)


class Ease:
    """A linear model in closed form: each item from all others a user had.

    With G = X^T X of the users' items and P = (G + weight I)^-1, the weights are B = I - P / diag(P) with a zero
    diagonal, and the scores X B. Source: Steck 2019, equation 8. Takes items^3 time and items^2 memory.
    """

    def __init__(self, known: ItemLists, items: int, weight: float = EASE_WEIGHT) -> None:
        gram = torch.zeros(items, items, dtype=torch.float64)
        for start in range(0, len(known), _CHUNK):
            held = multi_hot(known.take(slice(start, start + _CHUNK)), items)
            gram += (held.T @ held).double()  # whole numbers, exact in 32 bits up to 2^24
        gram.diagonal().add_(weight)
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
        self.weights = (-inverse / inverse.diagonal()).float()
        self.weights.fill_diagonal_(0)

    def score(self, histories: ItemLists) -> Tensor:
        """Shape: (B, I)."""
        return multi_hot(histories, len(self.weights)) @ self.weights


class MarkovCounts:
    """How often an item came at most some steps after each of a user's last items, summed; three steps as default.

    Counts are stored as sorted pairs, so that a million items are no more than their pairs of neighbours.
    """

    def __init__(self, known: ItemLists, items: int, steps: int = MARKOV_STEPS) -> None:
        self._items, self._steps = items, steps
        pairs = np.concatenate([before * items + after for before, after in _neighbours(known, steps)])
        codes, counts = np.unique(pairs, return_counts=True)
        self._after, self._counts = codes % items, counts.astype(np.float32)
        self._starts = np.searchsorted(codes // items, np.arange(items + 1))

    def score(self, histories: ItemLists) -> Tensor:
        """Shape: (B, I)."""
        scores = np.zeros((len(histories), self._items), np.float32)
        for row in range(len(histories)):
            for item in histories[row][-self._steps :]:
                follow = slice(self._starts[item], self._starts[item + 1])
                scores[row, self._after[follow]] += self._counts[follow]
        return torch.from_numpy(scores)


def _neighbours(known: ItemLists, steps: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Items and those that came so many steps after them, for each distance."""
    rows = known.rows
    for distance in range(1, steps + 1):
        same = rows[distance:] == rows[:-distance]
        yield known.items[:-distance][same], known.items[distance:][same]
