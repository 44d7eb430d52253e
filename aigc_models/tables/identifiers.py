"""Identifiers: made anew in the pattern of those seen, and never equal to one of them."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import Cells

_MOST_LOOKED_AT, _MOST_PATTERNS, _LEAST_SHARE, _TRIES = 20_000, 20, 0.01, 20
_DIGITS, _LOWER, _UPPER = "0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SETS = (_DIGITS, _DIGITS + "abcdef", _DIGITS + "ABCDEF", _LOWER, _UPPER, _LOWER + _DIGITS, _UPPER + _DIGITS)

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class IdentifierCodec:
    """An identifier column.

    Attributes:
        patterns: The characters each place may hold, for each pattern.
        shares: Share of the rows up to each pattern, rising to 1.
        missing: Share of missing cells.
    """

    patterns: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]
    missing: float

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "IdentifierCodec":
        """From JSON."""
        patterns = tuple(tuple(pattern) for pattern in stored["patterns"])
        return cls(patterns, tuple(stored["shares"]), stored["missing"])

    def make(self, count: int, generator: np.random.Generator, seen: "Seen") -> Cells:
        """New identifiers (count,), each once; they join those that are seen."""
        made = np.empty(count, object)
        which = np.searchsorted(self.shares, generator.random(count)).clip(0, len(self.shares) - 1)
        gaps = generator.random(count) < self.missing
        for number, pattern in enumerate(self.patterns):
            rows = np.flatnonzero((which == number) & ~gaps)
            made[rows] = _fresh(pattern, len(rows), generator, seen)
        return made


class Seen:
    """Which identifiers exist: those of the training by their hashes, those made as they are.

    Args:
        hashes: Of the training's, sorted.
    """

    def __init__(self, hashes: Hashes) -> None:
        self._hashes, self._made = hashes, set[str]()

    def add_new(self, texts: Sequence[str]) -> list[bool]:
        """Which of these are new; these are known from then on."""
        hashed = hash_texts(texts)
        places = np.searchsorted(self._hashes, hashed)
        old = np.zeros(len(texts), np.bool_)
        inside = places < len(self._hashes)
        old[inside] = self._hashes[places[inside]] == hashed[inside]
        new = []
        for text, known in zip(texts, old.tolist(), strict=True):
            new.append(not known and text not in self._made)
            if new[-1]:
                self._made.add(text)
        return new


def hash_texts(texts: Sequence[str]) -> Hashes:
    """64 bits of a hash of each text, (N,)."""
    joined = b"".join(hashlib.blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(joined, np.uint64)


def fit_identifier(cells: Cells) -> tuple[IdentifierCodec, Hashes]:
    """Learn the patterns of a column, and the hashes of its cells."""
    known = [str(cell) for cell in cells if cell is not None]
    missing = 1 - len(known) / max(len(cells), 1)
    looked_at = known[:: max(1, len(known) // _MOST_LOOKED_AT)]
    counts = Counter(map(_shape, looked_at))
    common = [(shape, n) for shape, n in counts.most_common(_MOST_PATTERNS) if n >= _LEAST_SHARE * len(looked_at)]
    common = common or counts.most_common(1) or [("", 1)]
    patterns = tuple(_pattern([text for text in looked_at if _shape(text) == shape]) for shape, _ in common)
    upto = np.cumsum([n for _, n in common]) / sum(n for _, n in common)
    return IdentifierCodec(patterns, tuple(upto.tolist()), missing), np.sort(hash_texts(known))


def _shape(text: str) -> str:
    return "".join("x" if character.isalnum() else character for character in text)


def _pattern(texts: Sequence[str]) -> tuple[str, ...]:
    """The characters of each place: one that all share, else the smallest usual set that holds what was seen."""
    places = []
    for characters in zip(*texts, strict=True):
        seen = set(characters)
        if len(seen) == 1 and len(texts) > 1:
            places.append(characters[0])
            continue
        found = next((each for each in _SETS if seen <= set(each)), "".join(sorted(seen)))
        places.append(found)
    if places and places[0] == _DIGITS and len(texts) > 1 and not any(text[0] == "0" for text in texts):
        places[0] = _DIGITS[1:]
    return tuple(places) or (_DIGITS,)


def _fresh(pattern: tuple[str, ...], count: int, generator: np.random.Generator, seen: Seen) -> list[str]:
    """New texts after a pattern; where it has no room left they grow by a digit."""
    made: list[str] = []
    tries = 0
    while len(made) < count:
        if tries and tries % _TRIES == 0:
            pattern = (*pattern, _DIGITS)
        texts = _draw(pattern, count - len(made), generator)
        made += [text for text, new in zip(texts, seen.add_new(texts), strict=True) if new]
        tries += 1
    return made


def _draw(pattern: tuple[str, ...], count: int, generator: np.random.Generator) -> list[str]:
    letters = np.empty((count, len(pattern)), "U1")
    for place, among in enumerate(pattern):
        letters[:, place] = np.array(list(among))[generator.integers(len(among), size=count)]
    texts: list[str] = np.ascontiguousarray(letters).view(f"U{len(pattern)}").ravel().tolist()
    return texts
