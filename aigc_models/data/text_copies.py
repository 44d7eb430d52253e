"""Copies and near-copies among texts, found without comparing each with each.

Source: Broder, "On the resemblance and containment of documents" (1997); one permutation hashing with rotation from
Shrivastava and Li, "Densifying one permutation hashing via rotation" (ICML 2014), https://arxiv.org/abs/1406.4784.
Sketches only propose pairs; what counts as near is the exact share of common pieces of 5 characters.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

PIECE = 5  # characters
NEAR = 0.8  # of the pieces that one of two texts has, so many do both have
_BINS, _ROWS = 64, 4  # 16 bands of 4 rows: pairs above 0.8 are missed once in 4,000 times
_LIKELY = 0.55  # of two sketches is the same in texts that may be near; 5 deviations below what 0.8 makes
_TRIED = 8  # others that a text is compared with in full; what is like none of these is like few
_BLOCK = 50_000  # pairs of sketches that are compared at once
_LONGEST = 200_000  # characters of a text that are looked at
_BLANKS = re.compile(r"\s+")
_SHORT = 1000  # characters
_EMPTY = np.uint64(2**64 - 1)

Hashes = NDArray[np.uint64]


def plain(text: str) -> str:
    """A text as it is compared: in lower case, with single blanks."""
    return _BLANKS.sub(" ", text).strip().casefold()


def same(texts: Sequence[str]) -> NDArray[np.int64]:
    """The first text that says the same as each one, letters' case and blanks aside; int64 (N,)."""
    first: dict[bytes, int] = {}
    digests = (blake2b(plain(text).encode(errors="replace"), digest_size=16).digest() for text in texts)
    return np.fromiter((first.setdefault(digest, place) for place, digest in enumerate(digests)), np.int64, len(texts))


def near(texts: Sequence[str], firsts: NDArray[np.int64], beat: Callable[[float], None]) -> NDArray[np.int64]:
    """The first text of each one's group of near-copies; int64 (N,).

    Args:
        texts: All texts.
        firsts: What :func:`same` gives; copies are in one group from the start.
        beat: Told which share of the work is done.
    """
    groups = firsts.copy()
    places = np.flatnonzero(firsts == np.arange(len(texts)))
    sketches = np.empty((len(places), _BINS), np.uint64)
    for row, place in enumerate(places.tolist()):
        sketches[row] = _sketch(pieces(texts[place]))
        beat(row / (2 * len(places)))
    pairs = _candidates(sketches, lambda share: beat(0.5 + share / 4))
    tried: Counter[int] = Counter()
    for done, (one, other) in enumerate(places[pairs].tolist()):
        first, second = _root(groups, one), _root(groups, other)
        if first == second or tried[other] >= _TRIED:
            continue
        tried[other] += 1
        if alike(texts[one], texts[other]) >= NEAR:
            groups[max(first, second)] = min(first, second)
        beat(0.75 + done / (4 * len(pairs)))
    return np.fromiter((_root(groups, place) for place in range(len(texts))), np.int64, len(texts))


def alike(one: str, other: str) -> float:
    """The share of pieces of 5 characters that two texts have in common, of all that either has (Jaccard)."""
    first, second = (_kept(text) if len(text) <= _SHORT else pieces(text) for text in (one, other))
    if not len(first) or not len(second):
        return float(plain(one) == plain(other))
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)


@lru_cache(maxsize=10_000)
def _kept(text: str) -> Hashes:
    """The pieces of a short text, which is compared several times in a row."""
    return pieces(text)


def pieces(text: str) -> Hashes:
    """A hash of each different piece of :data:`PIECE` characters, in rising order; (S,), none for a blank text."""
    signs = np.frombuffer(plain(text[:_LONGEST]).encode("utf-32-le", "replace"), "<u4").astype(np.uint64)
    if not len(signs):
        return np.zeros(0, np.uint64)
    width = min(PIECE, len(signs))
    mixed = np.zeros(len(signs) - width + 1, np.uint64)
    for place in range(width):
        mixed = mixed * np.uint64(0x100000001B3) + signs[place : place + len(mixed)]
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)  # SplitMix64
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.unique(mixed ^ (mixed >> np.uint64(31)))


def _sketch(hashes: Hashes) -> Hashes:
    """The least hash of each of 64 ranges; an empty range takes the next one's, marked by how far it is; (64,)."""
    if not len(hashes):
        return np.full(_BINS, _EMPTY)
    starts = np.searchsorted(hashes, np.arange(_BINS, dtype=np.uint64) << np.uint64(58))
    ends = np.append(starts[1:], len(hashes))
    full = np.flatnonzero(ends > starts)
    after = full[np.searchsorted(full, np.arange(_BINS)) % len(full)]
    away = (after - np.arange(_BINS)) % _BINS
    return np.asarray(hashes[starts[after]] + away.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _candidates(sketches: Hashes, beat: Callable[[float], None]) -> NDArray[np.int64]:
    """Different pairs of rows that agree in a whole band and in most of the rest, the later row second; (P, 2)."""
    bands, found = _BINS // _ROWS, [np.zeros((0, 2), np.int64)]
    for start in range(bands):  # rows far apart, as an empty range takes its neighbour's hash
        band = np.ascontiguousarray(sketches[:, start::bands])
        keys = band.view([("", np.uint64)] * _ROWS).ravel()
        order = np.argsort(keys, kind="stable")
        again = np.flatnonzero(keys[order][1:] == keys[order][:-1]) + 1  # rows that share a key with the one before
        fresh = np.maximum.accumulate(np.where(np.isin(np.arange(len(order)), again), 0, np.arange(len(order))))
        for others in (again - 1, fresh[again]):
            pairs = np.stack([order[others], order[again]], 1)
            for begin in range(0, len(pairs), _BLOCK):
                block = pairs[begin : begin + _BLOCK]
                agreement = (sketches[block[:, 0]] == sketches[block[:, 1]]).mean(1)
                found.append(block[agreement >= _LIKELY])
        beat((start + 1) / bands)
    return np.unique(np.concatenate(found), axis=0)


def _root(groups: NDArray[np.int64], place: int) -> int:
    while groups[place] != place:
        groups[place] = groups[groups[place]]
        place = int(groups[place])
    return place
