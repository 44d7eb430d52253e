"""Tables as matrices that classifiers learn from: one recipe for trees, one for linear models."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import ThreadpoolController

from aigc_models.data.tables import CODED, Cells, Column, Table
from aigc_models.metrics.table_rows import Numbers, is_missing

# Categories that trees tell apart in one column, and linear models; the rarer ones share a number.
TREE_CATEGORIES, LINEAR_CATEGORIES = 250, 30
_LEAVES, _FEW_ROWS = 20, 4_000


@dataclass(frozen=True, slots=True)
class Encoder:
    """Turns cells into features, learnt from a reference table so that both sides are treated alike."""

    columns: tuple[Column, ...]
    lookups: tuple[NDArray[np.int64], ...]
    centres: Numbers
    scales: Numbers

    @classmethod
    def fit(cls, reference: Table, without: str | None = None) -> "Encoder":
        """Learn from rows, leaving out one column."""
        columns = tuple(column for column in reference.columns if column.name != without)
        cells = [reference.cells[column.name] for column in columns]
        lookups = tuple(_by_frequency(column, values) for column, values in zip(columns, cells, strict=True))
        middle = [_centre(column, values) for column, values in zip(columns, cells, strict=True)]
        centres = np.array([centre for centre, _ in middle])
        return cls(columns, lookups, centres, np.array([scale for _, scale in middle]))

    def for_trees(self, table: Table) -> Numbers:
        """Numbers as they are, categories by falling frequency, NaN for missing cells. Shape: (N, D)."""
        found = np.empty((len(table), len(self.columns)))
        for place, column in enumerate(self.columns):
            values = table.cells[column.name]
            found[:, place] = self._codes(place, values, TREE_CATEGORIES) if column.type in CODED else values
        return found

    @property
    def categorical(self) -> list[bool]:
        """Which features of :meth:`for_trees` are categories."""
        return [column.type in CODED for column in self.columns]

    def for_lines(self, table: Table) -> Numbers:
        """Standardised numbers with a mark for missing ones, and a mark for every common category. Shape: (N, F)."""
        parts = [np.empty((len(table), 0))]
        for place, column in enumerate(self.columns):
            values = table.cells[column.name]
            if column.type in CODED:
                width = min(len(self.lookups[place]), LINEAR_CATEGORIES) + 2
                codes = np.nan_to_num(self._codes(place, values, LINEAR_CATEGORIES), nan=width - 1).astype(np.int64)
                parts.append(np.eye(width)[codes])
            else:
                gaps = is_missing(column, values)
                scaled = np.clip((values - self.centres[place]) / self.scales[place], -5, 5)
                parts.append(np.stack([np.where(gaps, 0.0, scaled), gaps], 1))
        return np.concatenate(parts, 1)

    def _codes(self, place: int, values: Cells, most: int) -> Numbers:
        lookup = self.lookups[place]
        places = np.full(max(len(lookup), int(values.max(initial=-1)) + 1), len(lookup))
        places[: len(lookup)] = lookup
        codes = np.minimum(places[values], most).astype(np.float64) if len(places) else np.zeros(len(values))
        codes[values < 0] = np.nan
        return codes


def _by_frequency(column: Column, values: Cells) -> NDArray[np.int64]:
    """The place of every code in the order of falling frequency."""
    if column.type not in CODED:
        return np.empty(0, np.int64)
    size = max(len(column.categories), int(values.max(initial=-1)) + 1)
    order = np.argsort(-np.bincount(values[values >= 0], minlength=size), kind="stable")
    places = np.empty(size, np.int64)
    places[order] = np.arange(size)
    return places


def _centre(column: Column, values: Cells) -> tuple[float, float]:
    present = values[~is_missing(column, values)]
    if column.type in CODED or not len(present):
        return 0.0, 1.0
    return float(present.mean()), float(present.std()) or 1.0


def _threads_for(rows: int) -> AbstractContextManager[Any]:
    """One thread for few rows: several would wait for each other most of the time."""
    return nullcontext() if rows > _FEW_ROWS else _pools().limit(limits=1, user_api="openmp")


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()  # looks through all loaded libraries, which takes some milliseconds


class Boosted:
    """The one recipe of gradient boosting that every figure uses, for categories or for numbers."""

    def __init__(self, kind: Literal["categories", "numbers"], encoder: Encoder, seed: int, rounds: int = 100) -> None:
        self._kind = HistGradientBoostingClassifier if kind == "categories" else HistGradientBoostingRegressor
        self._categorical = np.array(encoder.categorical, np.bool_)
        self._seed, self._rounds = seed, rounds
        self._used: NDArray[np.bool_] = np.empty(0, np.bool_)
        self._model: Any = None

    def fit(self, features: Numbers, truth: Cells) -> "Boosted":
        """Learn from :meth:`Encoder.for_trees`, leaving out columns without any value. Shape: (N, D) and (N,)."""
        self._used = np.asarray(~np.isnan(features).all(0))
        marked = self._categorical[self._used]
        self._model = self._kind(
            max_iter=self._rounds,
            early_stopping=False,
            # So that small tables teach something, and the same rows once more teach the same.
            min_samples_leaf=int(np.clip(len(features) // _LEAVES, 2, 20)),
            categorical_features=marked if marked.any() else None,
            random_state=self._seed,
        )
        with _threads_for(len(features)):
            self._model.fit(self._shown(features), truth)
        return self

    def predict_proba(self, features: Numbers) -> Numbers:
        """How likely each class is. Shape: (N, D) to (N, K)."""
        return np.asarray(self._model.predict_proba(self._shown(features)))

    def predict(self, features: Numbers) -> Numbers:
        """What is most likely. Shape: (N, D) to (N,)."""
        return np.asarray(self._model.predict(self._shown(features)))

    def _shown(self, features: Numbers) -> Numbers:
        return features[:, self._used] if self._used.any() else np.zeros((len(features), 1))
