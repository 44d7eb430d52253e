"""The operations of next-event models."""

import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.base import Fault, InputError, Metrics, Run
from aigc_models.data.event_logs import EventLog, load_log, load_report
from aigc_models.data.how_tos import FILE, PACKED, TEXT, HowTo
from aigc_models.data.next_events import save_next_events
from aigc_models.next_event import saved as saved_files
from aigc_models.next_event.drafting import Limits, draft
from aigc_models.next_event.foretelling import foretell, sessions_of
from aigc_models.next_event.judge import judge
from aigc_models.next_event.lesson import Lesson, Sessions, part
from aigc_models.next_event.params import (
    NextEventDraftHowTo,
    NextEventEvaluate,
    NextEventNextEvents,
    NextEventTrain,
    plan_for,
)
from aigc_models.next_event.saved import Saved, load
from aigc_models.next_event.topics import topics
from aigc_models.next_event.trainer import NextEventTrainer
from aigc_models.next_event.translated import translated
from aigc_models.next_event.wording import file_names, markdown
from aigc_models.recommending.operations import write_report
from aigc_models.writing.loop import preview, run_steps


def train(params: NextEventTrain, run: Run) -> Metrics:
    """Train, measure on the test sessions beside ways to count, and write the model with its log.

    Raises:
        InputError: The log has too few sessions to learn from.
    """
    run.phase("preparing")
    training.tune_process()
    directory = run.inputs["dataset"]
    log, report = load_log(directory), load_report(directory)
    trainer = NextEventTrainer(params, _lesson(log, params, run), len(log.labels["outcome"].names))
    run.log(f"{training.count_parameters(trainer.network):,} parameters; {trainer.precision.name}")
    done = trainer.resume(run.resume_from) if run.resume_from else 0
    run.phase("training")
    run_steps(trainer, run, done)
    run.phase("evaluating")
    test = Sessions.of(log, log.is_test, trainer.plan)
    found = with_room(lambda: judge(trainer.best, trainer.lesson.train, test, run))
    metrics = {**found, "validation_loss": trainer.best_loss}
    run.phase("saving")
    personal = any(one["role"] == "session" for one in report.get("personal", ()))
    saved_files.save(run.out_dir / "model", trainer.best, log, params, cites=not personal)
    write_report(metrics, params, run, dataset_hash=report["hash"], precision=trainer.precision.name)
    preview(trainer, run, trainer.total)
    run.report(trainer.total, trainer.total)
    return metrics


def _lesson(log: EventLog, params: NextEventTrain, run: Run) -> Lesson:
    learnt, aside = part(log, params.seed)
    if not learnt.any() or not log.is_test.any():
        sentence = "The log has too few sessions to learn from and to test with. Bring more sessions."
        raise InputError(Fault(sentence, pointer="/dataset", code="too-few-sessions"))
    names = {name: one.names for name, one in log.labels.items()}
    plan = plan_for(params, len(log.events.names), len(names["task"]), len(names["outcome"]))
    run.log(
        f"{len(log):,} events of {len(log.events.names):,} kinds in {len(log.session_names):,} sessions: "
        f"{int(learnt.sum()):,} to learn from, {int(aside.sum()):,} to validate and {int(log.is_test.sum()):,} to test "
        "with"
    )
    train_sessions, validation = Sessions.of(log, learnt, plan), Sessions.of(log, aside, plan)
    return Lesson(train_sessions, validation, log.events.names, names["task"], run.device, run.adjustments)


def next_events(params: NextEventNextEvents, run: Run) -> Metrics:
    """Say what comes next in sessions, and why; ``next_events.json`` holds it.

    Raises:
        InputError: No event is given, or the task is unknown.
    """
    saved = _opened(run)
    asked = sessions_of(params, saved)
    run.phase("generating")
    found = []
    for number, one in enumerate(asked, 1):
        found.append(foretell(saved, one, params))
        for name in one.unknown:
            run.log(f"The log has no event called {name}; it is read as one that nobody knows.")
        if number < len(asked):
            run.report(number, len(asked))
    save_next_events(found, run.out_dir)
    run.report(len(asked), len(asked))
    first = found[0].events[0].share if found[0].events else 0.0
    return {"sessions": float(len(found)), "first_share": first}


def draft_how_to(params: NextEventDraftHowTo, run: Run) -> Metrics:
    """Draft how-tos: as ``how_to.json``, as one Markdown text, and as a ZIP of one Markdown file for each.

    Raises:
        InputError: What is asked for is unknown to the log, or too few sessions did it.
    """
    saved = _opened(run)
    run.phase("generating")
    wished = topics(saved, params, run)
    limits = Limits(params.least_percent / 100, params.optional_percent / 100, params.needed_percent / 100)
    found: list[HowTo] = []
    for number, topic in enumerate(wished, 1):
        found.append(with_room(partial(draft, saved, topic, limits, params.language)))
        if number < len(wished):
            run.report(number, len(wished))
    run.phase("saving")
    _write(found, run.out_dir)
    run.report(len(wished), len(wished))
    steps = [step for one in found for step in one.steps]
    return {
        "how_tos": float(len(found)),
        "steps": float(len(steps)),
        "step_support": float(np.mean([step.share for step in steps if not step.optional] or [0.0])),
    }


def _write(found: Sequence[HowTo], directory: Path) -> None:
    texts = [markdown(one) for one in found]
    stored = {"how_tos": [asdict(one) for one in found]}
    (directory / FILE).write_text(json.dumps(stored, ensure_ascii=False, indent=1), encoding="utf-8")
    (directory / TEXT).write_text("\n".join(texts), encoding="utf-8")
    with zipfile.ZipFile(directory / PACKED, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in zip(file_names(found), texts, strict=True):
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), text)


def evaluate(params: NextEventEvaluate, run: Run) -> Metrics:
    """Measure a model on the test sessions of a dataset, beside ways to count."""
    saved = _opened(run)
    log = translated(saved, load_log(run.inputs["dataset"]), run)
    learnt, _ = part(log, saved.params.seed)
    plan = saved.network.plan
    run.phase("evaluating")
    sessions = Sessions.of(log, learnt, plan), Sessions.of(log, log.is_test, plan)
    metrics = with_room(lambda: judge(saved.network, *sessions, run))
    write_report(metrics, params, run, weights_sha256=saved.weights_sha256)
    run.report(1, 1)
    return metrics


def _opened(run: Run) -> Saved:
    """The run's model, loaded or still warm."""
    run.phase("preparing")
    return run.warm(run.inputs["model"], partial(load, device=run.device))
