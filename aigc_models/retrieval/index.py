"""An index over passages by words and by vectors, and both scores together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aigc_models.retrieval.bm25 import Bm25

_FOREIGN = 0.5  # what a passage in another language than the question counts

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


@dataclass(frozen=True, slots=True)
class Scores:
    """How well passages fit questions, each (Q, passages).

    Attributes:
        exact: BM25 over each passage's own texts.
        near: Cosines.
        around: BM25 over all of the passage's document.
        foreign: 1 for a question in a language that next to no passage is in, else 0; float32 (Q,).
    """

    exact: Floats
    near: Floats
    around: Floats
    foreign: Floats


@dataclass(frozen=True, slots=True)
class Mix:
    """How much cosines and documents count beside BM25 of the passage, which counts 1."""

    near: float = 1.0
    around: float = 0.0


@dataclass(frozen=True)
class Index:
    """What is searched for passages: each is found by one text or by several.

    Attributes:
        lexical: BM25 over the texts.
        texts: Which passage each text stands for.
        vectors: Of length one, float32 (V, D).
        dense: Which passage each vector stands for.
        context: BM25 over whole documents: what a passage does not say itself may stand beside it.
        document: Whose each passage is, int64 (passages,).
        mix: How much each score counts.
        tongues: The language of each passage, where they have several; those in another one than the question count
            less.
        tongue: The language of nearly all passages, where they have one; empty where they have several.
    """

    lexical: Bm25
    texts: Groups
    vectors: Floats
    dense: Groups
    context: Bm25
    document: Numbers
    mix: Mix = Mix()
    tongues: NDArray[np.str_] | None = None
    tongue: str = ""

    def scores(self, queries: Sequence[Sequence[str]], vectors: Floats, tongues: Sequence[str] = ()) -> Scores:
        """Scores of every passage.

        Args:
            queries: Questions as words.
            vectors: The same as vectors, float32 (Q, D).
            tongues: The language of each question, empty where it cannot be told.
        """
        exact = self.texts.best(self.lexical.score_all(queries), 0.0)
        around = self.context.score_all(queries)[:, self.document]
        near = self.dense.best(vectors @ self.vectors.T, -1.0)
        if self.tongues is not None and any(tongues):
            asked = np.array(tongues)[:, None]
            foreign = (asked != "") & (asked != self.tongues[None])  # (Q, P)
            exact, around = (np.where(foreign, _FOREIGN * one, one) for one in (exact, around))
            near = np.where(foreign, near - (1 - _FOREIGN), near)
        strange = [bool(self.tongue and one) and one != self.tongue for one in tongues or [""] * len(queries)]
        return Scores(exact, near, around, np.array(strange, np.float32))

    def fuse(self, scores: Scores) -> Floats:
        """One score; (Q, passages)."""
        return fused(scores, self.mix)


def fused(scores: Scores, mix: Mix) -> Floats:
    """BM25 as shares of each question's best passage and document, and cosines, so weighted that 1 is the most."""
    total = _share(scores.exact) + mix.near * scores.near
    if mix.around:
        total = total + mix.around * _share(scores.around)
    return np.asarray(total / (1 + mix.near + mix.around), np.float32)


def _share(scores: Floats) -> Floats:
    best = scores.max(-1, keepdims=True)
    return np.asarray(scores / np.where(best > 0, best, 1), np.float32)


def ranks(scores: Floats, wanted: Numbers) -> NDArray[np.float64]:
    """The place of what is wanted in each row, from 1; ties share their mean place.

    Shape: scores (Q, things), wanted (Q,) to (Q,).
    """
    own = scores[np.arange(len(wanted)), wanted][:, None]
    return np.asarray(1 + (scores > own).sum(1) + ((scores == own).sum(1) - 1) / 2, np.float64)
