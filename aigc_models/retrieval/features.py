"""From words to the numbered features that the encoder reads: words, pairs of words, and pieces of words.

A feature's number is a hash of its spelling (Weinberger et al. 2009), so that no dictionary is kept and no word is
unknown: a new one still has pieces in common with old ones (Bojanowski et al. 2017).
"""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.retrieval.tokens import is_wide

MOST_WORDS = 256  # of a text; what comes later is not read
_PIECES = (4, 5)  # characters of a piece of a word, its ends marked


@lru_cache(maxsize=200_000)
def _of_word(word: str) -> tuple[int, ...]:
    """Hashes of a word and of its pieces; of two wide characters each of them is a piece."""
    if is_wide(word):
        pieces = [f"c{one}" for one in word] if len(word) > 1 else []
    else:
        marked = f"<{word}>"
        pieces = [f"c{marked[place : place + size]}" for size in _PIECES for place in range(len(marked) - size + 1)]
    return tuple(zlib.crc32(one.encode()) for one in (f"w{word}", *pieces))


def hashes(text: Sequence[str]) -> list[int]:
    """Hashes of all features of a text given as words, as often as they occur."""
    read = text[:MOST_WORDS]
    found = [one for word in read for one in _of_word(word)]
    found += [zlib.crc32(f"b{first} {second}".encode()) for first, second in pairwise(read)]
    return found


@dataclass(frozen=True, slots=True)
class Bags:
    """Texts as features with weights.

    Attributes:
        features: All texts' features one after the other, int64 (F,).
        weights: How much each counts, float32 (F,).
        starts: Where each text begins, and the end of the last, int64 (texts + 1,).
    """

    features: NDArray[np.int64]
    weights: NDArray[np.float32]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: Iterable[Sequence[str]], buckets: int) -> "Bags":
        """Read texts given as words; a feature that occurs n times counts 1 + log n.

        Args:
            texts: The texts.
            buckets: How many numbers there are; the last is that of a text without any feature.
        """
        each, counts = [], []
        for text in texts:
            numbers = np.array(hashes(text), np.int64) % (buckets - 1)
            unique, count = np.unique(numbers if len(numbers) else np.array([buckets - 1]), return_counts=True)
            each.append(unique)
            counts.append(count)
        starts = np.concatenate([[0], np.cumsum([len(one) for one in each], dtype=np.int64)])
        count = np.concatenate([*counts, np.empty(0, np.int64)])
        features = np.concatenate([*each, np.empty(0, np.int64)])
        return cls(features, (1 + np.log(np.maximum(count, 1))).astype(np.float32), starts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def take(self, rows: NDArray[np.int64]) -> "Bags":
        """Some of the texts."""
        lengths = self.starts[rows + 1] - self.starts[rows]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], lengths)
        return Bags(self.features[places], self.weights[places], starts)

    def thinned(self, drop: float, most: int, rng: np.random.Generator) -> "Bags":
        """Without some of the features, drawn at random: a share of all, and more of a text that has very many."""
        lengths = np.diff(self.starts)
        share = np.minimum(1 - drop, most / np.maximum(lengths, 1))
        kept = rng.random(len(self.features)) < np.repeat(share, lengths)
        kept[self.starts[:-1][lengths > 0]] = True  # a text keeps one
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        return Bags(self.features[kept], self.weights[kept], starts)

    def __add__(self, other: "Bags") -> "Bags":
        """These texts, then those."""
        return Bags(
            np.concatenate([self.features, other.features]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
        )

    def tensors(self, device: str) -> tuple[Tensor, Tensor, Tensor]:
        """Features (F,), weights (F,) and starts (texts,) on a device."""
        found = (self.features, self.weights, self.starts[:-1])
        return tuple(torch.from_numpy(one).to(device) for one in found)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads texts into a fixed number of buckets, and knows how rare each is.

    Attributes:
        buckets: Numbers that features can have.
        rarity: Log of texts over texts with the feature, float32 (buckets,).
    """

    buckets: int
    rarity: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))

    @classmethod
    def over(cls, texts: Sequence[Sequence[str]], most: int) -> "Reader":
        """Choose as many buckets as keep most features apart, a power of two, at most ``most``."""
        different = len(set().union(*map(hashes, texts))) if texts else 0
        buckets = 64
        while buckets < min(2 * different, most):
            buckets *= 2
        bags = Bags.of(texts, buckets)
        holding = np.bincount(bags.features, minlength=buckets)
        return cls(buckets, np.log((len(bags) + 1) / (holding + 1)).astype(np.float32))

    def read(self, texts: Iterable[Sequence[str]]) -> Bags:
        """Texts as features."""
        return Bags.of(texts, self.buckets)
