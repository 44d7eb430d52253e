"""What a synthetic table is worth: sentences, figures beside baselines, and every column beside the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aigc_models.data.table_results import FIGURES, QUALITY
from jobs.tables import Artifact
from web import result_files
from web.pages import amounts, plots, table_sentences
from web.pages.table_sentences import Sentence
from web.translate import say

MOST_COLUMNS, MOST_PAIRS, VERSION = 60, 12, 1

TYPES: Mapping[str, str] = {
    "continuous": "number",
    "integer": "whole number",
    "categorical": "category",
    "boolean": "yes or no",
    "datetime": "date and time",
    "constant": "one value",
}
MEASURES: Mapping[str, str] = {
    "correlation": "correlation",
    "correlation_ratio": "correlation ratio",
    "cramers_v": "Cramer's V",
}
COMPARED: Mapping[str, str] = {
    "column_fidelity": "Column fidelity",
    "column_coverage": "Column coverage",
    "pair_fidelity": "Pair fidelity",
    "dependence_kept": "Dependence kept",
    "detection_score": "Indistinguishability",
    "utility_auc": "AUC of a classifier taught with them",
    "utility_f1": "F1 of a classifier taught with them",
    "utility_accuracy": "Accuracy of a classifier taught with them",
    "utility_r2": "R² of a model taught with them",
    "utility_mae": "Mean error of a model taught with them (lower is better)",
}
# The tables that are compared, in the order of the columns.
SIDES = ("synthetic", "real", "copula", "independent")


@dataclass(frozen=True, slots=True)
class ColumnShown:
    """One column: its figures, its drawing, and its number in the addresses of files."""

    number: int
    name: str
    kind: str
    score: str
    real: str
    distance: str
    missing: str
    coverage: str
    plot: plots.Plot | None


@dataclass(frozen=True, slots=True)
class PairShown:
    """One pair of columns and its association on both sides."""

    names: str
    measure: str
    real: str
    synthetic: str


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a page shows.

    Attributes:
        job_id: Whose result it is.
        rows: How many rows were compared.
        sentences: What the figures say, in words.
        privacy: The same of closeness to training rows.
        notes: What was left out or done differently.
        comparison: A title and a figure for each of :data:`SIDES`.
        columns: The columns, and how many more there are.
        more: Columns that are not shown.
        heat: The associations as a drawing.
        pairs: Pairs that differ most.
        archive: Every plot as SVG, PNG and CSV.
    """

    job_id: str
    rows: str
    sentences: Sequence[Sentence]
    privacy: Sequence[Sentence]
    notes: Sequence[str]
    comparison: Sequence[tuple[str, Sequence[str]]]
    columns: Sequence[ColumnShown]
    more: int
    heat: plots.Heat | None
    pairs: Sequence[PairShown]
    archive: Artifact | None


def of(job_id: str, files: Sequence[Artifact]) -> Shown | None:
    """What was measured of the rows a job made; None where nothing was."""
    found = result_files.document(files, QUALITY)
    if found is None or found.get("version") != VERSION:
        return None
    rows = {name: amounts.number(count) for name, count in found["rows"].items()}
    return Shown(
        job_id=job_id,
        rows=say("{synthetic} synthetic rows beside {test} held-out and {train} training rows.", rows),
        sentences=table_sentences.quality(found),
        privacy=table_sentences.privacy(found["privacy"], found["rows"]["synthetic"]),
        notes=[say(str(note["message"]), note["values"]) for note in found["notes"]],
        comparison=_comparison(found["baselines"]),
        columns=columns(found),
        more=max(0, len(found["columns"]) - MOST_COLUMNS),
        heat=plots.heat(found["pairs"], [column["name"] for column in found["columns"]]),
        pairs=_pairs(found["pairs"]),
        archive=result_files.named(files, FIGURES),
    )


def columns(found: Mapping[str, Any]) -> list[ColumnShown]:
    """The columns in the order of the table."""
    return [
        ColumnShown(
            number=number,
            name=one["name"],
            kind=say(TYPES.get(one["type"], one["type"])),
            score=amounts.figure(one["score"]),
            real=amounts.figure(one["score_real"]),
            distance=amounts.figure(one["distance"]),
            missing=f"{plots.percent(one['missing']['real'])} / {plots.percent(one['missing']['synthetic'])}",
            coverage=plots.percent(one["coverage"]),
            plot=plots.draw(one["histogram"], one["type"]),
        )
        for number, one in enumerate(found["columns"][:MOST_COLUMNS], 1)
    ]


def _comparison(baselines: Mapping[str, Mapping[str, float]]) -> list[tuple[str, list[str]]]:
    return [
        (say(title), [amounts.figure(baselines[side].get(name)) for side in SIDES])
        for name, title in COMPARED.items()
        if name in baselines["synthetic"]
    ]


def _pairs(pairs: Sequence[Mapping[str, Any]]) -> list[PairShown]:
    ordered = sorted(pairs, key=lambda pair: -abs(pair["real"] - pair["synthetic"]))
    return [
        PairShown(
            f"{pair['a']} × {pair['b']}",
            say(MEASURES.get(pair["kind"], pair["kind"])),
            f"{pair['real']:.2f}",
            f"{pair['synthetic']:.2f}",
        )
        for pair in ordered[:MOST_PAIRS]
    ]
