"""Drawings of shares, real against synthetic, and of associations; plain SVG that needs no script."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from web.pages import amounts
from web.translate import say

WIDTH, LEFT, RIGHT, TOP = 320, 50, 316, 8
BASE, HEIGHT = 132, 158  # where the bars stand, and with the labels beneath
ROW, LABEL, LONGEST = 26, 116, 16  # of a drawing with a row for each value
CELL, MOST_CELLS = 16, 20


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Row:
    """One value: its label as drawn, as written, and both shares in percent."""

    label: str
    full: str
    real: str
    synthetic: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Two distributions.

    Attributes:
        kind: ``bins`` beside each other, or ``bars`` one below the other.
        height: Of the drawing; it is :data:`WIDTH` wide.
        real: Filled bars.
        synthetic: Hatched bars; for bins none, as ``line`` is their outline.
        line: Path of the outline.
        rows: The same as numbers.
        low, high: What stands at the ends of the axis of bins.
        top: What the highest bin holds, in percent.
        rest: What the values that are not shown hold; empty if all are.
    """

    kind: str
    height: int
    real: Sequence[Bar]
    synthetic: Sequence[Bar]
    line: str
    rows: Sequence[Row]
    low: str
    high: str
    top: str
    rest: str


def draw(histogram: Mapping[str, Any], kind: str) -> Plot | None:
    """Draw the shares of one column; None where no side has a value."""
    real, made = histogram["real"], histogram["synthetic"]
    if not (real or made):
        return None
    return _bars(histogram) if histogram["kind"] == "bars" else _bins(histogram["edges"], real, made, kind)


def spreadsheet(histogram: Mapping[str, Any]) -> list[list[Any]]:
    """The shares as rows of a CSV file."""
    sides = zip(histogram["real"], histogram["synthetic"], strict=True)
    if histogram["kind"] == "bars":
        return [
            ["value", "real", "synthetic"],
            *([one, *pair] for one, pair in zip(histogram["labels"], sides, strict=True)),
        ]
    edges = histogram["edges"]
    return [
        ["from", "to", "real", "synthetic"],
        *([*ends, *pair] for ends, pair in zip(pairwise(edges), sides, strict=True)),
    ]


def percent(share: float) -> str:
    """A share as people read it: 12.3 %."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _bins(edges: Sequence[float], real: Sequence[float], made: Sequence[float], kind: str) -> Plot:
    most = max(*real, *made) or 1.0
    width = (RIGHT - LEFT) / len(real)

    def y(share: float) -> float:
        return round(BASE - share / most * (BASE - TOP), 1)

    places = [round(LEFT + width * place, 2) for place in range(len(real) + 1)]
    line = f"M{LEFT} {BASE}" + "".join(f"V{y(share)}H{places[at + 1]}" for at, share in enumerate(made)) + f"V{BASE}"
    rows = []
    for (low, high), *sides in zip(pairwise(edges), real, made, strict=True):
        span = f"{value(low, kind)} – {value(high, kind)}"
        rows.append(Row(span, span, *map(percent, sides)))
    return Plot(
        kind="bins",
        height=HEIGHT,
        real=[Bar(places[at], y(share), round(width, 2), round(BASE - y(share), 1)) for at, share in enumerate(real)],
        synthetic=[],
        line=line,
        rows=rows,
        low=value(edges[0], kind),
        high=value(edges[-1], kind),
        top=percent(most),
        rest="",
    )


def _bars(histogram: Mapping[str, Any]) -> Plot:
    labels, real, made, rest = (histogram[name] for name in ("labels", "real", "synthetic", "rest"))
    most = max(*real, *made, 1e-9)

    def bars(shares: Sequence[float], shift: float) -> list[Bar]:
        long = RIGHT - LABEL - 80
        return [Bar(LABEL, TOP + ROW * at + shift, round(share / most * long, 1), 9) for at, share in enumerate(shares)]

    told = ""
    if rest["categories"]:
        told = say(
            "{count} further values hold {real} of the real and {made} of the synthetic rows.",
            {
                "count": amounts.number(rest["categories"]),
                "real": percent(rest["real"]),
                "made": percent(rest["synthetic"]),
            },
        )
    return Plot(
        kind="bars",
        height=TOP + ROW * len(labels),
        real=bars(real, 0),
        synthetic=bars(made, 10),
        line="",
        rows=[
            Row(shortened(label), label, percent(a), percent(b)) for label, a, b in zip(labels, real, made, strict=True)
        ],
        low="",
        high="",
        top="",
        rest=told,
    )


def shortened(text: str, longest: int = LONGEST) -> str:
    """Text that fits beside a bar; Chinese characters are as wide as two others."""
    kept: list[str] = []
    width = 0
    for sign in text:
        width += 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        if width > longest:
            return "".join(kept[:-1]) + "…"
        kept.append(sign)
    return text


def value(number: float, kind: str) -> str:
    """A number of a column as people read it; date-times as dates."""
    if kind == "datetime":
        try:
            return datetime.fromtimestamp(number, UTC).strftime("%Y-%m-%d")
        except (OverflowError, OSError, ValueError):
            return f"{number:g}"
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One association: where, how strong (0 to 1), and whether it is negative."""

    x: int
    y: int
    strength: float
    negative: bool


@dataclass(frozen=True, slots=True)
class Heat:
    """Associations of columns with each other, by number: real below the diagonal, synthetic above it."""

    names: Sequence[str]
    cells: Sequence[Cell]
    size: int


def heat(pairs: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Heat | None:
    """Draw the associations of the first columns; None where there are no two."""
    shown = list(names[:MOST_CELLS])
    if len(shown) < 2:
        return None
    places = {name: place for place, name in enumerate(shown)}
    cells = []
    for pair in pairs:
        if pair["a"] in places and pair["b"] in places:
            low, high = sorted((places[pair["a"]], places[pair["b"]]))
            for side, row, column in (("real", high, low), ("synthetic", low, high)):
                strength = min(1.0, abs(pair[side]))
                cells.append(Cell(CELL * (column + 1), CELL * (row + 1), round(strength, 3), pair[side] < 0))
    return Heat(shown, cells, CELL * (len(shown) + 1))
