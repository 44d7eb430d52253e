"""Numbers as people write them: with a point or a comma before the decimals, and marks between thousands."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

DecimalMark = Literal["auto", "point", "comma"]
MOST_DECIMALS = 15
LARGEST_EXACT = 2.0**53
_SAMPLE = 1_000
_GROUPS = {",": ",", ".": r"\.", "'": "['\u2019]", " ": "[ \u00a0\u2009\u202f]"}
_LEADING_ZERO = re.compile(r"\s*[+-]?0\d+\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Style:
    """A way to write numbers: the sign before the decimals, and the one between thousands or nothing."""

    decimal: str
    thousands: str = ""

    def __str__(self) -> str:
        """As a column keeps it: empty for the plain way, else both signs."""
        return "" if self == PLAIN else self.decimal + self.thousands

    @property
    def pattern(self) -> re.Pattern[str]:
        """What a number in this style looks like."""
        whole, mark = r"\d+", re.escape(self.decimal)
        if self.thousands:
            whole = rf"(?:[1-9]\d{{0,2}}(?:{_GROUPS[self.thousands]}\d{{3}})+|\d{{1,3}})"
        return re.compile(rf"\s*[+-]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?\s*", re.ASCII)

    def plain(self, text: str) -> str:
        """The same number as a program reads it."""
        if self.thousands:
            text = re.sub(_GROUPS[self.thousands], "", text)
        return text.replace(self.decimal, ".") if self.decimal != "." else text


PLAIN = Style(".")
_POINTS = (PLAIN, Style(".", ","), Style(".", " "), Style(".", "'"))
_COMMAS = (Style(","), Style(",", "."), Style(",", " "), Style(",", "'"))


@dataclass(frozen=True, slots=True)
class Numbers:
    """Spellings read as numbers.

    Attributes:
        values: The numbers, float64 (N,); NaN where a spelling is none.
        style: How they are written.
        decimals: Most digits after the decimal mark.
        coded: Whether one has zeros in front, such as 007, as codes do and numbers do not.
    """

    values: NDArray[np.float64]
    style: Style
    decimals: int
    coded: bool

    @property
    def whole(self) -> bool:
        """Whether all are whole numbers."""
        known = self.values[~np.isnan(self.values)]
        return bool(np.all(known == np.floor(known)))

    @property
    def exact(self) -> bool:
        """Whether they are small enough to be kept without loss."""
        known = np.abs(self.values[~np.isnan(self.values)])
        return not len(known) or float(known.max()) < LARGEST_EXACT


def read_numbers(spellings: Sequence[str], mark: DecimalMark = "auto", *, european: bool = False) -> Numbers:
    """Read spellings as numbers, in the style that fits most of them.

    Args:
        spellings: Texts, each once.
        mark: What stands before the decimals, if that is known.
        european: Whether ``1,234`` with nothing else to go by has decimals, as in a file with semicolons.
    """
    style = _style(spellings[:_SAMPLE], mark, european=european)
    matches = style.pattern.fullmatch
    fits = np.fromiter((matches(text) is not None for text in spellings), np.bool_, len(spellings))
    values = np.full(len(spellings), np.nan)
    good = [text for text, fit in zip(spellings, fits.tolist(), strict=True) if fit]
    plain = good if style == PLAIN else [style.plain(text) for text in good]
    values[fits] = np.fromiter(map(float, plain), np.float64, len(plain))
    values[np.isinf(values)] = np.nan
    coded = any(_LEADING_ZERO.fullmatch(text) for text in good)
    return Numbers(values, style, _decimals(plain), coded)


def _style(sample: Sequence[str], mark: DecimalMark, *, european: bool) -> Style:
    styles: tuple[Style, ...]
    if mark != "auto":
        styles = _POINTS if mark == "point" else _COMMAS
    else:
        styles = (PLAIN, *_COMMAS, *_POINTS[1:]) if european else (*_POINTS, *_COMMAS)
    fitting = {style: sum(style.pattern.fullmatch(text) is not None for text in sample) for style in styles}
    best = max(fitting, key=fitting.__getitem__)
    return best if fitting[best] else styles[0]


def _decimals(plain: Sequence[str]) -> int:
    most = 0
    for text in plain:
        point = text.find(".")
        if point >= 0:
            digits = len(text) - point - 1 if text.isascii() else 0
            if digits > most:
                most = len(re.match(r"\d*", text[point + 1 :]).group())  # type: ignore[union-attr]
    return min(most, MOST_DECIMALS)


def write_number(value: float, decimals: int, style: str) -> str:
    """A number as a column writes it.

    Args:
        value: The number.
        decimals: Digits after the decimal mark.
        style: As :class:`Style` says it; empty for the plain way.
    """
    text = f"{value:,.{decimals}f}" if style[1:] else f"{value:.{decimals}f}"
    if not style:
        return text
    return text.translate({ord("."): style[0], ord(","): style[1:]})
