"""When to refuse: how likely it is that what was found answers a question, learnt from held-out and off-topic ones."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from aigc_models.retrieval.bm25 import K1, UNSEEN
from aigc_models.retrieval.index import Floats, Index, Scores
from aigc_models.retrieval.tokens import only_asks

Doubles = NDArray[np.float64]

SIGNS = ("share", "cosine", "unseen", "lead", "length", "page", "rarity", "agreement", "margin", "foreign")
_STRICT, _LAX = 3.0, 0.2  # how many times as many false refusals as asked for
# Where there is too little to calibrate with: half of a question's weight is found, or its meaning nearly.
_FALLBACK = ((6.0, 4.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), -3.0)
_LEAST, _FOLDS = 20, 5
_MANY = 200  # questions from which a promise is kept with the higher confidence; of few it would refuse nothing
_CONFIDENCE = {True: 0.95, False: 0.5}
_FARTHEST = 4.0  # spreads from the mean that a sign counts at most, as products grow fast
_STRENGTH = {True: 0.3, False: 1.0}  # of the weights, the smaller the more alike; there are many products


def signs(index: Index, queries: Sequence[Sequence[str]], scores: Scores) -> NDArray[np.float64]:
    """What tells whether a question is answered.

    Args:
        index: What was searched.
        queries: The questions as words.
        scores: What the search gave.

    Shape: (Q, signs): the best BM25 score as a share of what a fitting passage would get; the best passage's cosine;
    the share of the words, weighted by rarity, that no passage has; how far the best cosine leads the tenth; the
    logarithm of the number of words; the score of the best passage's page as a share, like the first; how rare the
    words are on average, from 0 to 1; the logarithm of the place at which the encoder finds the best passage by BM25;
    how far the best BM25 score leads the tenth, as a share like the first; and whether the question is in a language
    that next to no passage is in. Words that only ask and that no passage has count for the length alone: among few
    passages "mean" would be as rare as the code that somebody asks the meaning of.
    """
    exact, near = scores.exact, scores.near
    best = index.fuse(scores).argmax(-1)
    rows = np.arange(len(queries))
    lengths, queries = [len(one) for one in queries], [_counted(index, one) for one in queries]
    highest = np.array([max(index.lexical.highest(one), 1e-6) for one in queries])
    first = exact.argmax(-1)
    return np.stack(
        [
            exact[rows, best] / highest,
            near[rows, best],
            [_unseen(index, one) for one in queries],
            near.max(-1) - _tenth(near),
            np.log1p(lengths),
            scores.around[rows, best] / [max(index.context.highest(one), 1e-6) for one in queries],
            [_rarity(index, one) for one in queries],
            np.log1p((near > near[rows, first][:, None]).sum(-1)),
            (exact[rows, first] - _tenth(exact)) / highest,
            scores.foreign,
        ],
        1,
    ).astype(np.float64)


def _tenth(scores: Floats) -> Floats:
    """The tenth best score of each question, or the worst where there are fewer."""
    place = min(10, scores.shape[1])
    return np.partition(scores, -place, axis=-1)[:, -place]


def _counted(index: Index, query: Sequence[str]) -> Sequence[str]:
    """The words that say what a question is about, or all where none does."""
    return [word for word in query if word in index.lexical.vocabulary or not only_asks(word)] or query


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
        weights: Of each sign, and of each product of two where there was enough to learn them from.
        bias: Beside them.
        thresholds: By strictness.
        questions: How many answerable questions it was learnt from.
        mean, spread: What each sign is moved and divided by; none where they are taken as they are.
    """

    weights: Sequence[float]
    bias: float
    thresholds: Mapping[str, float]
    questions: int = 0
    mean: Sequence[float] = ()
    spread: Sequence[float] = ()

    def sureness(self, signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """How likely what was found is an answer, from 0 to 1; (Q, signs) to (Q,)."""
        known = signs[:, : len(self.mean) or len(self.weights)]  # of those that were stored there may be fewer
        if self.mean:
            known = _products(_scaled(known, np.array(self.mean), np.array(self.spread)))[:, : len(self.weights)]
        return np.asarray(1 / (1 + np.exp(-(known @ np.array(self.weights) + self.bias))), np.float64)

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Calibration":
        """From what is stored."""
        scale = (tuple(stored.get(name, ())) for name in ("mean", "spread"))
        return cls(tuple(stored["weights"]), stored["bias"], stored["thresholds"], stored["questions"], *scale)


def calibrate(
    answered: NDArray[np.float64],
    off_topic: NDArray[np.float64],
    false_refusals: float,
    pages: NDArray[np.int64] | None = None,
) -> Calibration:
    """Learn from the signs of answerable and of off-topic questions.

    The threshold is set by questions which the weights they are judged by were not learnt from (in five folds), and so
    low that with 95 % confidence no larger share of all answerable questions is refused (Clopper and Pearson 1934); of
    fewer than 200 questions, that it is as likely larger as smaller. Questions of one page are answered or refused
    together more often than by chance, so they count for as many as vary as much by themselves (Kish 1965).

    Args:
        answered: Signs of questions with an answer, (Q, signs).
        off_topic: Signs of others, (R, signs).
        false_refusals: Share of the first that may be refused. Less are where all of the others are refused anyway.
        pages: The page that answers each of the first, (Q,); each has one of its own where it is left out.
    """
    if len(answered) < _LEAST:
        return Calibration(*_FALLBACK, {"low": 0.2, "calibrated": 0.35, "high": 0.6}, len(answered))
    made = _fitted(answered, off_topic)
    sure, unsure = _unseen_by(answered, off_topic)
    enough = float(np.nextafter(unsure.max(), 1)) if len(unsure) else 1.0
    alike = _alike(sure <= np.quantile(sure, false_refusals), np.arange(len(sure)) if pages is None else pages)
    most = int(allowed(int(len(sure) / alike), false_refusals, _CONFIDENCE[len(sure) >= _MANY]) * alike)
    usual = min(float(np.sort(sure)[most]), enough)
    low = min(float(np.quantile(sure, _LAX * false_refusals)), usual)
    high = max(usual, float(np.quantile(sure, min(_STRICT * false_refusals, 0.5))))
    return replace(made, thresholds={"low": low, "calibrated": usual, "high": high})


def allowed(questions: int, share: float, confidence: float) -> int:
    """How many of so many questions may be refused, so that most likely no larger share of all questions is."""
    doubt = 1 - confidence
    most = int(binom.ppf(doubt, questions, share))
    return max(0, most - (1 if float(binom.cdf(most, questions, share)) > doubt else 0))


def _alike(refused: NDArray[np.bool_], pages: NDArray[np.int64]) -> float:
    """How many times as much the share of refused questions varies as if each came from a page of its own, from 1."""
    share, (_, page) = float(refused.mean()), np.unique(pages, return_inverse=True)
    count, asked = int(page.max()) + 1, np.bincount(page)
    if count < 2 or not 0 < share < 1:
        return 1.0
    varied = count / (count - 1) * float(((np.bincount(page, refused) - share * asked) ** 2).sum()) / len(refused)
    return max(1.0, varied / (share * (1 - share)))


def _unseen_by(answered: NDArray[np.float64], off_topic: NDArray[np.float64]) -> tuple[Doubles, Doubles]:
    """The sureness of each question by weights that were learnt from the others."""
    sure, unsure = np.empty(len(answered)), np.empty(len(off_topic))
    for fold in range(_FOLDS):
        own, other = (np.arange(len(one)) % _FOLDS == fold for one in (answered, off_topic))
        fitted = _fitted(answered[~own], off_topic[~other])
        sure[own], unsure[other] = fitted.sureness(answered[own]), fitted.sureness(off_topic[other])
    return sure, unsure


def _fitted(answered: Doubles, off_topic: Doubles) -> Calibration:
    """Weights of the signs, and of their products where there are questions enough."""
    both = np.concatenate([answered, off_topic])
    mean, spread = both.mean(0), both.std(0) + 1e-6
    right = np.concatenate([np.ones(len(answered)), np.zeros(len(off_topic))])
    many = len(answered) >= _MANY * (_FOLDS - 1) // _FOLDS  # a fold is learnt as the whole is
    scaled = _scaled(both, mean, spread)
    model = LogisticRegression(C=_STRENGTH[many], class_weight="balanced", max_iter=1_000)
    fitted = model.fit(_products(scaled) if many else scaled, right)
    learnt = (fitted.coef_[0].tolist(), float(fitted.intercept_[0]))
    return Calibration(*learnt, {}, len(answered), mean.tolist(), spread.tolist())


def _scaled(signs: Doubles, mean: Doubles, spread: Doubles) -> Doubles:
    return np.clip((signs - mean) / spread, -_FARTHEST, _FARTHEST)


def _products(scaled: Doubles) -> Doubles:
    """The signs, then the product of each two of them; (Q, S) to (Q, S + S (S + 1) / 2)."""
    first, second = np.triu_indices(scaled.shape[1])
    return np.concatenate([scaled, scaled[:, first] * scaled[:, second]], 1)
