"""The operations of the text transformer."""

import contextlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.base import FEW_ITEMS, Metrics, Params, Run
from aigc_models.data.text_results import WrittenText, save_texts
from aigc_models.data.texts import Document, TextSet, load_report, load_texts
from aigc_models.recommending.saved import code_version
from aigc_models.sharing import Ended, Request, Shared
from aigc_models.text_transformer import saved as saved_files
from aigc_models.text_transformer.judge import judge, reader_of, train_ranker
from aigc_models.text_transformer.params import (
    FAMILY,
    TextTransformerEvaluate,
    TextTransformerGenerate,
    TextTransformerTrain,
)
from aigc_models.text_transformer.ranker import Ranker
from aigc_models.text_transformer.saved import Saved
from aigc_models.text_transformer.trainer import Lesson, TextTrainer
from aigc_models.text_transformer.writer import Order, Progress, Wish, best_of, compose_all, told
from aigc_models.writing.conditions import body_of, known_of, read_wish
from aigc_models.writing.corpus import assemble, part, start_of
from aigc_models.writing.generating import Text
from aigc_models.writing.loop import preview, run_steps
from aigc_models.writing.sampling import Choice
from aigc_models.writing.settings import tokenizer_kind
from aigc_models.writing.tokenizers import learn_tokenizer

_APART = 1_000_003  # between the seeds of candidates, so that they are no other text's


def train(params: TextTransformerTrain, run: Run) -> Metrics:
    """Train, judge on test texts beside baselines, teach the ranker, and write the model.

    Raises:
        InputError: There is too little text.
    """
    run.phase("preparing")
    training.tune_process()
    directory = run.inputs["dataset"]
    texts = load_texts(directory)
    learnt, aside = part(texts.train, params.seed)
    trainer = TextTrainer(params, lesson_of(params, learnt, aside, run))
    run.log(f"{training.count_parameters(trainer.network):,} parameters; {trainer.precision.name}")
    done = trainer.resume(run.resume_from) if run.resume_from else 0
    run.phase("training")
    run_steps(trainer, run, done)
    run.phase("evaluating")
    made = Saved(
        trainer.best,
        trainer.lesson.tokenizer,
        names_of(texts),
        reader_of(learnt),
        Ranker(params.width),
        params,
        "",
    )
    at = (trainer.total, trainer.total)
    ranked = with_room(lambda: train_ranker(made, aside, run, at))
    found = with_room(lambda: judge(made, learnt, texts.test or aside, run, at))
    metrics = {**found, **ranked, "validation_loss": trainer.best_loss}
    run.phase("saving")
    data: dict[str, object] = {"train": len(texts.train), "characters": trainer.lesson.train.characters}
    saved_files.save(run.out_dir / "model", made, data)
    write_report(metrics, params, run, dataset_hash=load_report(directory)["hash"], precision=trainer.precision.name)
    preview(trainer, run, trainer.total)
    run.report(trainer.total, trainer.total)
    return metrics


def lesson_of(params: TextTransformerTrain, learnt: Sequence[Document], aside: Sequence[Document], run: Run) -> Lesson:
    """Cut texts into tokens, with a tokenizer learnt from those to learn from."""
    bodies = [body_of(one) for one in learnt]
    kind = tokenizer_kind(params.tokenizer, sum(map(len, bodies)))
    tokenizer = learn_tokenizer(kind, bodies, params.vocabulary)
    forget = np.random.default_rng([params.seed, 6])
    train_corpus, aside_corpus = assemble(tokenizer, learnt, forget), assemble(tokenizer, aside)
    run.log(
        f"{len(learnt):,} texts to learn from, {len(aside):,} set aside; {len(train_corpus):,} tokens of "
        f"{tokenizer.vocabulary:,} kinds ({kind})"
    )
    starts = [start_of(tokenizer, known_of(one)) for one in aside[:2]]
    return Lesson(train_corpus, aside_corpus, tokenizer, starts, run.device, run.adjustments)


