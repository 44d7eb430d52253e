"""Do synthetic rows repeat training rows? Distances to the closest records, beside those of held-out rows, and copies.

What is measured here shows memorising where it happens; it is no proof of anonymity.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from aigc_models.data.tables import CODED, Cells, Column, Table
from aigc_models.metrics.table_rows import Numbers, sample, seeded

MOST_ASKED, MOST_KNOWN = 2_000, 20_000
_BLOCK = 4_000_000  # distances computed at once
_SURE = 0.95


@dataclass(frozen=True, slots=True)
class Privacy:
    """How close synthetic rows are to training rows, each figure with the held-out rows' own.

    Attributes:
        closer_to_train: Share of synthetic rows whose closest real row is a training row.
        interval: 95 % interval of that share.
        expected: The share to expect of rows that know neither side: how many of the real rows are training rows.
        distances: Distance to the closest training row, of the synthetic and of the held-out rows: 5th percentile
            and median of each; a distance is the mean difference over columns, from 0 to 1.
        ratios: Distance to the closest over that to the second closest training row, median, of both.
        copies: Synthetic rows that equal a training row, and how many of as many held-out rows do.
        rows: Synthetic rows that were asked, training and held-out rows they were compared with.
    """

    closer_to_train: float
    interval: tuple[float, float]
    expected: float
    distances: dict[str, tuple[float, float]]
    ratios: dict[str, float]
    copies: dict[str, float]
    rows: dict[str, int]

    @property
    def memorises(self) -> bool:
        """Whether more rows are closer to the training rows than chance explains."""
        return self.interval[0] > self.expected

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "memorises": self.memorises}


def look(train: Table, test: Table, synthetic: Table, seed: int) -> Privacy | None:
    """Compare synthetic rows with training and held-out rows; None where a side is empty or nothing is comparable.

    Source: Platzer and Reutterer 2021 (share closer to training than to held-out rows; here with parts of unequal
    size, which shifts the expected share); distance after Gower 1971; interval after Clopper and Pearson 1934.
    """
    if not all(map(len, (train, test, synthetic))) or not train.columns:
        return None
    draws = seeded(seed, "privacy")
    asked, judged = sample(synthetic, MOST_ASKED, draws), sample(test, MOST_ASKED, draws)
    known, held = sample(train, MOST_KNOWN, draws), sample(test, MOST_KNOWN, draws)
    scales = [_scale(column, train.cells[column.name]) for column in train.columns]
    own, theirs = nearest(asked, known, scales), nearest(judged, known, scales)
    others = nearest(asked, held, scales)[:, 0]
    wins = float((own[:, 0] < others - 1e-9).sum() + (np.abs(own[:, 0] - others) <= 1e-9).sum() * _chance(known, held))
    return Privacy(
        closer_to_train=wins / len(asked),
        interval=binomial_interval(wins, len(asked)),
        expected=_chance(known, held),
        distances={"synthetic": _spread(own[:, 0]), "held_out": _spread(theirs[:, 0])},
        ratios={"synthetic": _ratio(own), "held_out": _ratio(theirs)},
        copies=copies(train, test, synthetic),
        rows={"asked": len(asked), "train": len(known), "test": len(held)},
    )


def _chance(known: Table, held: Table) -> float:
    return len(known) / (len(known) + len(held))


def _spread(distances: Numbers) -> tuple[float, float]:
    low, middle = np.quantile(distances, [0.05, 0.5])
    return float(low), float(middle)


def _ratio(distances: Numbers) -> float:
    """Median ratio of the first to the second distance; rows that lie on both count as 1."""
    first, second = distances[:, 0], distances[:, 1]
    return float(np.median(np.where(second > 0, first / np.where(second > 0, second, 1.0), 1.0)))


def _scale(column: Column, values: Cells) -> float:
    """What a difference of numbers is divided by: the range between the 1st and the 99th percentile."""
    if column.type in CODED or np.isnan(values).all():
        return 1.0
    low, high = np.nanquantile(values, [0.01, 0.99])
    return float(high - low) or float(np.nanmax(values) - np.nanmin(values)) or 1.0


def nearest(asked: Table, known: Table, scales: Iterable[float]) -> Numbers:
    """Distances to the closest and second closest known row. Shape: (N, 2); with one known row both are its.

    A column adds 1 where categories differ or one side alone is missing, else the scaled difference up to 1; the
    distance is the mean over columns.
    """
    scale = list(scales)
    block = max(1, _BLOCK // len(known))
    found = [_closest(asked, slice(start, start + block), known, scale) for start in range(0, len(asked), block)]
    return np.concatenate(found) / len(scale)


def _closest(asked: Table, rows: slice, known: Table, scales: list[float]) -> Numbers:
    total: NDArray[np.float32] | None = None
    for column, scale in zip(known.columns, scales, strict=True):
        a, b = asked.cells[column.name][rows, None], known.cells[column.name][None]
        apart = (a != b).astype(np.float32) if column.type in CODED else _apart(a, b, scale)
        total = apart if total is None else np.add(total, apart, out=total)
    assert total is not None
    if total.shape[1] == 1:
        return np.repeat(total, 2, 1).astype(np.float64)
    return np.sort(np.partition(total, 1, 1)[:, :2], 1).astype(np.float64)


def _apart(a: Cells, b: Cells, scale: float) -> NDArray[np.float32]:
    gaps_a, gaps_b = np.isnan(a), np.isnan(b)
    centre = 0.0 if gaps_b.all() else float(np.nanmean(b))  # float32 has no digits left for seconds since 1970
    first = np.where(gaps_a, 0, (a - centre) / scale).astype(np.float32)
    second = np.where(gaps_b, 0, (b - centre) / scale).astype(np.float32)
    found: NDArray[np.float32] = np.minimum(np.abs(first - second), np.float32(1))
    if gaps_a.any() or gaps_b.any():
        found = np.where(gaps_a | gaps_b, (gaps_a != gaps_b).astype(np.float32), found)
    return found


def binomial_interval(successes: float, count: int) -> tuple[float, float]:
    """95 % interval of a share. Source: Clopper and Pearson 1934."""
    tail = (1 - _SURE) / 2
    low = float(beta.ppf(tail, successes, count - successes + 1)) if successes > 0 else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, count - successes)) if successes < count else 1.0
    return low, high


def copies(train: Table, test: Table, synthetic: Table) -> dict[str, float]:
    """How many synthetic rows equal a training row in every comparable column, and what held-out rows let expect.

    ``expected`` is the share of held-out rows that equal a training row, for as many rows; ``beyond`` what is more.
    """
    known = row_keys(train)
    made, held = np.isin(row_keys(synthetic), known), np.isin(row_keys(test), known)
    found = int(made.sum())
    expected = float(held.mean()) * len(synthetic)
    return {
        "synthetic": found,
        "held_out": int(held.sum()),
        "expected": expected,
        "beyond": max(0.0, found - np.ceil(expected)),
    }


def row_keys(table: Table) -> NDArray[np.uint64]:
    """A 64-bit hash of each row, with numbers rounded as they are written. Shape: (N,)."""
    keys = np.full(len(table), 0x9E3779B97F4A7C15, np.uint64)
    for column in table.columns:
        values = table.cells[column.name]
        if column.type in CODED:
            bits = values.astype(np.int64).view(np.uint64)
        else:
            rounded = np.round(values, column.decimals) + 0.0  # no negative zero
            bits = np.where(np.isnan(rounded), np.float64(np.inf), rounded).view(np.uint64)
        keys = _mixed(keys * np.uint64(31) + bits)
    return keys


def _mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Source: Steele, Lea and Flood 2014 (the finaliser of SplitMix64)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
