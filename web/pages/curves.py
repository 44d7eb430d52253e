"""Curves of a job: which figures go into one chart, a drawing that needs no script, and the numbers as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import Any, Protocol

from web.pages import amounts
from web.pages.names import curve_title
from web.pages.results import SPEEDS
from web.translate import say

WIDTH, HEIGHT = 560, 260
LEFT, RIGHT, TOP, BOTTOM = 48, 8, 8, 24
TABLE_ROWS = 12
MOST_CHARTS = 4


class Point(Protocol):
    """What the repository gives: the figures of one step."""

    @property
    def step(self) -> int:
        """The step."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The figures."""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: ``path`` is SVG, ``tone`` its colour and dashes, ``last`` its newest figure."""

    name: str
    title: str
    tone: int
    path: str
    last: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart, drawn."""

    key: str
    title: str
    lines: Sequence[Line]
    across: Sequence[Tick]
    up: Sequence[Tick]
    rows: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def place(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return round(self.start + (value - self.low) / span * (self.end - self.start), 1)


def charts(points: Sequence[Point], family: str) -> list[Chart]:
    """The charts of a job; losses share one, every other figure has its own."""
    names = [name for name in _names(points) if name not in SPEEDS]
    losses = [name for name in names if "loss" in name]
    groups = ([("loss", say("Loss"), losses)] if losses else []) + [
        (name, curve_title(family, name), [name]) for name in names if name not in losses
    ]
    return [_chart(key, title, group, points, family) for key, title, group in groups[:MOST_CHARTS]]


def _names(points: Sequence[Point]) -> list[str]:
    seen: dict[str, None] = {}
    for point in points:
        seen.update(dict.fromkeys(point.values))
    return list(seen)


def _chart(key: str, title: str, names: Sequence[str], points: Sequence[Point], family: str) -> Chart:
    own = [point for point in points if any(_is_number(point.values.get(name)) for name in names)]
    values = [point.values[name] for point in own for name in names if _is_number(point.values.get(name))]
    x = _Scale(own[0].step, own[-1].step, LEFT, WIDTH - RIGHT)
    y = _Scale(min(values), max(values), HEIGHT - BOTTOM, TOP)
    lines = [
        Line(
            name=name,
            title=curve_title(family, name),
            tone=tone % 4,
            path=_path(own, name, x, y),
            last=amounts.figure(next((p.values[name] for p in reversed(own) if name in p.values), None)),
        )
        for tone, name in enumerate(names)
    ]
    return Chart(
        key=key,
        title=title,
        lines=lines,
        across=[Tick(x.place(at), amounts.number(at)) for at in ticks(x.low, x.high, whole=True)],
        up=[Tick(y.place(at), f"{at:g}") for at in ticks(y.low, y.high)],
        rows=_rows(own, names),
    )


def ticks(low: float, high: float, whole: bool = False) -> list[float]:
    """About five round numbers within a range."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / 5
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    step = max(1.0, step) if whole else step
    first = -(-low // step)
    return [round(step * (first + index), 10) for index in range(8) if step * (first + index) <= high]


def _path(points: Sequence[Point], name: str, x: _Scale, y: _Scale) -> str:
    parts, pen = [], "M"
    for point in points:
        value = point.values.get(name)
        if value is None or not _is_number(value):
            continue
        parts.append(f"{pen}{x.place(point.step):g} {y.place(value):g}")
        pen = "L"
    return "".join(parts)


def _rows(points: Sequence[Point], names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The numbers, evenly thinned, with the first and the last."""
    count = min(TABLE_ROWS, len(points))
    places = sorted({round(index * (len(points) - 1) / max(1, count - 1)) for index in range(count)})
    chosen = [points[place] for place in places]
    return [
        (amounts.number(point.step), [amounts.figure(point.values.get(name)) for name in names]) for point in chosen
    ]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
