"""Gaussian mixtures of many columns at once, by variational inference on their histograms."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma

COMPONENTS = 10
_BINS = 512
_STEPS = 100
_LEAST_WEIGHT = 0.005
_MOST_ROWS = 10_000  # of evidence that a histogram stands for; more would not change the means
_CONCENTRATION = 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Mixture:
    """Components of one column, those with next to no weight left out. Shape: each (M,)."""

    weights: Floats
    means: Floats
    deviations: Floats


def histogram(values: Floats) -> tuple[Floats, Floats]:
    """At most 512 places that stand for values, and how many each stands for."""
    places, counts = np.unique(values, return_counts=True)
    if len(places) <= _BINS:
        return places, counts.astype(np.float64)
    upto = np.cumsum(counts)
    bins = ((upto - counts) * _BINS // len(values)).astype(np.int64)  # equally many rows in each
    totals = np.bincount(bins, counts, _BINS)
    means = np.bincount(bins, counts * places, _BINS)
    used = totals > 0
    return np.asarray(means[used] / totals[used], np.float64), totals[used].astype(np.float64)


def fit_mixtures(columns: Sequence[Floats], components: int = COMPONENTS) -> list[Mixture]:
    """Fit each column's values by at most so many Gaussians; those it needs survive.

    All columns are worked out together on histograms of 512 bins, so the cost does not grow with the rows.

    Source: Bishop 2006, section 10.2, in one dimension; the small Dirichlet concentration prunes as in Xu et al. 2019.
    """
    if not columns:
        return []
    found = [histogram(values) for values in columns]
    x, w = np.zeros((len(found), _BINS)), np.zeros((len(found), _BINS))  # (C, V)
    for row, (places, counts) in enumerate(found):
        x[row, : len(places)], w[row, : len(places)] = places, counts
    w *= np.minimum(1.0, _MOST_ROWS / w.sum(1))[:, None]
    centre = (w * x).sum(1) / w.sum(1)
    spread = np.sqrt((w * (x - centre[:, None]) ** 2).sum(1) / w.sum(1))
    spread = np.where(spread > 0, spread, 1.0)
    x = np.where(w > 0, (x - centre[:, None]) / spread[:, None], 0.0)
    weights, means, deviations = _fit(x, w, components)
    mixtures = []
    for row in range(len(found)):
        kept = weights[row] > _LEAST_WEIGHT
        share = weights[row][kept]
        place = means[row][kept] * spread[row] + centre[row]
        mixtures.append(Mixture(share / share.sum(), place, deviations[row][kept] * spread[row]))
    return mixtures


def _fit(x: Floats, w: Floats, components: int) -> tuple[Floats, Floats, Floats]:
    """Standardised histograms (C, V) to weights, means and deviations, each (C, K)."""
    responsibility = _start(x, w, components)
    # Priors: mean 0 with the weight of one row; one row's worth of a component a tenth as wide as the column.
    beta0, nu0, scatter0 = 1.0, 1.0, 0.01
    for step in range(_STEPS):
        count = np.einsum("cv,cvk->ck", w, responsibility) + 1e-10
        mean = np.einsum("cv,cvk->ck", w * x, responsibility) / count
        square = np.einsum("cv,cvk->ck", w * x * x, responsibility) / count
        beta, nu = beta0 + count, nu0 + count
        place = count * mean / beta
        scatter = scatter0 + count * np.maximum(square - mean**2, 0) + beta0 * count / beta * mean**2
        alpha = _CONCENTRATION + count
        if step == _STEPS - 1:
            break
        log_precision = digamma(nu / 2) + np.log(2 / scatter)
        log_weight = digamma(alpha) - digamma(alpha.sum(1, keepdims=True))
        constant = log_weight + 0.5 * log_precision - 0.5 / beta
        distance = (x[:, :, None] - place[:, None]) ** 2 * (nu / scatter)[:, None]
        log_rho = constant[:, None] - 0.5 * distance  # (C, V, K)
        log_rho -= log_rho.max(2, keepdims=True)
        responsibility = np.exp(log_rho)
        responsibility /= responsibility.sum(2, keepdims=True)
    return alpha / alpha.sum(1, keepdims=True), place, np.sqrt(scatter / nu)


def _start(x: Floats, w: Floats, components: int) -> Floats:
    """Each bin belongs to one of equally many rows by rank, and a little to its neighbours. Shape: (C, V, K)."""
    order = np.argsort(np.where(w > 0, x, np.inf), axis=1, kind="stable")
    upto = np.cumsum(np.take_along_axis(w, order, 1), 1)
    ranked = (upto - np.take_along_axis(w, order, 1) / 2) / upto[:, -1:]
    rank = np.empty_like(ranked)
    np.put_along_axis(rank, order, ranked, 1)
    near = np.exp(-0.5 * ((rank[:, :, None] * components - 0.5 - np.arange(components)) / 0.5) ** 2) + 1e-9
    return np.asarray(near / near.sum(2, keepdims=True))
