"""The operations of pretrained language models; what they share with the text transformer is there."""

import json
from collections.abc import Sequence
from functools import partial

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.base import Metrics, Run
from aigc_models.data.texts import Document, load_report, load_texts
from aigc_models.pretrained_lm import saved as saved_files
from aigc_models.pretrained_lm.bases import UPLOADED, chosen_base, hold
from aigc_models.pretrained_lm.networks import PretrainedNetwork, adapter_of, build
from aigc_models.pretrained_lm.params import PretrainedLmEvaluate, PretrainedLmGenerate, PretrainedLmTrain
from aigc_models.recommending.saved import CONFIG
from aigc_models.text_transformer.asking import save_written, wanted_texts
from aigc_models.text_transformer.judge import At, judge, likelihood, reader_of, train_ranker
from aigc_models.text_transformer.model import lesson_from, names_of, write_report
from aigc_models.text_transformer.ranker import Ranker
from aigc_models.text_transformer.saved import Saved
from aigc_models.text_transformer.trainer import NextTokenTrainer
from aigc_models.text_transformer.writer import compose
from aigc_models.writing.conditions import known_of
from aigc_models.writing.corpus import part
from aigc_models.writing.judging import tested
from aigc_models.writing.loop import preview, run_steps
from aigc_models.writing.optimiser import Optimiser
from aigc_models.writing.vocabulary import Vocabulary


class PretrainedTrainer(NextTokenTrainer):
    """Shows less than a small network does: each token of a large one takes its time."""

    previews, shown_tokens = 4, 64


def train(params: PretrainedLmTrain, run: Run) -> Metrics:
    """Teach, judge on test texts beside the base as it came, teach the ranker, and write what was learnt.

    Raises:
        InputError: The base cannot be used, or there is too little text.
    """
    run.phase("preparing")
    training.tune_process()
    base = chosen_base(params.base, run.inputs)
    directory = run.inputs["dataset"]
    texts = load_texts(directory)
    learnt, aside = part(texts.train, params.seed)
    network, tokens = build(base, saved_files.taught_by(params), run.device)
    lesson = lesson_from(tokens.tokenizer, (learnt, aside), params.seed, run)
    rate = params.learning_rate * run.adjustments.learning_rate_factor
    optimiser = Optimiser(network, "adamw", rate, params.weight_decay)
    trainer = PretrainedTrainer((network, adapter_of(network)), optimiser, params, lesson)
    own = training.count_parameters(network)
    run.log(f"{own:,} parameters beside {base.parameters:,} of {base.name} ({base.sha256}); {trainer.precision.name}")
    done = trainer.resume(run.resume_from) if run.resume_from else 0
    run.phase("training")
    run_steps(trainer, run, done)
    run.phase("evaluating")
    network.load_state_dict(trainer.best.state_dict())
    network.eval()
    reader, ranker = reader_of(learnt), Ranker(network.width)
    values = Vocabulary.of(map(known_of, texts.train))
    made = Saved(network, tokens.tokenizer, names_of(texts), reader, ranker, params, "", values, begins_freely=False)
    at = (trainer.total, trainer.total)
    ranked = with_room(lambda: train_ranker(made, aside, run, at))
    test = texts.test or aside
    found = with_room(lambda: _judged(made, learnt, test, run, at))
    metrics = {**found, **ranked, "validation_loss": trainer.best_loss}
    run.phase("saving")
    saved_files.save(run.out_dir / "model", made, base, lesson.train.characters)
    if UPLOADED in run.inputs:
        hold(base, run.out_dir / "model")
    told = {"dataset_hash": load_report(directory)["hash"], "precision": trainer.precision.name}
    write_report(metrics, params, run, base_sha256=base.sha256, **told)
    preview(trainer, run, trainer.total)
    run.report(trainer.total, trainer.total)
    return metrics


def _before(made: Saved, test: Sequence[Document], run: Run) -> dict[str, float]:
    """Perplexity of the base as it came."""
    assert isinstance(made.network, PretrainedNetwork)
    with made.network.as_it_came():
        return {"perplexity_before": likelihood(made.network, made.tokenizer, tested(test), run)["perplexity"]}


def _judged(made: Saved, learnt: Sequence[Document], test: Sequence[Document], run: Run, at: At) -> dict[str, float]:
    """Every figure, and a word where teaching was no use."""
    found = {**judge(made, learnt, test, run, at), **_before(made, test, run)}
    if found["perplexity"] >= found["perplexity_before"]:
        run.log("The model is not better than the baseline: the pretrained model as it came is less surprised.")
    return found


def generate(params: PretrainedLmGenerate, run: Run) -> Metrics:
    """Write texts, keep the best of the candidates for each, and say what they were made with."""
    asked = wanted_texts(params, opened(run), run)
    order = asked.order
    texts = with_room(lambda: compose(order.saved, order.wishes, order.choice, run, order.progress))
    base = json.loads((run.inputs["model"] / CONFIG).read_text(encoding="utf-8"))["base"]
    made_with = {"family": "pretrained_lm", "base": base["name"], "base_sha256": base["sha256"]}
    return save_written(made_with, params, run, asked, texts)


def evaluate(params: PretrainedLmEvaluate, run: Run) -> Metrics:
    """Measure a model on the test texts of a dataset, beside its base as it came."""
    saved = opened(run)
    texts = load_texts(run.inputs["dataset"])
    run.phase("evaluating")
    learnt, aside = part(texts.train, saved.params.seed)
    test = texts.test or aside
    found = with_room(lambda: _judged(saved, learnt, test, run, (0, 1)))
    write_report(found, params, run, weights_sha256=saved.weights_sha256)
    run.report(1, 1)
    return found


def opened(run: Run) -> Saved:
    """The run's model, loaded or still warm."""
    run.phase("preparing")
    training.tune_process()
    return run.warm(run.inputs["model"], partial(saved_files.load, device=run.device))
