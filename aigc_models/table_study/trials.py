"""One trial of a study, and what many of them say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from aigc_models.data.tables import Cells, Table
from aigc_models.metrics import table_utility
from aigc_models.metrics.table_rows import Numbers, like, seeded
from aigc_models.metrics.table_utility import TargetKind
from aigc_models.table_study.generators import HERE, Generator, Workplace

# What a classifier is taught with. Repeated are the same real rows, as many as the augmented ones: more rows alone
# let trees grow further, and that is no merit of synthetic rows.
SIDES = ("real", "repeated", "augmented", "synthetic")
MOST_JUDGED, RESAMPLES = 5_000, 200
_SURE = 0.95

Answer = Literal["yes", "no", "worse"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all trials share: the real rows, the held-out rows to judge by, and how synthetic rows are made."""

    train: Table
    test: Table
    target: str
    generator: Generator
    synthetic_percent: int
    at: Workplace = HERE


@dataclass(frozen=True, slots=True)
class Trial:
    """What classifiers said of the held-out rows at one share of the real rows and one repeat.

    Shape: each of ``said`` is (N, K) chances, or (N,) numbers.
    """

    percent: int
    rows: int
    said: Mapping[str, Numbers]


def try_once(setting: Setting, percent: int, seed: int) -> Trial:
    """Draw a share of the real rows, teach the generator with them alone, and teach classifiers with and without it.

    Draws are nested: with the same seed the rows of a small share are among those of a larger one.
    """
    order = seeded(seed, "share").permutation(len(setting.train))
    count = max(2, round(len(order) * percent / 100))
    real = setting.train.take(np.sort(order[:count]))
    count_made = max(1, round(len(real) * setting.synthetic_percent / 100))
    made = like(setting.generator(real, count_made, seed, setting.at), real)
    task = table_utility.make_task(real, setting.test, setting.target, seed)
    again = real.take(np.arange(len(real) + len(made)) % len(real))
    lessons = {"real": real, "repeated": again, "augmented": together(real, made), "synthetic": made}
    said = {side: table_utility.predict(task, rows, seed) for side, rows in lessons.items()}
    return Trial(percent, len(real), {side: found for side, found in said.items() if found is not None})


def together(real: Table, made: Table) -> Table:
    """The rows of both."""
    cells = {name: np.concatenate([cells, made.cells[name]]) for name, cells in real.cells.items()}
    return Table(made.columns, cells)  # made's categories begin with the real ones


@dataclass(frozen=True, slots=True)
class Finding:
    """What the trials at one share say.

    Attributes:
        percent: Share of the real training rows.
        rows: How many rows that are.
        scores: Score of each trial, by what was learnt from.
        reference: What augmented is compared with: real or repeated, whichever scores higher in the mean.
        gain: Mean difference between the two.
        interval: 95 % interval of it.
    """

    percent: int
    rows: int
    scores: Mapping[str, Sequence[float]]
    reference: str
    gain: float
    interval: tuple[float, float]

    @property
    def answer(self) -> Answer:
        """Whether synthetic rows help: yes only where the whole interval lies above 0."""
        if self.interval[0] > 0:
            return "yes"
        return "worse" if self.interval[1] < 0 else "no"

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "percent": self.percent,
            "rows": self.rows,
            "scores": {side: list(scores) for side, scores in self.scores.items()},
            "reference": self.reference,
            "gain": self.gain,
            "interval": list(self.interval),
            "answer": self.answer,
        }


def conclude(kind: TargetKind, truth: Cells, trials: Sequence[Trial], seed: int) -> Finding:
    """Sum up the trials at one share.

    The interval adds two kinds of chance: which real rows were drawn, how the generator and the classifier fell out
    (variance between repeats, over their number), and which rows happen to be held out (bootstrap of these, the same
    for both sides and all repeats). It uses Student's distribution with one degree less than there are repeats.
    """
    sides = [side for side in SIDES if all(side in trial.said for trial in trials)]
    scores = {side: [_score(kind, truth, trial.said[side]) for trial in trials] for side in sides}
    reference = max(("real", "repeated"), key=lambda side: np.mean(scores[side]))
    gains = np.subtract(scores["augmented"], scores[reference])
    draws = seeded(seed, f"bootstrap {trials[0].percent}")
    weights = draws.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), RESAMPLES).astype(np.float64)
    resampled = np.mean(
        [
            weighted_scores(kind, truth, trial.said["augmented"], weights)
            - weighted_scores(kind, truth, trial.said[reference], weights)
            for trial in trials
        ],
        axis=0,
    )
    error = float(np.sqrt(gains.var(ddof=1) / len(gains) + np.var(resampled)))
    margin = float(student.ppf((1 + _SURE) / 2, len(gains) - 1)) * error
    gain = float(gains.mean())
    return Finding(trials[0].percent, trials[0].rows, scores, reference, gain, (gain - margin, gain + margin))


def _score(kind: TargetKind, truth: Cells, said: Numbers) -> float:
    found = table_utility.main_score(kind, truth, said)
    return 0.0 if found is None else found


def weighted_scores(kind: TargetKind, truth: Cells, said: Numbers, weights: Numbers) -> Numbers:
    """:func:`aigc_models.metrics.table_utility.main_score` for rows that count as often as the weights say.

    Shape: truth (N,), said (N, K) or (N,), weights (R, N) to (R,). A draw in which the truth does not vary counts as
    knowing nothing.
    """
    if kind == "numbers":
        wrong, count = weights @ (truth - said) ** 2, weights.sum(1)
        around = weights @ truth**2 - (weights @ truth) ** 2 / count
        return np.where(around > 0, 1 - wrong / np.where(around > 0, around, 1), 0.0)
    counts = np.bincount(truth, minlength=said.shape[1])
    classes = np.flatnonzero((counts > 0) & (counts < len(truth))).tolist()
    classes = classes[:1] if said.shape[1] == 2 else classes
    return np.asarray(np.mean([_weighted_area(truth == one, said[:, one], weights) for one in classes], axis=0))


def _weighted_area(positive: Cells, chances: Numbers, weights: Numbers) -> Numbers:
    """Area under the ROC curve: how often a positive row ranks above a negative one, ties counting half."""
    order = np.argsort(chances, kind="stable")
    starts = np.flatnonzero(np.diff(chances[order], prepend=-np.inf))
    wins, losses = (np.add.reduceat(weights[:, order] * side[order], starts, axis=1) for side in (positive, ~positive))
    below = np.cumsum(losses, 1) - losses
    pairs = wins.sum(1) * losses.sum(1)
    return np.where(pairs > 0, (wins * (below + losses / 2)).sum(1) / np.where(pairs > 0, pairs, 1), 0.5)
