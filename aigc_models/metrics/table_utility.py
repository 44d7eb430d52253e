"""Train on synthetic, test on real: does a model learn from synthetic rows what real ones teach?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score, roc_auc_score

from aigc_models.base import Fault, InputError
from aigc_models.data.table_targets import target_fault
from aigc_models.data.tables import CODED, Cells, Table
from aigc_models.metrics.table_features import Boosted, Encoder
from aigc_models.metrics.table_rows import Numbers, is_missing, sample, seeded

MOST_TAUGHT = MOST_TESTED = 50_000
_FEWEST = 2

TargetKind = Literal["categories", "numbers"]


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
    kind: TargetKind
    test: Table
    encoder: Encoder
    positive: int | None


def check_target(train: Table, target: str) -> None:
    """See that a column can be predicted.

    Raises:
        InputError: There is no such column, it holds no categories or numbers, or it does not vary.
    """
    fault = target_fault({column.name: column.type for column in train.columns}, target)
    if fault is not None:
        raise InputError(fault)
    if len(np.unique(_known(train, target).cells[target])) < _FEWEST:
        sentence = "The column {column} has one value in all training rows, so there is nothing to predict."
        raise InputError(Fault(sentence, {"column": target}, "/target", code="one-class-target"))


def usual_target(train: Table) -> str | None:
    """The last column with two categories or more, which in most tables is what matters; None where there is none."""
    for column in reversed(train.columns):
        values = train.cells[column.name]
        if column.type in CODED and len(np.unique(values[values >= 0])) >= _FEWEST:
            return column.name
    return None


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


def predict(task: Task, rows: Table, seed: int) -> Numbers | None:
    """What a model taught with these rows says of the held-out ones; None where there is nothing to learn or to judge.

    Shape: chances (N, K) of the codes from 0 for categories, (N,) for numbers. Rows that teach one value only give a
    model that always says it.
    """
    taught = sample(_known(rows, task.target), MOST_TAUGHT, seeded(seed, "utility"))
    if not len(taught) or not len(task.test):
        return None
    lesson, features = taught.cells[task.target], task.encoder.for_trees(task.test)
    if task.kind == "numbers":
        return Boosted("numbers", task.encoder, seed).fit(task.encoder.for_trees(taught), lesson).predict(features)
    seen = np.unique(lesson)
    chances = np.zeros((len(task.test), int(max(lesson.max(), task.test.cells[task.target].max())) + 1))
    if len(seen) == 1:
        chances[:, seen[0]] = 1.0
    else:
        model = Boosted("categories", task.encoder, seed).fit(task.encoder.for_trees(taught), lesson)
        chances[:, seen] = model.predict_proba(features)
    return chances


def judge(task: Task, said: Numbers) -> Mapping[str, float]:
    """Figures of what was said: ``auc``, ``f1`` and ``accuracy`` of categories, ``r2`` and ``mae`` of numbers.

    ``auc`` and ``r2`` are left out where the held-out rows have one value only.
    """
    truth = task.test.cells[task.target]
    main = main_score(task.kind, truth, said)
    if task.kind == "numbers":
        figures = {"mae": float(mean_absolute_error(truth, said))}
        return figures if main is None else {"r2": main, **figures}
    named = said.argmax(1)
    f1 = (
        f1_score(truth == task.positive, named == task.positive, zero_division=0.0)
        if task.positive is not None
        else f1_score(truth, named, average="macro", labels=np.unique(truth), zero_division=0.0)
    )
    figures = {"f1": float(f1), "accuracy": float(accuracy_score(truth, named))}
    return figures if main is None else {"auc": main, **figures}


def main_score(kind: TargetKind, truth: Cells, said: Numbers) -> float | None:
    """The one figure that counts most: the area under the ROC curve, or R²; None where the truth has one value."""
    if kind == "categories":
        return area(truth, said)
    return float(r2_score(truth, said)) if len(truth) > 1 and np.ptp(truth) > 0 else None


def area(truth: Cells, chances: Numbers) -> float | None:
    """Area under the ROC curve, of each class against the others and then the mean; None with one class.

    Shape: truth (N,) codes, chances (N, K).
    """
    counts = np.bincount(truth, minlength=chances.shape[1])
    classes = np.flatnonzero((counts > 0) & (counts < len(truth))).tolist()
    if chances.shape[1] == 2:
        classes = classes[:1]  # the other one's area is the same
    areas = [roc_auc_score(truth == one, chances[:, one]) for one in classes]
    return float(np.mean(areas)) if areas else None


def _known(table: Table, target: str) -> Table:
    return table.take(~is_missing(table.column(target), table.cells[target]))
