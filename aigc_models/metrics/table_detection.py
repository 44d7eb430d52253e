"""Can a classifier tell synthetic rows from real ones it has not seen? The two-sample test by classifiers."""

import warnings
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from aigc_models.data.tables import Table
from aigc_models.metrics.table_features import Boosted, Encoder
from aigc_models.metrics.table_rows import Numbers, sample, seeded

FOLDS, FEWEST, MOST = 3, 30, 3_000
ROUNDS = 50  # more tell rows apart hardly better, and there are twelve to teach
_SURE = 1.96  # standard errors on each side of a 95 % interval


@dataclass(frozen=True, slots=True)
class Detection:
    """How well rows are told apart.

    Attributes:
        auc: Cross-validated area under the ROC curve of the better of the two classifiers; .5 is a coin.
        interval: 95 % interval of it.
        boosting: Area of gradient boosting.
        logistic: Area of logistic regression.
        rows: Rows of each side.
    """

    auc: float
    interval: tuple[float, float]
    boosting: float
    logistic: float
    rows: int

    @property
    def score(self) -> float:
        """1 where nothing tells them apart, 0 where everything does: twice the distance of the area from 1."""
        return min(1.0, max(0.0, 2 * (1 - self.auc)))

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "score": self.score}


def detect(real: Table, other: Table, seed: int) -> Detection | None:
    """Tell two tables with the same columns apart; None where there are too few rows to try.

    Source: Lopez-Paz and Oquab 2017; the interval after Hanley and McNeil 1982.
    """
    count = min(len(real), len(other), MOST)
    if count < FEWEST or not real.columns:
        return None
    draws = seeded(seed, "detection")
    sides = [sample(table, count, draws) for table in (real, other)]
    truth = np.repeat([0, 1], count)
    encoder = Encoder.fit(sides[0])
    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(truth, truth))
    trees = np.concatenate([encoder.for_trees(side) for side in sides])
    lines = np.concatenate([encoder.for_lines(side) for side in sides])
    boosting = _area(Boosted("categories", encoder, seed, ROUNDS), trees, truth, folds)
    logistic = _area(LogisticRegression(max_iter=200), lines, truth, folds)
    auc = max(boosting, logistic, 0.5)
    return Detection(auc, interval(auc, count, count), boosting, logistic, count)


def _area(model: Any, features: Numbers, truth: NDArray[np.int64], folds: list[Any]) -> float:
    areas = []
    for learn, judge in folds:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is good enough after so many steps
            model.fit(features[learn], truth[learn])
        areas.append(roc_auc_score(truth[judge], model.predict_proba(features[judge])[:, 1]))
    return float(np.mean(areas))


def interval(auc: float, positives: int, negatives: int) -> tuple[float, float]:
    """95 % interval of an area under the ROC curve. Source: Hanley and McNeil 1982, equation 1."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    error = float(np.sqrt(max(variance, 0.0) / (positives * negatives)))
    return max(0.0, auc - _SURE * error), min(1.0, auc + _SURE * error)
