"""Curves of jobs: which figures go into one chart, a drawing that needs no script, and the numbers as a table."""

from bisect import bisect_right
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
TONES = 8


class Point(Protocol):
    """What the repository gives: the figures of one step."""

    @property
    def step(self) -> int:
        """The step."""

    @property
    def values(self) -> Mapping[str, Any]:
        """The figures."""


@dataclass(frozen=True, slots=True)
class Series:
    """One figure by step, in order of the steps, and what its curve is called."""

    name: str
    title: str
    points: Sequence[tuple[int, float]]

    def at(self, step: int) -> float | None:
        """The last figure reported up to a step; None before the first and after the last report."""
        if not self.points or step > self.points[-1][0]:
            return None
        place = bisect_right(self.points, step, key=lambda point: point[0])
        return self.points[place - 1][1] if place else None


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


def charts(points: Sequence[Point], family: str, *, ended: bool = False) -> list[Chart]:
    """The charts of a job; losses share one, every other figure has its own.

    A single point draws no line, so once a job has ended no chart waits for the others.
    """
    found = groups(points, family)
    if ended:
        found = [(key, title, [one for one in lines if len(one.points) > 1]) for key, title, lines in found]
    return [draw(key, title, lines) for key, title, lines in found if lines][:MOST_CHARTS]


def groups(points: Sequence[Point], family: str) -> list[tuple[str, str, list[Series]]]:
    """Key, title and curves of every chart that can be drawn of a job."""
    names = [name for name in names_of(points) if name not in SPEEDS]
    losses = [name for name in names if "loss" in name]
    found = [("loss", say("Loss"), losses)] if losses else []
    found += [(name, curve_title(family, name), [name]) for name in names if name not in losses]
    return [
        (key, title, [series(points, name, curve_title(family, name)) for name in own]) for key, title, own in found
    ]


def names_of(points: Sequence[Point]) -> list[str]:
    """The figures that were reported as numbers, in the order they first appeared."""
    seen: dict[str, None] = {}
    for point in points:
        seen.update(dict.fromkeys(name for name, value in point.values.items() if _is_number(value)))
    return list(seen)


def series(points: Sequence[Point], name: str, title: str) -> Series:
    """One figure out of all."""
    own = [(point.step, point.values[name]) for point in points if _is_number(point.values.get(name))]
    return Series(name, title, own)


def draw(key: str, title: str, lines: Sequence[Series]) -> Chart:
    """Draw curves into one chart; each has a tone of its own."""
    steps = sorted({step for line in lines for step, _ in line.points})
    values = [value for line in lines for _, value in line.points]
    x = _Scale(steps[0], steps[-1], LEFT, WIDTH - RIGHT)
    y = _Scale(min(values), max(values), HEIGHT - BOTTOM, TOP)
    return Chart(
        key=key,
        title=title,
        lines=[
            Line(
                name=line.name,
                title=line.title,
                tone=tone % TONES,
                path=_path(line, x, y),
                last=amounts.figure(line.points[-1][1] if line.points else None),
            )
            for tone, line in enumerate(lines)
        ],
        across=[Tick(x.place(at), amounts.number(at)) for at in ticks(x.low, x.high, whole=True)],
        up=[Tick(y.place(at), f"{at:g}") for at in ticks(y.low, y.high)],
        rows=[
            (amounts.number(step), [amounts.figure(line.at(step)) for line in lines])
            for step in thinned(steps, TABLE_ROWS)
        ],
    )


def thinned(steps: Sequence[int], most: int) -> list[int]:
    """At most so many steps, evenly, with the first and the last."""
    count = min(most, len(steps))
    places = sorted({round(index * (len(steps) - 1) / max(1, count - 1)) for index in range(count)})
    return [steps[place] for place in places]


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


def _path(line: Series, x: _Scale, y: _Scale) -> str:
    return "".join(
        f"{'L' if place else 'M'}{x.place(step):g} {y.place(value):g}"
        for place, (step, value) in enumerate(line.points)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
