"""How alike real and synthetic columns are, each on its own."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import CODED, Cells, Column, Table
from aigc_models.metrics.table_rows import is_missing

HISTOGRAM_BINS, MOST_BARS = 20, 15
_MOST_DISTINCT = 12  # whole numbers with so few values get a bar for each


@dataclass(frozen=True, slots=True)
class ColumnFigures:
    """How alike one column is.

    Attributes:
        name: Its header.
        distance: Kolmogorov-Smirnov distance of numbers, total variation distance of categories, of present cells.
        missing: Share of missing cells, of the real and of the synthetic rows.
        coverage: Share of the real range, or of the real categories, that the synthetic rows reach.
        score: One less the larger of the distance and the difference in missing cells.
    """

    name: str
    distance: float
    missing: tuple[float, float]
    coverage: float
    score: float


def compare_columns(real: Table, other: Table) -> list[ColumnFigures]:
    """Figures of every column of two tables with the same columns."""
    return [compare(column, real.cells[column.name], other.cells[column.name]) for column in real.columns]


def compare(column: Column, real: Cells, other: Cells) -> ColumnFigures:
    """Figures of one column; a side without any value is as far away as can be, unless both are."""
    gaps = is_missing(column, real), is_missing(column, other)
    missing = tuple(float(gap.mean()) if len(gap) else 1.0 for gap in gaps)
    a, b = real[~gaps[0]], other[~gaps[1]]
    if not len(a) or not len(b):
        distance = coverage = 0.0 if len(a) or len(b) else 1.0
        distance = 1.0 - coverage
    elif column.type in CODED:
        distance, coverage = total_variation(a, b), category_coverage(a, b)
    else:
        distance, coverage = kolmogorov_smirnov(a, b), range_coverage(a, b)
    score = 1 - max(distance, abs(missing[0] - missing[1]))
    return ColumnFigures(column.name, distance, (missing[0], missing[1]), coverage, score)


def kolmogorov_smirnov(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Largest difference of two empirical distribution functions. Shape: (N,) and (M,), without gaps.

    Source: Kolmogorov 1933, Smirnov 1939.
    """
    a, b = np.sort(a), np.sort(b)
    places = np.concatenate([a, b])
    below_a = np.searchsorted(a, places, side="right") / len(a)
    below_b = np.searchsorted(b, places, side="right") / len(b)
    return float(np.abs(below_a - below_b).max())


def total_variation(a: NDArray[np.int32], b: NDArray[np.int32]) -> float:
    """Half the sum of the differences of the shares of every category. Shape: codes (N,) and (M,), without gaps."""
    size = int(max(a.max(), b.max())) + 1
    shares = (np.bincount(side, minlength=size) / len(side) for side in (a, b))
    first, second = shares
    return float(np.abs(first - second).sum() / 2)


def category_coverage(real: NDArray[np.int32], other: NDArray[np.int32]) -> float:
    """Share of the categories of one side that the other side has, too."""
    wanted = np.unique(real)
    return float(np.isin(wanted, other).mean())


def range_coverage(real: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Share of the range of one side that the other side's range covers."""
    low, high = float(real.min()), float(real.max())
    if low == high:
        return float(other.min() <= low <= other.max())
    return max(0.0, min(high, float(other.max())) - max(low, float(other.min()))) / (high - low)


def histogram(column: Column, real: Cells, other: Cells) -> dict[str, Any]:
    """Shares of both sides to draw: ``bars`` of labelled values, or ``bins`` between edges.

    Shares are of the present cells; what lies beyond the real range counts in the outermost bins.
    """
    sides = [values[~is_missing(column, values)] for values in (real, other)]
    if column.type in CODED:
        return _bars(column, *sides)
    whole = column.type == "integer" and len(np.unique(np.concatenate(sides))) <= _MOST_DISTINCT
    return _values(*sides) if whole else _bins(*sides)


def _bars(column: Column, real: Cells, other: Cells) -> dict[str, Any]:
    size = max(len(column.categories), int(max(real.max(initial=-1), other.max(initial=-1))) + 1, 1)
    shares = [np.bincount(side, minlength=size) / max(len(side), 1) for side in (real, other)]
    order = np.argsort(-(shares[0] + shares[1] * 1e-6), kind="stable")
    shown = [place for place in order[:MOST_BARS].tolist() if shares[0][place] or shares[1][place]]
    labels = [column.categories[place] if place < len(column.categories) else str(place) for place in shown]
    found = {"kind": "bars", "labels": labels} | {
        side: [round(float(share[place]), 6) for place in shown]
        for side, share in zip(("real", "synthetic"), shares, strict=True)
    }
    rest = [float(share.sum() - share[shown].sum()) for share in shares]
    others = int(sum(1 for place in order[MOST_BARS:].tolist() if shares[0][place] or shares[1][place]))
    return {**found, "rest": {"categories": others, "real": round(rest[0], 6), "synthetic": round(rest[1], 6)}}


def _values(real: Cells, other: Cells) -> dict[str, Any]:
    places = np.unique(np.concatenate([real, other]))
    shares = [
        [round(float((side == place).mean()) if len(side) else 0.0, 6) for place in places] for side in (real, other)
    ]
    return {
        "kind": "bars",
        "labels": [f"{place:.0f}" for place in places.tolist()],
        "real": shares[0],
        "synthetic": shares[1],
        "rest": {"categories": 0, "real": 0.0, "synthetic": 0.0},
    }


def _bins(real: Cells, other: Cells) -> dict[str, Any]:
    seen = real if len(real) else other
    if not len(seen):
        return {"kind": "bins", "edges": [], "real": [], "synthetic": []}
    low, high = float(seen.min()), float(seen.max())
    edges = np.linspace(low, high if high > low else low + 1, HISTOGRAM_BINS + 1)
    shares = [np.histogram(np.clip(side, edges[0], edges[-1]), edges)[0] / max(len(side), 1) for side in (real, other)]
    return {
        "kind": "bins",
        "edges": [float(edge) for edge in edges],
        "real": np.round(shares[0], 6).tolist(),
        "synthetic": np.round(shares[1], 6).tolist(),
    }
