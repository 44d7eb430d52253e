"""BM25: how well the words of a question fit those of each passage.

Source: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond", equations 3.3 and 3.15;
the weight of a word is that of Lucene, log(1 + (N - n + 0.5) / (n + 0.5)), which is never negative.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

K1, B = 1.2, 0.75
UNSEEN = -1


@dataclass(frozen=True)
class Bm25:
    """An index over passages, by word.

    Attributes:
        vocabulary: Numbers of words.
        weights: What each word adds to each passage's score, float32 (words, passages), by row.
        rarity: The weight of each word, float32 (words,).
    """

    vocabulary: Mapping[str, int]
    weights: sparse.csr_array
    rarity: NDArray[np.float32]

    @classmethod
    def over(cls, passages: Sequence[Sequence[str]], k1: float = K1, b: float = B) -> "Bm25":
        """Index passages given as words."""
        vocabulary = {word: number for number, word in enumerate(dict.fromkeys(chain.from_iterable(passages)))}
        counted = [Counter(map(vocabulary.__getitem__, one)) for one in passages]
        row = np.fromiter(chain.from_iterable(counted), np.int64)
        column = np.repeat(np.arange(len(passages)), [len(one) for one in counted])
        times = np.fromiter(chain.from_iterable(one.values() for one in counted), np.float64)
        holding = np.bincount(row, minlength=len(vocabulary))
        rarity = np.log1p((len(passages) - holding + 0.5) / (holding + 0.5))
        lengths = np.array([len(one) for one in passages], np.float64)
        long = 1 - b + b * lengths / max(lengths.mean() if len(lengths) else 1.0, 1e-9)
        values = rarity[row] * times * (k1 + 1) / (times + k1 * long[column])
        shape = (len(vocabulary), len(passages))
        weights = sparse.csr_array((values.astype(np.float32), (row, column)), shape=shape)
        return cls(vocabulary, weights, rarity.astype(np.float32))

    @property
    def unseen_rarity(self) -> float:
        """The weight of a word that no passage has."""
        return math.log1p((self.weights.shape[1] + 0.5) / 0.5)

    def numbers(self, query: Sequence[str]) -> NDArray[np.int64]:
        """Numbers of a question's different words, :data:`UNSEEN` for those that no passage has."""
        return np.array([self.vocabulary.get(word, UNSEEN) for word in dict.fromkeys(query)], np.int64)

    def score(self, query: Sequence[str]) -> NDArray[np.float32]:
        """Scores of all passages; float32 (passages,)."""
        known = self.numbers(query)
        known = known[known != UNSEEN]
        if not len(known):
            return np.zeros(self.weights.shape[1], np.float32)
        return np.asarray(self.weights[known].sum(0), np.float32)

    def score_all(self, queries: Sequence[Sequence[str]]) -> NDArray[np.float32]:
        """Scores for many questions; float32 (questions, passages)."""
        known = [(number := self.numbers(one))[number != UNSEEN] for one in queries]
        starts = np.concatenate([[0], np.cumsum([len(one) for one in known])])
        columns = np.concatenate([*known, np.empty(0, np.int64)])
        shape = (len(queries), len(self.vocabulary))
        asked = sparse.csr_array((np.ones(len(columns), np.float32), columns, starts), shape=shape)
        return np.asarray((asked @ self.weights).toarray(), np.float32)

    def highest(self, query: Sequence[str]) -> float:
        """The score that a passage with all the words often enough would come near; for shares of it."""
        known = self.numbers(query)
        own = self.rarity[known[known != UNSEEN]].sum() + self.unseen_rarity * float((known == UNSEEN).sum())
        return float(own) * (K1 + 1)
