"""How much of a text was copied: its longest passage that stands word for word in other texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_BREAK = 0x10FFFF + 1  # between texts: no character


@dataclass(frozen=True, slots=True)
class Span:
    """A passage of a text.

    Attributes:
        text: Which text it is of, from 0.
        start: Its first character.
        length: Its characters.
    """

    text: int
    start: int
    length: int


class Sources:
    """Texts that passages may have been copied from.

    Passages are compared by a hash of 64 bits, and the longest one is looked up in the texts, so no chance hit counts.

    Args:
        texts: The texts.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._whole = "\0".join(texts)
        self._sums = _sums(_codes(texts))

    def longest(self, texts: Sequence[str]) -> Span:
        """The longest passage of any of some texts that stands in a source."""
        sums, starts = _sums(_codes(texts)), np.cumsum([0, *(len(text) + 1 for text in texts)])
        low, high, best = 0, max(map(len, texts), default=0), Span(0, 0, 0)
        while low < high:
            length = (low + high + 1) // 2
            found = self._shared(texts, sums, starts, length)
            if found is None:
                high = length - 1
            else:
                low, best = length, found
        return best

    def _shared(
        self, texts: Sequence[str], sums: NDArray[np.uint64], starts: NDArray[np.int64], length: int
    ) -> Span | None:
        ours, theirs = _hashes(sums, length), _hashes(self._sums, length)
        for place in np.flatnonzero(np.isin(ours, theirs))[:1000].tolist():
            row = int(np.searchsorted(starts, place, side="right")) - 1
            passage = texts[row][place - starts[row] : place - starts[row] + length]
            if len(passage) == length and passage in self._whole:
                return Span(row, int(place - starts[row]), length)
        return None


def _codes(texts: Sequence[str]) -> NDArray[np.uint64]:
    """Characters as numbers, each text with a break behind it."""
    parts = [np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64) for text in texts]
    end = np.array([_BREAK], np.uint64)
    return np.concatenate([piece for part in parts for piece in (part, end)] or [end])


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    powers = np.full(count, base, np.uint64)
    powers[:1] = 1
    return np.asarray(np.multiply.accumulate(powers), np.uint64)


def _sums(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sums of characters times powers of the base, modulo 2**64; one more than characters."""
    weighted = (codes + np.uint64(1)) * _powers(_BASE, len(codes))
    return np.concatenate([np.zeros(1, np.uint64), np.cumsum(weighted, dtype=np.uint64)])


def _hashes(sums: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """A number for each passage of a length, the same wherever it stands (Karp and Rabin 1987)."""
    if len(sums) <= length:
        return np.empty(0, np.uint64)
    differences = sums[length:] - sums[:-length]
    return np.asarray(differences * _powers(pow(_BASE, -1, 2**64), len(differences)), np.uint64)
