"""How much of the difference between two figures on the same held-out rows those rows alone make.

Both models are judged by the same rows, so what a row adds to one figure is set against what it adds to the other
(DeLong, DeLong and Clarke-Pearson 1988 for the area under the ROC curve). What another seed would change is not in it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from aigc_models.data.tables import Cells
from aigc_models.metrics.table_rows import Numbers
from aigc_models.metrics.table_utility import Task

_SIGMAS = 1.959964  # of the normal distribution, for 95 %

Shares = NDArray[np.float64]


def noise(task: Task, one: Numbers, other: Numbers) -> dict[str, float]:
    """Half the width of the 95 % interval of the difference in each figure of :func:`.table_utility.judge`.

    Args:
        task: What was predicted, with the held-out rows.
        one: What a model said of them, as :func:`.table_utility.predict` gives it.
        other: What another model said of them.
    """
    a, b = influences(task, one), influences(task, other)
    return {name: float(_SIGMAS * np.sqrt(((a[name] - b[name]) ** 2).sum())) for name in a if name in b}


def influences(task: Task, said: Numbers) -> dict[str, Shares]:
    """What each held-out row adds to each figure, less the mean, (N,): the squares add up to the figure's variance."""
    truth = task.test.cells[task.target]
    if task.kind == "numbers":
        return _of_numbers(truth, said)
    named, rows = said.argmax(1), len(truth)
    right = named == truth
    classes = [task.positive] if task.positive is not None else np.unique(truth).tolist()
    found = {
        "accuracy": (right - right.mean()) / rows,
        "f1": np.mean([_of_f1(truth == one, named == one) for one in classes], 0),
    }
    counts = np.bincount(truth, minlength=said.shape[1])
    areas = [_of_area(truth == one, said[:, one]) for one in np.flatnonzero((counts > 0) & (counts < rows))]
    return {**found, "auc": np.mean(areas, 0)} if areas else found


def _of_numbers(truth: Cells, said: Numbers) -> dict[str, Shares]:
    missed, spread = truth - said, (truth - truth.mean()) ** 2
    size = np.abs(missed)
    found = {"mae": (size - size.mean()) / len(truth)}
    if spread.sum() > 0:
        found["r2"] = (missed**2).sum() / spread.sum() ** 2 * spread - missed**2 / spread.sum()
    return found


def _of_f1(true: Cells, named: Cells) -> Shares:
    hits, size = true & named, true.astype(float) + named
    if not size.sum():
        return np.zeros(len(true))
    return np.asarray((2 * hits - 2 * hits.sum() / size.sum() * size) / size.sum())


def _of_area(true: Cells, chances: Numbers) -> Shares:
    """By the share of the other class that a row stands above, or below, ties half."""
    positive, negative = int(true.sum()), int((~true).sum())
    ranks, found = rankdata(chances), np.empty(len(true))
    above = (ranks[true] - rankdata(chances[true])) / negative
    below = 1 - (ranks[~true] - rankdata(chances[~true])) / positive
    found[true] = (above - above.mean()) / np.sqrt(positive * max(positive - 1, 1))
    found[~true] = (below - below.mean()) / np.sqrt(negative * max(negative - 1, 1))
    return found
