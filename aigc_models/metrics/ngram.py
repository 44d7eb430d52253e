"""What counting reaches: the next symbol by the few before it, smoothed after Witten and Bell."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Order:
    """Counts of one length of context: of contexts, of different symbols after each, of contexts with a symbol."""

    contexts: Ints
    totals: Ints
    followers: Ints
    grams: Ints
    counts: Ints

    def look(self, contexts: Ints, grams: Ints) -> tuple[Floats, Floats, Floats]:
        """Counts of contexts, of their followers, and of grams; zero where something never came."""
        at, found = _find(self.contexts, contexts)
        gram_at, gram_found = _find(self.grams, grams)
        return (
            np.where(found, self.totals[at], 0).astype(np.float64),
            np.where(found, self.followers[at], 0).astype(np.float64),
            np.where(gram_found, self.counts[gram_at], 0).astype(np.float64),
        )


def _find(known: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return at, known[at] == wanted


class WittenBell:
    """Shares of the next symbol, mixed over contexts of all lengths from none to ``order - 1`` symbols.

    Source: Witten and Bell 1991, method C, interpolated as in Chen and Goodman 1998, section 2.5.

    Args:
        symbols: A row of symbols below ``vocabulary``.
        vocabulary: How many symbols there are, those that never came included.
        order: Symbols of a gram, the context and what follows.
    """

    def __init__(self, symbols: Ints, vocabulary: int, order: int = 5) -> None:
        if order * math.log2(vocabulary + 1) > 62:
            order = int(62 / math.log2(vocabulary + 1))
        self.vocabulary, self.order = vocabulary, order
        self._orders = [self._count(symbols, length) for length in range(order)]

    def _count(self, symbols: Ints, length: int) -> _Order:
        contexts = self._contexts(symbols, length)[length:]
        contexts, after = contexts, symbols[length:]
        grams, counts = np.unique(contexts * self.vocabulary + after, return_counts=True)
        of, totals = np.unique(contexts, return_counts=True)
        _, followers = np.unique(grams // self.vocabulary, return_counts=True)
        return _Order(of, totals, followers, grams, counts)

    def _contexts(self, symbols: Ints, length: int) -> Ints:
        """A number for the symbols before each place; the first places have none."""
        number = np.zeros(len(symbols), np.int64)
        for back in range(length, 0, -1):
            before = np.concatenate([np.zeros(back, np.int64), symbols[:-back]]) if back <= len(symbols) else 0
            number = number * self.vocabulary + before
        return number

    def log_shares(self, symbols: Ints) -> Floats:
        """The logarithm of each symbol's share, by those before it, in nats; (N,)."""
        shares = np.full(len(symbols), 1 / self.vocabulary)
        for length, order in enumerate(self._orders):
            contexts = self._contexts(symbols, length)
            mixed = self._mix(order, contexts, contexts * self.vocabulary + symbols, shares)
            shares = np.where(np.arange(len(symbols)) >= length, mixed, shares)
        return np.asarray(np.log(shares), np.float64)

    @staticmethod
    def _mix(order: _Order, contexts: Ints, grams: Ints, shares: Floats) -> Floats:
        totals, followers, counts = order.look(contexts, grams)
        below = np.maximum(totals + followers, 1)
        return np.asarray(np.where(totals > 0, (counts + followers * shares) / below, shares), np.float64)

    def following(self, rows: Sequence[Sequence[int]]) -> Floats:
        """The share of every symbol after rows of symbols; (R, V)."""
        every = np.arange(self.vocabulary, dtype=np.int64)
        shares = np.full((len(rows), self.vocabulary), 1 / self.vocabulary)
        for before, order in enumerate(self._orders):
            known = np.array([_number(row, before, self.vocabulary) for row in rows], np.int64)[:, None]
            mixed = self._mix(order, known, known * self.vocabulary + every[None], shares)
            shares = np.where(known >= 0, mixed, shares)
        return shares

    def draw(self, starts: Sequence[Sequence[int]], length: int, rng: np.random.Generator) -> list[list[int]]:
        """Go on with some rows of symbols."""
        rows = [list(start) for start in starts]
        for _ in range(length):
            shares = self.following(rows)
            ends = shares.cumsum(1)
            chosen = (ends <= rng.random((len(rows), 1)) * ends[:, -1:]).sum(1)
            for row, symbol in zip(rows, chosen.tolist(), strict=True):
                row.append(min(int(symbol), self.vocabulary - 1))
        return rows


def _number(row: Sequence[int], length: int, vocabulary: int) -> int:
    """The number of a row's last symbols, -1 where it has too few."""
    if len(row) < length:
        return -1
    number = 0
    for symbol in row[len(row) - length :]:
        number = number * vocabulary + symbol
    return number
