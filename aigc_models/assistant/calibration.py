"""When to refuse: how likely it is that what was found answers a question, learnt from held-out and off-topic ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from aigc_models.retrieval.bm25 import K1, UNSEEN
from aigc_models.retrieval.index import Index, Scores

SIGNS = ("share", "cosine", "unseen", "lead", "length", "page", "rarity")
_STRICT, _LAX = 3.0, 0.2  # how many times as many false refusals as asked for
# Where there is too little to calibrate with: half of a question's weight is found, or its meaning nearly.
_FALLBACK = ((6.0, 4.0, -2.0, 0.0, 0.0, 0.0, 0.0), -3.0)
_LEAST = 20


def signs(index: Index, queries: Sequence[Sequence[str]], scores: Scores) -> NDArray[np.float64]:
    """What tells whether a question is answered.

    Args:
        index: What was searched.
        queries: The questions as words.
        scores: What the search gave.

    Shape: (Q, signs): the best BM25 score as a share of what a fitting passage would get; the best passage's cosine;
    the share of the words, weighted by rarity, that no passage has; how far the best cosine leads the tenth; the
    logarithm of the number of words; the score of the best passage's page as a share, like the first; and how rare the
    words are on average, from 0 to 1.
    """
    exact, near = scores.exact, scores.near
    best = index.fuse(scores).argmax(-1)
    rows = np.arange(len(queries))
    highest = np.array([max(index.lexical.highest(one), 1e-6) for one in queries])
    tenth = np.partition(near, -min(10, near.shape[1]), axis=-1)[:, -min(10, near.shape[1])]
    return np.stack(
        [
            exact[rows, best] / highest,
            near[rows, best],
            [_unseen(index, one) for one in queries],
            near.max(-1) - tenth,
            np.log1p([len(one) for one in queries]),
            scores.around[rows, best] / [max(index.context.highest(one), 1e-6) for one in queries],
            [_rarity(index, one) for one in queries],
        ],
        1,
    ).astype(np.float64)


def _unseen(index: Index, query: Sequence[str]) -> float:
    known = index.lexical.numbers(query)
    unseen = index.lexical.unseen_rarity * float((known == UNSEEN).sum())
    total = unseen + float(index.lexical.rarity[known[known != UNSEEN]].sum())
    return unseen / total if total else 1.0


def _rarity(index: Index, query: Sequence[str]) -> float:
    different = max(len(set(query)), 1)
    return index.lexical.highest(query) / ((K1 + 1) * index.lexical.unseen_rarity * different)


@dataclass(frozen=True, slots=True)
class Calibration:
    """From signs to a probability, and the probabilities below which the assistant refuses.

    Attributes:
        weights: Of each sign.
        bias: Beside them.
        thresholds: By strictness.
        questions: How many answerable questions it was learnt from.
    """

    weights: Sequence[float]
    bias: float
    thresholds: Mapping[str, float]
    questions: int = 0

    def sureness(self, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """How likely what was found is an answer, from 0 to 1; (Q, signs) to (Q,)."""
        return np.asarray(1 / (1 + np.exp(-(signs @ np.array(self.weights) + self.bias))), np.float64)

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Calibration":
        """From what is stored."""
        return cls(tuple(stored["weights"]), stored["bias"], stored["thresholds"], stored["questions"])


def calibrate(answered: NDArray[np.float64], off_topic: NDArray[np.float64], false_refusals: float) -> Calibration:
    """Learn from the signs of answerable and of off-topic questions.

    Args:
        answered: Signs of questions with an answer, (Q, signs).
        off_topic: Signs of others, (R, signs).
        false_refusals: Share of the first that may be refused. Less are where all of the others are refused anyway.
    """
    if len(answered) < _LEAST:
        return Calibration(*_FALLBACK, {"low": 0.2, "calibrated": 0.35, "high": 0.6}, len(answered))
    both = np.concatenate([answered, off_topic])
    mean, spread = both.mean(0), both.std(0) + 1e-6
    right = np.concatenate([np.ones(len(answered)), np.zeros(len(off_topic))])
    fitted = LogisticRegression(class_weight="balanced").fit((both - mean) / spread, right)
    weights = fitted.coef_[0] / spread
    made = Calibration(weights.tolist(), float(fitted.intercept_[0] - mean @ weights), {}, len(answered))
    sure, unsure = made.sureness(answered), made.sureness(off_topic)

    def threshold(share: float) -> float:
        enough = float(np.nextafter(unsure.max(), 1)) if len(unsure) else 1.0
        return min(float(np.quantile(sure, min(share, 0.5))), enough)

    shares = {"low": _LAX * false_refusals, "calibrated": false_refusals, "high": _STRICT * false_refusals}
    thresholds = {name: threshold(share) for name, share in shares.items()}
    thresholds["high"] = max(thresholds["high"], float(np.quantile(sure, min(shares["high"], 0.5))))
    return Calibration(made.weights, made.bias, thresholds, len(answered))
