"""Trivial generators of tables that every model must beat: independent columns, and a Gaussian copula."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from aigc_models.data.tables import CODED, Cells, Column, Table
from aigc_models.metrics.table_rows import Numbers, is_missing, measured, seeded


def independent_columns(train: Table, count: int, seed: int) -> Table:
    """Rows whose every cell comes from a training row of its own: right columns, no dependence."""
    cells = {}
    for column in measured(train.columns):
        rows = seeded(seed, f"independent {column.name}").integers(len(train), size=count)
        cells[column.name] = train.cells[column.name][rows]
    return Table(measured(train.columns), cells)


@dataclass(frozen=True, slots=True)
class Marginal:
    """The distribution of one column as steps: values in order, and the share of rows up to each.

    The first step stands for missing cells where there are any. ``values`` is (K,), ``upto`` (K,), rising to 1.
    """

    values: Cells
    upto: Numbers

    def scores(self, cells: Cells, generator: np.random.Generator) -> Numbers:
        """Normal scores of cells (N,): each cell's step, somewhere within it, through the normal quantile function.

        Source: Rueschendorf 2009, the distributional transform, which makes columns with ties uniform, too.
        """
        places = np.searchsorted(self.values, cells)
        low = np.concatenate([[0.0], self.upto])[places]
        uniform = low + generator.random(len(cells)) * (self.upto[places] - low)
        return np.asarray(ndtri(np.clip(uniform, 1e-9, 1 - 1e-9)))

    def cells(self, scores: Numbers) -> Cells:
        """The cells that normal scores (N,) stand for: the inverse of the distribution function."""
        return np.asarray(self.values[np.minimum(np.searchsorted(self.upto, ndtr(scores)), len(self.values) - 1)])


@dataclass(frozen=True, slots=True)
class GaussianCopula:
    """Every column's own distribution, joined by the correlations of normal scores.

    Source: Nelsen 2006, section 2.4 (inversion method); Song 2000 for the normal copula of mixed margins. Categories
    stand in the order of their frequency; a missing cell is the lowest value of its column.
    """

    columns: tuple[Column, ...]
    marginals: tuple[Marginal, ...]
    orders: tuple[NDArray[np.int64], ...]
    root: Numbers

    @classmethod
    def fit(cls, train: Table, seed: int) -> "GaussianCopula":
        """Learn from rows; at least one."""
        columns = measured(train.columns)
        generator = seeded(seed, "copula fit")
        orders = tuple(_order(column, train.cells[column.name]) for column in columns)
        ordered = [
            _as_numbers(column, train.cells[column.name], order) for column, order in zip(columns, orders, strict=True)
        ]
        marginals = tuple(_marginal(cells) for cells in ordered)
        scores = [marginal.scores(cells, generator) for marginal, cells in zip(marginals, ordered, strict=True)]
        return cls(columns, marginals, orders, _root_of_correlations(scores))

    def sample(self, count: int, seed: int) -> Table:
        """New rows."""
        noise = seeded(seed, "copula sample").standard_normal((count, len(self.columns)))
        scores = noise @ self.root.T
        cells = {}
        for place, column in enumerate(self.columns):
            found = self.marginals[place].cells(scores[:, place])
            cells[column.name] = _as_cells(column, found, self.orders[place])
        return Table(self.columns, cells)


def _order(column: Column, values: Cells) -> NDArray[np.int64]:
    """Codes by falling frequency; nothing for numbers."""
    if column.type not in CODED:
        return np.empty(0, np.int64)
    size = max(len(column.categories), int(values.max(initial=-1)) + 1)
    return np.argsort(-np.bincount(values[values >= 0], minlength=size), kind="stable")


def _as_numbers(column: Column, values: Cells, order: NDArray[np.int64]) -> Numbers:
    """Cells as ordered numbers, minus infinity where one is missing."""
    gaps = is_missing(column, values)
    if column.type in CODED:
        places = np.empty(len(order) + 1, np.float64)
        places[order] = np.arange(len(order))
        numbers = places[values]
    else:
        numbers = values.astype(np.float64)
    return np.where(gaps, -np.inf, numbers)


def _as_cells(column: Column, numbers: Numbers, order: NDArray[np.int64]) -> Cells:
    gaps = np.isneginf(numbers)
    if column.type in CODED:
        if not len(order):
            return np.full(len(numbers), -1, np.int32)
        return np.where(gaps, -1, order[np.where(gaps, 0, numbers).astype(np.int64)]).astype(np.int32)
    return np.where(gaps, np.nan, numbers)


def _marginal(numbers: Numbers) -> Marginal:
    values, counts = np.unique(numbers, return_counts=True)
    upto = np.cumsum(counts) / len(numbers)
    upto[-1] = 1.0
    return Marginal(values, upto)


def _root_of_correlations(scores: list[Numbers]) -> Numbers:
    """A matrix whose product with its transpose is the scores' correlation matrix. Shape: D times (N,) to (D, D)."""
    size = len(scores)
    if not size:
        return np.empty((0, 0))
    stacked = np.stack(scores, 1)
    centred = stacked - stacked.mean(0)
    spread = np.sqrt((centred**2).mean(0))
    scaled = centred / np.where(spread > 0, spread, 1.0)
    matrix = scaled.T @ scaled / len(scaled)
    np.fill_diagonal(matrix, 1.0)
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.clip(values, 1e-12, None))
    return np.asarray(root / np.sqrt((root**2).sum(1, keepdims=True)))  # unit variance, also after clipping
