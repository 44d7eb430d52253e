"""The operation of table studies."""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from aigc_models.base import Fault, InputError, Metrics, Run
from aigc_models.data.table_results import AUGMENTATION
from aigc_models.data.tables import CODED, TableSet, load_report, load_table
from aigc_models.metrics import table_utility
from aigc_models.metrics.table_rows import is_missing, like, sample, seeded
from aigc_models.table_study.generators import GENERATORS, Workplace
from aigc_models.table_study.params import TableStudyAugment
from aigc_models.table_study.trials import MOST_JUDGED, SIDES, Finding, Setting, Trial, conclude, try_once

FEWEST = 20
_SAID = "said.safetensors"
_SENTENCES = {
    "yes": "Yes: with {percent} % of the real rows, synthetic rows raise the score by {gain} ({low} to {high}).",
    "no": "No: with {percent} % of the real rows no gain can be shown. The score changes by {gain} ({low} to {high}).",
    "worse": "No: with {percent} % of the real rows, synthetic rows lower the score by {gain} ({low} to {high}).",
}


def augment(params: TableStudyAugment, run: Run) -> Metrics:
    """Try every share as often as asked, with and without synthetic rows, and say whether they help."""
    run.phase("preparing")
    setting = _setting(params, load_table(run.inputs["dataset"]))
    plan = [(percent, params.seed + number) for percent in params.percentages for number in range(params.repeats)]
    trials = _resume(run.resume_from) if run.resume_from else []
    run.phase("evaluating")
    for step, (percent, seed) in enumerate(plan[len(trials) :], len(trials) + 1):
        at = Workplace(run.device, run.adjustments, params.effort, partial(run.report, step - 1, len(plan)))
        trials.append(try_once(replace(setting, at=at), percent, seed))
        run.report(step, len(plan))
        run.checkpoint(step, partial(_save, list(trials)))
    truth, kind = setting.test.cells[setting.target], _kind(setting)
    findings = [
        conclude(kind, truth, [trial for trial in trials if trial.percent == percent], params.seed)
        for percent in params.percentages
    ]
    run.phase("saving")
    for finding in findings:
        run.log(spoken(finding))
    report = {
        "version": 1,
        "target": setting.target,
        "score": "auc" if kind == "categories" else "r2",
        "generator": params.generator,
        "synthetic_percent": params.synthetic_percent,
        "repeats": params.repeats,
        "rows": {"train": len(setting.train), "test": len(setting.test)},
        "shares": [finding.told() for finding in findings],
        "params": params.model_dump(mode="json"),
        "dataset_hash": load_report(run.inputs["dataset"])["hash"],
    }
    text = json.dumps(report, ensure_ascii=False, allow_nan=False, indent=1)
    (run.out_dir / AUGMENTATION).write_text(text, encoding="utf-8")
    run.report(len(plan), len(plan))
    return _metrics(findings)


def _setting(params: TableStudyAugment, tables: TableSet) -> Setting:
    """The rows whose target is known, checked.

    Raises:
        InputError: The target cannot be predicted, or there are too few rows.
    """
    target = params.target or table_utility.usual_target(tables.train)
    if target is None:
        sentence = "No column of the table holds categories. Name the column to predict under Target column."
        raise InputError(Fault(sentence, pointer="/target", code="no-target"))
    table_utility.check_target(tables.train, target)
    draws = seeded(params.seed, "study")
    train, test = (
        like(table.take(~is_missing(table.column(target), table.cells[target])), tables.train)
        for table in (tables.train, tables.test)
    )
    test = sample(test, MOST_JUDGED, draws)
    for table, problem in (
        (train, "The table has {rows} training rows whose target is known; a study needs {fewest} or more."),
        (test, "The table has {rows} test rows whose target is known; a study needs {fewest} or more."),
    ):
        if len(table) < FEWEST:
            raise InputError(Fault(problem, {"rows": len(table), "fewest": FEWEST}, code="no-rows"))
    if len(np.unique(test.cells[target])) < 2:
        sentence = "The column {column} has one value in all test rows, so nothing can be judged by them."
        raise InputError(Fault(sentence, {"column": target}, "/target", code="one-class-target"))
    return Setting(train, test, target, GENERATORS[params.generator], params.synthetic_percent)


def _kind(setting: Setting) -> table_utility.TargetKind:
    return "categories" if setting.train.column(setting.target).type in CODED else "numbers"


def spoken(finding: Finding) -> str:
    """What a share's trials say, in words."""
    low, high = finding.interval
    gain = abs(finding.gain) if finding.answer == "worse" else finding.gain
    if finding.answer == "worse":
        low, high = -high, -low
    numbers = {name: f"{value:.4f}" for name, value in (("gain", gain), ("low", low), ("high", high))}
    return _SENTENCES[finding.answer].format(percent=finding.percent, **numbers)


def _metrics(findings: Sequence[Finding]) -> Metrics:
    first = findings[0]
    return {
        "sure_gain": first.interval[0],
        "no_gain": 0.0,
        "gain": first.gain,
        "score_augmented": float(np.mean(first.scores["augmented"])),
        "score_real": float(np.mean(first.scores[first.reference])),
        "shares_helped": float(sum(finding.answer == "yes" for finding in findings)),
    }


def _save(trials: Sequence[Trial], directory: Path) -> None:
    arrays = {
        f"{place}.{side}": np.ascontiguousarray(said)
        for place, trial in enumerate(trials)
        for side, said in trial.said.items()
    }
    save_file(arrays, directory / _SAID)
    facts = [{"percent": trial.percent, "rows": trial.rows} for trial in trials]
    (directory / "trials.json").write_text(json.dumps(facts), encoding="utf-8")


def _resume(directory: Path) -> list[Trial]:
    arrays = load_file(directory / _SAID)
    facts = json.loads((directory / "trials.json").read_text(encoding="utf-8"))
    return [
        Trial(
            fact["percent"],
            fact["rows"],
            {side: arrays[f"{place}.{side}"] for side in SIDES if f"{place}.{side}" in arrays},
        )
        for place, fact in enumerate(facts)
    ]
