"""How alike the dependence between pairs of columns is in real and synthetic rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import CODED, Cells, Column, Table
from aigc_models.metrics.table_rows import Codes, binned, is_missing

PairKind = Literal["correlation", "correlation_ratio", "cramers_v"]
Counts = NDArray[np.float64]

MOST_COLUMNS = 60  # 1,770 pairs


@dataclass(frozen=True, slots=True)
class Side:
    """A table ready to be compared pair by pair: its cells, and the same in a few bins."""

    table: Table
    codes: Sequence[Codes]
    sizes: Sequence[int]


@dataclass(frozen=True, slots=True)
class Pair:
    """How strongly two columns depend on each other.

    Attributes:
        a: One column.
        b: The other.
        kind: What association is measured by: correlation (-1 to 1), correlation ratio or Cramer's V (0 to 1).
        association: The figure of the kind; 0 where a column does not vary.
        information: Mutual information in nats of the binned values, less what chance alone gives.
    """

    a: str
    b: str
    kind: PairKind
    association: float
    information: float


def side(table: Table, reference: Table) -> Side:
    """Bin a table as the reference's values ask for."""
    found = [binned(column, table.cells[column.name], reference.cells[column.name]) for column in shown(reference)]
    return Side(table, [codes for codes, _ in found], [size for _, size in found])


def shown(table: Table) -> Sequence[Column]:
    """Columns whose pairs are compared: the first so many."""
    return table.columns[:MOST_COLUMNS]


def pairs(one: Side) -> list[Pair]:
    """Every pair of the compared columns."""
    columns = shown(one.table)
    found = []
    for i, j in combinations(range(len(columns)), 2):
        counts = contingency(one.codes[i], one.codes[j], one.sizes[i], one.sizes[j])
        kind, association = _association(one.table, i, j, counts)
        found.append(Pair(columns[i].name, columns[j].name, kind, association, mutual_information(counts)))
    return found


def fidelity(real: Sequence[Pair], other: Sequence[Pair]) -> float:
    """One less the mean difference in association; for correlations half of it, as they go from -1 to 1."""
    if not real:
        return 1.0
    return 1 - float(np.mean([difference(a, b) for a, b in zip(real, other, strict=True)]))


def difference(real: Pair, other: Pair) -> float:
    """Difference in association, from 0 to 1."""
    gap = abs(real.association - other.association)
    return gap / 2 if real.kind == "correlation" else gap


def dependence_kept(real: Sequence[Pair], other: Sequence[Pair]) -> float:
    """Share of the real table's mutual information between columns that is there, neither less nor more.

    One less the sum of the differences over the sum of the real table's, at least 0. Where the real columns do not
    depend on each other, 1 if the others do not either.
    """
    wanted = sum(pair.information for pair in real)
    gap = sum(abs(a.information - b.information) for a, b in zip(real, other, strict=True))
    if wanted < 1e-9:
        return 1.0 if gap < 1e-9 else 0.0
    return max(0.0, 1 - gap / wanted)


def _association(table: Table, i: int, j: int, counts: Counts) -> tuple[PairKind, float]:
    columns = table.columns[i], table.columns[j]
    a, b = (table.cells[column.name] for column in columns)
    coded = [column.type in CODED for column in columns]
    if all(coded):
        return "cramers_v", cramers_v(counts[1:, 1:])
    present = ~(is_missing(columns[0], a) | is_missing(columns[1], b))
    if not any(coded):
        return "correlation", correlation(a[present], b[present])
    numbers, groups = (b, a) if coded[0] else (a, b)
    return "correlation_ratio", correlation_ratio(numbers[present], groups[present])


def correlation(a: Cells, b: Cells) -> float:
    """Pearson's correlation; 0 where a side does not vary. Shape: (N,) and (N,)."""
    if len(a) < 2:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(np.clip(a @ b / scale, -1, 1)) if scale > 0 else 0.0


def correlation_ratio(numbers: Cells, groups: Codes) -> float:
    """Root of the share of the variance of numbers that lies between groups. Source: Pearson 1905; Fisher's eta."""
    if len(numbers) < 2:
        return 0.0
    centred = numbers - numbers.mean()
    whole = float(centred @ centred)
    if whole <= 0:
        return 0.0
    counts = np.bincount(groups)
    sums = np.bincount(groups, weights=centred)
    between = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
    return float(np.sqrt(min(1.0, between / whole)))


def contingency(a: Codes, b: Codes, rows: int, columns: int) -> Counts:
    """How often values meet. Shape: codes (N,) and (N,) to (rows, columns)."""
    joint = a.astype(np.int64) * columns + b
    return np.bincount(joint, minlength=rows * columns).reshape(rows, columns).astype(np.float64)


def cramers_v(counts: Counts) -> float:
    """Association of two categorical columns, from 0 to 1, less what chance alone gives.

    Source: Bergsma 2013, equations 5 to 7 (bias-corrected Cramer's V).
    """
    counts = counts[counts.sum(1) > 0][:, counts.sum(0) > 0]
    total, (rows, columns) = counts.sum(), counts.shape
    if total < 2 or min(rows, columns) < 2:
        return 0.0
    expected = counts.sum(1, keepdims=True) @ counts.sum(0, keepdims=True) / total
    phi2 = float(((counts - expected) ** 2 / expected).sum() / total)
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (total - 1))
    rows_left, columns_left = rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)
    most = min(rows_left, columns_left) - 1
    return float(min(1.0, np.sqrt(corrected / most))) if most > 0 else 0.0


def mutual_information(counts: Counts) -> float:
    """Mutual information in nats, less the bias of the plug-in estimate, at least 0.

    Source: Miller 1955: the estimate is too high by (rows - 1)(columns - 1) / 2N, counting what occurs.
    """
    total = counts.sum()
    if total < 2:
        return 0.0
    rows, columns = counts.sum(1, keepdims=True), counts.sum(0, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = counts * np.log(counts * total / (rows @ columns))
    found = float(np.nansum(terms) / total)
    freedom = (np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1)
    return max(0.0, found - freedom / (2 * float(total)))
