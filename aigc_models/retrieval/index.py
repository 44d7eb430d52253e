"""An index over passages by words and by vectors, and both scores together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aigc_models.retrieval.bm25 import Bm25

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows that belong to the same thing, which is as good as the best of them.

    Attributes:
        order: The rows, those of a thing together, int64 (rows,).
        starts: Where each thing's begin in ``order``, int64 (things with a row,).
        things: Which thing that is, int64 (things with a row,).
        count: Number of things.
    """

    order: Numbers
    starts: Numbers
    things: Numbers
    count: int

    @classmethod
    def of(cls, owner: Numbers, count: int) -> "Groups":
        """Group rows by the thing that each belongs to, (rows,)."""
        order = np.argsort(owner, kind="stable")
        things, starts = np.unique(owner[order], return_index=True)
        return cls(order, starts, things, count)

    def best(self, scores: Floats, least: float) -> Floats:
        """The best score of each thing; ``least`` for a thing without any row.

        Shape: (..., rows) to (..., things).
        """
        found = np.full((*scores.shape[:-1], self.count), least, np.float32)
        if len(self.order):
            found[..., self.things] = np.maximum.reduceat(scores[..., self.order], self.starts, axis=-1)
        return found


@dataclass(frozen=True)
class Index:
    """What is searched for passages: each is found by one text or by several.

    Attributes:
        lexical: BM25 over the texts.
        texts: Which passage each text stands for.
        vectors: Of length one, float32 (V, D).
        dense: Which passage each vector stands for.
        weight: How much a cosine counts beside BM25's share of its best score.
    """

    lexical: Bm25
    texts: Groups
    vectors: Floats
    dense: Groups
    weight: float = 1.0

    def scores(self, queries: Sequence[Sequence[str]], vectors: Floats) -> tuple[Floats, Floats]:
        """BM25 scores and cosines of every passage.

        Args:
            queries: Questions as words.
            vectors: The same as vectors, float32 (Q, D).

        Shape: both (Q, passages).
        """
        exact = self.texts.best(self.lexical.score_all(queries), 0.0)
        return exact, self.dense.best(vectors @ self.vectors.T, -1.0)

    def fuse(self, exact: Floats, near: Floats) -> Floats:
        """One score: BM25 as a share of the question's best, and the cosine with its weight; (Q, passages)."""
        return fused(exact, near, self.weight)


def fused(exact: Floats, near: Floats, weight: float) -> Floats:
    """BM25 as a share of each question's best passage, plus weighted cosines, divided so that 1 is the most."""
    best = exact.max(-1, keepdims=True)
    share = exact / np.where(best > 0, best, 1)
    return np.asarray((share + weight * near) / (1 + weight), np.float32)


def ranks(scores: Floats, wanted: Numbers) -> NDArray[np.float64]:
    """The place of what is wanted in each row, from 1; ties share their mean place.

    Shape: scores (Q, things), wanted (Q,) to (Q,).
    """
    own = scores[np.arange(len(wanted)), wanted][:, None]
    return np.asarray(1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2, np.float64)
