"""Every figure of a synthetic table, each with a trivial baseline and with what real rows themselves reach."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypedDict, Unpack

import numpy as np

from aigc_models.base import Fault, InputError
from aigc_models.data.tables import Table
from aigc_models.metrics import (
    table_columns,
    table_detection,
    table_noise,
    table_pairs,
    table_privacy,
    table_relations,
    table_utility,
)
from aigc_models.metrics.table_baselines import GaussianCopula, independent_columns
from aigc_models.metrics.table_columns import ColumnFigures
from aigc_models.metrics.table_detection import Detection
from aigc_models.metrics.table_pairs import Pair
from aigc_models.metrics.table_privacy import Privacy
from aigc_models.metrics.table_rows import like, sample, seeded

VERSION = 1
# More rows than these change a figure less than another seed does.
MOST_COMPARED, MOST_PAIRED = 200_000, 50_000
# The tables that are measured: training rows and two baselines beside the synthetic ones.
KINDS = ("synthetic", "real", "independent", "copula")
STAGES = 4 + 2 * len(KINDS)
# Whose figure is the baseline beside each; columns by themselves and privacy have none (see table_figures).
BASELINES = {
    "pair_fidelity": "independent",
    "dependence_kept": "copula",
    "detection_score": "copula",
    "detection_auc": "copula",
}

Report = Callable[[int, int], None]
Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TableQuality:
    """What a synthetic table is worth.

    Attributes:
        metrics: Figures by name, all finite; :data:`~aigc_models.metrics.table_figures.TABLE_METRICS` explains them.
        details: The same and more as JSON: by column, by pair, histograms, baselines, privacy, notes.
    """

    metrics: dict[str, float]
    details: dict[str, Any]


@dataclass(slots=True)
class _Work:
    """What is compared with the held-out rows, by kind, and how far the work is."""

    held_out: Table
    others: Mapping[str, Table]
    seed: int
    report: Report
    done: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list)

    def step(self) -> None:
        self.done += 1
        self.report(self.done, STAGES)

    def note(self, message: str, **values: Any) -> None:
        self.notes.append({"message": message, "values": values})


class Wish(TypedDict):
    """How tables are measured.

    Attributes:
        target: A column to predict, for train-on-synthetic figures; None leaves them out.
        seed: What random draws start from: samples of large tables, baselines, classifiers.
        report: Called with the stages that are done and how many there are.
    """

    target: str | None
    seed: int
    report: Report


def measure(train: Table, test: Table, synthetic: Table, **wish: Unpack[Wish]) -> TableQuality:
    """Compare synthetic rows with held-out ones, beside baselines fitted to the training rows.

    Args:
        train: Rows the model learnt from.
        test: Rows it never saw; where there are none, the training rows stand in, which a note says.
        synthetic: Rows it made; identifiers and free text may be left out.
        wish: Target, seed and whom to report to.

    Raises:
        InputError: Rows are missing, columns differ, or the target cannot be predicted.
    """
    target, seed = wish["target"], wish["seed"]
    _check(train, synthetic)
    tables = [like(table, train) for table in (train, test, synthetic)]
    if target is not None:
        table_utility.check_target(train, target)
    work = _prepare(tables, seed, wish["report"])
    columns, pairs = _columns(work), _pairs(work)
    detection, utility = _detection(work), _utility(work, target)
    privacy = table_privacy.look(tables[0], tables[1], tables[2], seed)
    work.step()
    metrics = _metrics(columns, pairs, detection, utility, privacy)
    details = {
        "version": VERSION,
        "rows": {"train": len(train), "test": len(test), "synthetic": len(synthetic)},
        "columns": _told_columns(work, columns),
        "pairs": _told_pairs(pairs),
        "detection": {kind: found.told() for kind, found in detection.items()},
        "target": target,
        "utility": {kind: dict(found) for kind, found in utility.items()},
        "privacy": privacy.told() if privacy else None,
        "relations": _relations(tables[0], tables[2], seed),
        "baselines": _beside(columns, pairs, detection, utility),
        "notes": work.notes,
    }
    return TableQuality(metrics, {**details, "metrics": metrics})


def _check(train: Table, synthetic: Table) -> None:
    for table, sentence in (
        (train, "There are no training rows to compare with."),
        (synthetic, "There are no synthetic rows to measure."),
    ):
        if not len(table):
            raise InputError(Fault(sentence, code="no-rows"))


def _prepare(tables: Sequence[Table], seed: int, report: Report) -> _Work:
    draws = seeded(seed, "quality")
    train, test, synthetic = (sample(table, MOST_COMPARED, draws) for table in tables)
    count = len(synthetic)
    others = {
        "synthetic": synthetic,
        "real": train,
        "independent": independent_columns(train, count, seed),
        "copula": GaussianCopula.fit(train, seed).sample(count, seed),
    }
    work = _Work(test if len(test) else train, others, seed, report)
    if not len(test):
        work.note("There are no held-out rows, so the synthetic rows are compared with the training rows.")
    if any(len(table) > MOST_COMPARED for table in tables):
        work.note("Figures are of a sample of {rows} rows of each table.", rows=MOST_COMPARED)
    if len(train.columns) > table_pairs.MOST_COLUMNS:
        work.note("Pairs are of the first {columns} columns.", columns=table_pairs.MOST_COLUMNS)
    work.step()
    return work


def _columns(work: _Work) -> dict[str, list[ColumnFigures]]:
    found = {kind: table_columns.compare_columns(work.held_out, table) for kind, table in work.others.items()}
    work.step()
    return found


def _pairs(work: _Work) -> dict[str, list[Pair]]:
    """Pairs of every kind and, as ``held_out``, of the rows they are compared with."""
    draws = seeded(work.seed, "pairs")
    held_out = sample(work.held_out, MOST_PAIRED, draws)
    tables = {"held_out": held_out} | {kind: sample(one, MOST_PAIRED, draws) for kind, one in work.others.items()}
    found = {kind: table_pairs.pairs(table_pairs.side(table, held_out)) for kind, table in tables.items()}
    work.step()
    return found


def _detection(work: _Work) -> dict[str, Detection]:
    found = {}
    for kind, table in work.others.items():
        one = table_detection.detect(work.held_out, table, work.seed)
        if one is not None:
            found[kind] = one
        work.step()
    if "synthetic" not in found:
        sentence = "With fewer than {rows} rows on a side nobody can tell how alike real and synthetic rows are."
        work.note(sentence, rows=table_detection.FEWEST)
    return found


def _utility(work: _Work, target: str | None) -> dict[str, Scores]:
    task = table_utility.make_task(work.others["real"], work.held_out, target, work.seed) if target else None
    found: dict[str, Scores] = {}
    synthetic = None
    for kind, table in work.others.items():
        said = table_utility.predict(task, table, work.seed) if task is not None else None
        if task is not None and said is not None:
            synthetic = said if kind == "synthetic" else synthetic
            unsure = {} if synthetic is None else table_noise.noise(task, synthetic, said)
            told = {f"{name}_noise": value for name, value in unsure.items() if kind != "synthetic"}
            found[kind] = {**table_utility.judge(task, said), **told}
        work.step()
    return found


def _relations(train: Table, synthetic: Table, seed: int) -> list[dict[str, Any]]:
    """What ties columns together in the training rows, and in how many rows of each side it holds."""
    found = []
    for rule in table_relations.find(train, seed):
        real, made = rule.share(train), rule.share(synthetic)
        if real is not None and made is not None:
            found.append({"rule": str(rule), "real": real, "synthetic": made})
    return found


def _fidelity(columns: Sequence[ColumnFigures]) -> Scores:
    if not columns:
        return {}
    return {
        "column_fidelity": float(np.mean([one.score for one in columns])),
        "column_coverage": float(np.mean([one.coverage for one in columns])),
    }


def _beside(
    columns: Mapping[str, list[ColumnFigures]],
    pairs: Mapping[str, list[Pair]],
    detection: Mapping[str, Detection],
    utility: Mapping[str, Scores],
) -> dict[str, dict[str, float]]:
    """The figures of every kind of table under the same names."""
    found = {}
    for kind in KINDS:
        figures: dict[str, float] = dict(_fidelity(columns[kind]))
        if pairs["held_out"]:
            figures["pair_fidelity"] = table_pairs.fidelity(pairs["held_out"], pairs[kind])
            figures["dependence_kept"] = table_pairs.dependence_kept(pairs["held_out"], pairs[kind])
        if kind in detection:
            figures |= {"detection_score": detection[kind].score, "detection_auc": detection[kind].auc}
        figures |= {f"utility_{name}": value for name, value in utility.get(kind, {}).items()}
        found[kind] = figures
    return found


def _metrics(
    columns: Mapping[str, list[ColumnFigures]],
    pairs: Mapping[str, list[Pair]],
    detection: Mapping[str, Detection],
    utility: Mapping[str, Scores],
    privacy: Privacy | None,
) -> dict[str, float]:
    """One flat name for every figure, with the baseline's and the real rows' beside it."""
    beside = _beside(columns, pairs, detection, utility)
    found = {}
    for name, value in beside["synthetic"].items():
        if name.startswith("utility_"):
            short = name.removeprefix("utility_")
            found[f"tstr_{short}"] = value
            found |= _named(f"trtr_{short}", beside["real"].get(name))
            found |= _named(f"tstr_{short}_baseline", beside["copula"].get(name))
            found |= _named(f"tstr_{short}_noise", beside["copula"].get(f"{name}_noise"))
            continue
        found[name] = value
        found |= _named(f"{name}_real", beside["real"].get(name))
        if name in BASELINES:
            found |= _named(f"{name}_baseline", beside[BASELINES[name]].get(name))
    return {name: value for name, value in {**found, **_private(privacy)}.items() if isfinite(value)}


def _named(name: str, value: float | None) -> dict[str, float]:
    return {} if value is None else {name: value}


def _private(privacy: Privacy | None) -> Scores:
    if privacy is None:
        return {}
    return {
        "closer_to_train": privacy.closer_to_train,
        "closer_to_train_real": privacy.expected,
        "closest_distance": privacy.distances["synthetic"][1],
        "closest_distance_real": privacy.distances["held_out"][1],
        "neighbour_ratio": privacy.ratios["synthetic"],
        "neighbour_ratio_real": privacy.ratios["held_out"],
        "exact_copies": float(privacy.copies["synthetic"]),
        "exact_copies_real": round(privacy.copies["expected"], 2),
    }


def _told_columns(work: _Work, columns: Mapping[str, list[ColumnFigures]]) -> list[dict[str, Any]]:
    found = []
    for place, column in enumerate(work.held_out.columns):
        one, real = columns["synthetic"][place], columns["real"][place]
        other = work.others["synthetic"]
        cells = work.held_out.cells[column.name], other.cells[column.name]
        found.append(
            {
                "name": column.name,
                "type": column.type,
                "score": one.score,
                "score_real": real.score,
                "distance": one.distance,
                "missing": {"real": one.missing[0], "synthetic": one.missing[1]},
                "coverage": one.coverage,
                "histogram": table_columns.histogram(other.columns[place], *cells),
            }
        )
    return found


def _told_pairs(pairs: Mapping[str, list[Pair]]) -> list[dict[str, Any]]:
    return [
        {
            "a": real.a,
            "b": real.b,
            "kind": real.kind,
            "real": real.association,
            "synthetic": one.association,
            "information": {"real": real.information, "synthetic": one.information},
        }
        for real, one in zip(pairs["held_out"], pairs["synthetic"], strict=True)
    ]
