"""The operations of pretrained language models; what they share with the text transformer is there."""

from functools import partial

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.base import Metrics, Run
from aigc_models.data.texts import load_report, load_texts
from aigc_models.pretrained_lm import saved as saved_files
from aigc_models.pretrained_lm.bases import find_base
from aigc_models.pretrained_lm.networks import PretrainedNetwork, adapter_of, build
from aigc_models.pretrained_lm.params import PretrainedLmEvaluate, PretrainedLmGenerate, PretrainedLmTrain
from aigc_models.text_transformer.judge import judge, likelihood, reader_of, train_ranker
from aigc_models.text_transformer.model import lesson_from, names_of, write_report, write_wanted
from aigc_models.text_transformer.ranker import Ranker
from aigc_models.text_transformer.saved import Saved
from aigc_models.text_transformer.trainer import NextTokenTrainer
from aigc_models.writing.corpus import part
from aigc_models.writing.judging import tested
from aigc_models.writing.loop import preview, run_steps
from aigc_models.writing.optimiser import Optimiser


def train(params: PretrainedLmTrain, run: Run) -> Metrics:
    """Teach, judge on test texts beside the base as it came, teach the ranker, and write what was learnt.

    Raises:
        InputError: The base cannot be used, or there is too little text.
    """
    run.phase("preparing")
    training.tune_process()
    base = find_base(params.base)
    directory = run.inputs["dataset"]
    texts = load_texts(directory)
    learnt, aside = part(texts.train, params.seed)
    network, tokens = build(base, saved_files.taught_by(params), run.device)
    lesson = lesson_from(tokens.tokenizer, (learnt, aside), params.seed, run)
    rate = params.learning_rate * run.adjustments.learning_rate_factor
    optimiser = Optimiser(network, "adamw", rate, params.weight_decay)
    trainer = NextTokenTrainer((network, adapter_of(network)), optimiser, params, lesson)
    own = training.count_parameters(network)
    run.log(f"{own:,} parameters beside {base.parameters:,} of {base.name} ({base.sha256}); {trainer.precision.name}")
    done = trainer.resume(run.resume_from) if run.resume_from else 0
    run.phase("training")
    run_steps(trainer, run, done)
    run.phase("evaluating")
    network.load_state_dict(trainer.best.state_dict())
    network.eval()
    reader, ranker = reader_of(learnt), Ranker(network.width)
    made = Saved(network, tokens.tokenizer, names_of(texts), reader, ranker, params, "", begins_freely=False)
    at = (trainer.total, trainer.total)
    ranked = with_room(lambda: train_ranker(made, aside, run, at))
    test = texts.test or aside
    found = with_room(lambda: {**judge(made, learnt, test, run, at), **_before(made, test, run)})
    metrics = {**found, **ranked, "validation_loss": trainer.best_loss}
    run.phase("saving")
    saved_files.save(run.out_dir / "model", made, base, lesson.train.characters)
    told = {"dataset_hash": load_report(directory)["hash"], "precision": trainer.precision.name}
    write_report(metrics, params, run, base_sha256=base.sha256, **told)
    preview(trainer, run, trainer.total)
    run.report(trainer.total, trainer.total)
    return metrics


def _before(made: Saved, test: object, run: Run) -> dict[str, float]:
    """Perplexity of the base as it came, and a word where teaching it was no use."""
    assert isinstance(made.network, PretrainedNetwork)
    with made.network.as_it_came():
        before = likelihood(made.network, made.tokenizer, tested(test), run)  # type: ignore[arg-type]
    return {"perplexity_before": before["perplexity"]}


def generate(params: PretrainedLmGenerate, run: Run) -> Metrics:
    """Write texts, keep the best of the candidates for each, and say what they were made with."""
    return write_wanted(params, opened(run), "pretrained_lm", run)


def evaluate(params: PretrainedLmEvaluate, run: Run) -> Metrics:
    """Measure a model on the test texts of a dataset, beside its base as it came."""
    saved = opened(run)
    texts = load_texts(run.inputs["dataset"])
    run.phase("evaluating")
    learnt, aside = part(texts.train, saved.params.seed)
    test = texts.test or aside
    found = with_room(lambda: {**judge(saved, learnt, test, run, (0, 1)), **_before(saved, test, run)})
    write_report(found, params, run, weights_sha256=saved.weights_sha256)
    run.report(1, 1)
    return found


def opened(run: Run) -> Saved:
    """The run's model, loaded or still warm."""
    run.phase("preparing")
    training.tune_process()
    return run.warm(run.inputs["model"], partial(saved_files.load, device=run.device))