def names_of(texts: TextSet) -> list[str]:
    """What can be asked for, in the order in which documents are read."""
    return list(dict.fromkeys(name for document in texts.train for name in known_of(document)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The texts of one job: candidates for each, and what is to be written for them all."""

    groups: Sequence[Sequence[Wish]]
    order: Order


def generate(params: TextTransformerGenerate, run: Run) -> Metrics:
    """Write texts, keep the best of the candidates for each, and say what they were made with."""
    return _SHARED.alone(params, run)


def generate_many(requests: Sequence[Request[TextTransformerGenerate]]) -> Generator[Ended, None, int]:
    """The same for several jobs, all texts written together."""
    return _SHARED.many(requests)


def _wanted(params: TextTransformerGenerate, run: Run) -> _Wanted:
    saved = opened(run)
    groups = wishes_of(params, saved)
    if len(saved.tokenizer.encode(params.prompt)) >= saved.network.context:
        run.log(f"The prompt is longer than the {saved.network.context} tokens the model looks back; its end counts.")
    choice = Choice(params.temperature, params.top_k, params.top_p, params.repetition_penalty)
    run.phase("generating")
    flat = [wish for group in groups for wish in group]
    return _Wanted(groups, Order(saved, flat, choice, run, Progress(run, sum(wish.most for wish in flat))))


def _write(asked: Sequence[_Wanted]) -> Iterator[tuple[int, list[Text] | Exception]]:
    """Few texts on one thread: several share out the rows of a product otherwise, which shows in the last bit."""
    few = sum(len(each.order.wishes) for each in asked) <= FEW_ITEMS
    with training.one_thread() if few else contextlib.nullcontext():
        yield from compose_all([each.order for each in asked])


def _save_written(params: TextTransformerGenerate, run: Run, asked: _Wanted, texts: list[Text]) -> Metrics:
    saved, total = asked.order.saved, asked.order.progress.total
    kept: list[WrittenText] = []
    for place, group in enumerate(asked.groups):
        own = texts[place * len(group) : (place + 1) * len(group)]
        kept.append(best_of(saved, group[0], own) if len(own) > 1 else told(saved, group[0], own[0]))
    run.phase("saving")
    manifest = {
        "family": FAMILY.name,
        "params": params.model_dump(mode="json"),
        "code_version": code_version(),
        "weights_sha256": saved.weights_sha256,
        "texts": len(kept),
    }
    save_texts(kept, manifest, run.out_dir)
    run.report(total, total)
    tokens = float(sum(one.tokens for one in kept))
    return {"texts": float(len(kept)), "tokens": tokens, "tokens_per_text": tokens / len(kept)}


_SHARED = Shared(_wanted, _write, _save_written)


def wishes_of(params: TextTransformerGenerate, saved: Saved) -> list[list[Wish]]:
    """Candidates for each text; the first one's seed is the text's own, whatever the number of candidates."""
    attributes = read_wish(params.attributes, saved.attributes)
    stops = tuple(line for line in params.stop.splitlines() if line)
    return [
        [
            Wish((params.seed + n + _APART * c) % 2**31, params.max_tokens, params.prompt, attributes, stops)
            for c in range(params.candidates)
        ]
        for n in range(params.count)
    ]


def evaluate(params: TextTransformerEvaluate, run: Run) -> Metrics:
    """Measure a model on the test texts of a dataset, beside counts of characters and real texts."""
    saved = opened(run)
    texts = load_texts(run.inputs["dataset"])
    run.phase("evaluating")
    learnt, aside = part(texts.train, saved.params.seed)
    found = with_room(lambda: judge(saved, learnt, texts.test or aside, run, (0, 1)))
    write_report(found, params, run, weights_sha256=saved.weights_sha256)
    run.report(1, 1)
    return found


def opened(run: Run) -> Saved:
    """The run's model, loaded or still warm."""
    run.phase("preparing")
    training.tune_process()
    return run.warm(run.inputs["model"], partial(saved_files.load, device=run.device))


def write_report(metrics: Metrics, params: Params, run: Run, **more: str) -> None:
    """Write ``report.json``: the figures and what they were made with."""
    report = {
        "metrics": dict(metrics),
        "params": params.model_dump(mode="json"),
        "adjustments": asdict(run.adjustments),
        "code_version": code_version(),
        **more,
    }
    (run.out_dir / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
