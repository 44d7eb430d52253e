"""Train on synthetic, test on real: does a model learn from synthetic rows what real ones teach?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score, roc_auc_score

from aigc_models.base import Fault, InputError
from aigc_models.data.tables import CODED, WRITTEN, Cells, Table
from aigc_models.metrics.table_features import Boosted, Encoder
from aigc_models.metrics.table_rows import Numbers, is_missing, sample, seeded

MOST_TAUGHT = MOST_TESTED = 50_000
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Task:
    """What is predicted, with the held-out rows it is judged by.

    Attributes:
        target: The column to predict.
        kind: Whether it holds categories or numbers.
        test: Held-out rows whose target is known.
        encoder: How rows become features; learnt from the real training rows.
        positive: The code whose F1 counts: the rarer of two; None with more.
    """

    target: str
    kind: Literal["categories", "numbers"]
    test: Table
    encoder: Encoder
    positive: int | None


def check_target(train: Table, target: str) -> None:
    """See that a column can be predicted.

    Raises:
        InputError: There is no such column, it holds no categories or numbers, or it does not vary.
    """
    known = {column.name: column for column in train.columns}
    if target not in known:
        sentence = "There is no column {column} to predict. The columns are: {columns}."
        raise InputError(Fault(sentence, {"column": target, "columns": ", ".join(known)}, "/target", code="no-target"))
    column = known[target]
    if column.type in WRITTEN:
        sentence = "The column {column} holds {type}, which cannot be predicted. Choose one with categories or numbers."
        raise InputError(Fault(sentence, {"column": target, "type": column.type}, "/target", code="no-target"))
    if len(np.unique(_known(train, target).cells[target])) < _FEWEST:
        sentence = "The column {column} has one value in all training rows, so there is nothing to predict."
        raise InputError(Fault(sentence, {"column": target}, "/target", code="one-class-target"))


def make_task(train: Table, test: Table, target: str, seed: int) -> Task:
    """What is to be predicted, once :func:`check_target` has found it can be."""
    values = _known(train, target).cells[target]
    held_out = sample(_known(test, target), MOST_TESTED, seeded(seed, "utility test"))
    encoder = Encoder.fit(train, without=target)
    if train.column(target).type not in CODED:
        return Task(target, "numbers", held_out, encoder, None)
    counts = np.bincount(values)
    positive = int(np.flatnonzero(counts)[np.argmin(counts[counts > 0])]) if np.count_nonzero(counts) == 2 else None
    return Task(target, "categories", held_out, encoder, positive)


def learn_and_test(task: Task, rows: Table, seed: int) -> Mapping[str, float]:
    """Figures on the held-out rows of one fixed recipe taught with these rows; none where nothing can be judged.

    ``auc``, ``f1`` and ``accuracy`` for categories, ``r2`` and ``mae`` for numbers. Rows that teach one value only
    give a model that always says it.
    """
    taught = sample(_known(rows, task.target), MOST_TAUGHT, seeded(seed, "utility"))
    if not len(taught) or not len(task.test):
        return {}
    return _categories(task, taught, seed) if task.kind == "categories" else _numbers(task, taught, seed)


def _known(table: Table, target: str) -> Table:
    return table.take(~is_missing(table.column(target), table.cells[target]))


def _categories(task: Task, taught: Table, seed: int) -> Mapping[str, float]:
    truth, lesson = task.test.cells[task.target], taught.cells[task.target]
    classes = np.unique(np.concatenate([truth, lesson]))
    chances = np.zeros((len(truth), len(classes)))
    seen = np.unique(lesson)
    if len(seen) == 1:
        chances[:, np.searchsorted(classes, seen[0])] = 1.0
    else:
        model = Boosted("categories", task.encoder, seed).fit(task.encoder.for_trees(taught), lesson)
        chances[:, np.searchsorted(classes, seen)] = model.predict_proba(task.encoder.for_trees(task.test))
    said = classes[chances.argmax(1)]
    f1 = (
        f1_score(truth == task.positive, said == task.positive, zero_division=0.0)
        if task.positive is not None
        else f1_score(truth, said, average="macro", labels=np.unique(truth), zero_division=0.0)
    )
    figures = {"f1": float(f1), "accuracy": float(accuracy_score(truth, said))}
    auc = area(truth, chances, classes)
    return figures if auc is None else {"auc": auc, **figures}


def area(truth: Cells, chances: Numbers, classes: Cells) -> float | None:
    """Area under the ROC curve, of each class against the others and then the mean; None with one class.

    Shape: truth (N,), chances (N, K) of the K classes.
    """
    areas = [
        roc_auc_score(truth == name, chances[:, place])
        for place, name in enumerate(classes)
        if 0 < np.count_nonzero(truth == name) < len(truth)
    ]
    return float(np.mean(areas)) if areas else None


def _numbers(task: Task, taught: Table, seed: int) -> Mapping[str, float]:
    model = Boosted("numbers", task.encoder, seed).fit(task.encoder.for_trees(taught), taught.cells[task.target])
    said, truth = model.predict(task.encoder.for_trees(task.test)), task.test.cells[task.target]
    figures = {"mae": float(mean_absolute_error(truth, said))}
    return {"r2": float(r2_score(truth, said)), **figures} if np.ptp(truth) > 0 else figures
