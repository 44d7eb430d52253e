"""The operations of an assistant."""

import json
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.assistant import evaluation, searching
from aigc_models.assistant import saved as saved_files
from aigc_models.assistant.evaluation import Bench
from aigc_models.assistant.lesson import TEST, TRAIN, VALIDATION, Lesson, lesson_from
from aigc_models.assistant.loop import Keeper, preview, run_steps
from aigc_models.assistant.params import AssistantEvaluate, AssistantReply, AssistantSimulate, AssistantTrain
from aigc_models.assistant.replying import begun, reply_to
from aigc_models.assistant.saved import Saved, load
from aigc_models.assistant.simulating import simulate_into
from aigc_models.assistant.trainer import AssistantTrainer
from aigc_models.assistant.wording import Material, worded
from aigc_models.base import Fault, InputError, Metrics, Params, Run
from aigc_models.data.replies import save_reply
from aigc_models.data.texts import TextSet, load_report, load_texts, require_shape
from aigc_models.recommending.saved import code_version
from aigc_models.sharing import Ended, Request, one_by_one
from aigc_models.writing.speaking import load_speaker


def train(params: AssistantTrain, run: Run) -> Metrics:
    """Train the encoder, choose when to refuse, measure beside BM25 alone, and write the model.

    Raises:
        InputError: There is nothing to cite, or nothing to learn from.
    """
    run.phase("preparing")
    training.tune_process()
    lesson = lesson_from(_texts(run.inputs), params.seed)
    _say_lesson(lesson, run)
    trainer = AssistantTrainer(params, lesson, run)
    run.log(f"{training.count_parameters(trainer.network):,} parameters over {trainer.plan.buckets:,} features")
    searched = searching.in_tests(lesson)
    keeper = Keeper.over(trainer, lesson, searched)
    done = trainer.resume(run.resume_from) if run.resume_from else 0
    run.phase("training")
    run_steps(keeper, run, done)
    run.phase("evaluating")
    encoding = keeper.encoding(keeper.best)
    bench = with_room(lambda: Bench.over(lesson, encoding, run, searched))
    used = searching.build(searching.in_use(lesson), encoding, len(lesson.passages))
    mix, calibration = evaluation.tune(bench, used, params.false_refusals / 100, params.seed, run)
    found = evaluation.evaluate(bench.mixed(mix), calibration, run)
    metrics = {**found, "validation_mrr": keeper.best_figure}
    run.phase("saving")
    made = Saved(encoding, replace(used, mix=mix), lesson.passages, calibration, params, "")
    counted = {"passages": len(lesson.passages), "questions": len(lesson.questions), "sections": len(lesson.shares)}
    saved_files.save(run.out_dir / "model", made, counted)
    hashes = [str(load_report(run.inputs[name])["hash"]) for name in ("dataset", "dialogues") if name in run.inputs]
    _write_report(metrics, params, run, {"dataset_hash": " ".join(hashes)})
    preview(keeper, run, trainer.total)
    run.report(trainer.total, trainer.total)
    return metrics


def reply(params: AssistantReply, run: Run) -> Metrics:
    """Answer a question from the passages, or say why not; ``reply.json`` and ``reply.txt`` hold it."""
    if misfits := params.misfits(lambda _name: {}):
        raise InputError(misfits)
    saved = _opened(run)
    speaker = run.warm(run.inputs["writer"], partial(load_speaker, device=run.device)) if params.writer else None
    run.phase("generating")
    if speaker is None:
        with training.one_thread():
            made = reply_to(saved, params)
        total = 1
    else:
        begin, found, order = begun(saved, params)
        made, total = begin, params.max_tokens
        if begin.kind == "answer":
            made = worded(Material(saved, begin, found, order, params), speaker, run)
    save_reply(made, run.out_dir)
    run.report(total, total)
    return {
        "sureness": made.sureness,
        "sentences": float(len(made.sentences)),
        "sources": float(len(made.sources) if made.kind == "answer" else 0),
    }


def reply_many(requests: Sequence[Request[AssistantReply]]) -> Generator[Ended, None, int]:
    """The same for several jobs."""
    return one_by_one(reply).many(requests)


def simulate(params: AssistantSimulate, run: Run) -> Metrics:
    """Make dialogues of documents; ``dialogues.jsonl`` can be imported as a dataset, and says that they are simulated.

    Raises:
        InputError: There is nothing to ask about.
    """
    run.phase("preparing")
    texts = load_texts(run.inputs["dataset"])
    require_shape(texts, "documents")
    speaker = run.warm(run.inputs["writer"], partial(load_speaker, device=run.device)) if params.writer else None
    run.phase("generating")
    with training.one_thread():
        made = simulate_into(run.out_dir, texts, params, speaker, run)
    _write_report(
        {"dialogues": float(made)}, params, run, {"dataset_hash": str(load_report(run.inputs["dataset"])["hash"])}
    )
    return {"dialogues": float(made)}


def evaluate(params: AssistantEvaluate, run: Run) -> Metrics:
    """Measure a model on a dataset's held-out questions, its headings hidden, beside BM25 alone."""
    saved = _opened(run)
    lesson = lesson_from(_texts(run.inputs), saved.params.seed)
    if saved.encoding.network.plan.answers not in (0, len(lesson.shares)):
        sentence = "The dataset has other answers than the model was trained on. Choose its own dataset."
        raise InputError(Fault(sentence, pointer="/dataset", code="nothing-known"))
    run.phase("evaluating")
    bench = with_room(lambda: Bench.over(lesson, saved.encoding, run)).mixed(saved.index.mix)
    metrics = evaluation.evaluate(bench, saved.calibration, run)
    _write_report(metrics, params, run, {"weights_sha256": saved.weights_sha256})
    run.report(1, 1)
    return metrics


def _opened(run: Run) -> Saved:
    """The run's model, loaded or still warm."""
    run.phase("preparing")
    return run.warm(run.inputs["model"], partial(load, device=run.device))


def _texts(inputs: Mapping[str, Path]) -> list[TextSet]:
    found = [load_texts(inputs["dataset"])]
    if "dialogues" in inputs:
        more = load_texts(inputs["dialogues"])
        require_shape(more, "dialogues")
        found.append(more)
    return found


def _say_lesson(lesson: Lesson, run: Run) -> None:
    counts = [len(lesson.of(share, fair=False)) for share in (TRAIN, VALIDATION, TEST)]
    run.log(
        f"{len(lesson.passages):,} passages of {len(lesson.shares):,} sections and answers; {counts[0]:,} questions to "
        f"learn from, {counts[1]:,} to validate and {counts[2]:,} to test with"
    )
    if lesson.intents:
        run.log("Few answers to many questions: each answer gets a vector of its own.")


def _write_report(metrics: Metrics, params: Params, run: Run, more: Mapping[str, str]) -> None:
    """Write ``report.json``: the figures and what they were made with."""
    report = {
        "metrics": metrics,
        "params": params.model_dump(mode="json"),
        "adjustments": asdict(run.adjustments),
        "code_version": code_version(),
        **more,
    }
    (run.out_dir / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
