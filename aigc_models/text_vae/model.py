"""The operations of the sentence VAE."""

import json
from collections.abc import Generator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.base import Fault, InputError, Metrics, Params, Run
from aigc_models.data.text_results import WrittenText, save_texts
from aigc_models.data.texts import load_report, load_texts
from aigc_models.recommending.saved import code_version
from aigc_models.sharing import Ended, Request, one_by_one
from aigc_models.text_vae import saved as saved_files
from aigc_models.text_vae.judge import judge
from aigc_models.text_vae.params import FAMILY, TextVaeEvaluate, TextVaeGenerate, TextVaeTrain
from aigc_models.text_vae.saved import Saved
from aigc_models.text_vae.sentences import require_some, rows_of, sentences_of
from aigc_models.text_vae.trainer import Lesson, TextVaeTrainer
from aigc_models.text_vae.writer import between, decode_all, encode_all, near
from aigc_models.writing.corpus import part
from aigc_models.writing.loop import preview, run_steps
from aigc_models.writing.settings import tokenizer_kind
from aigc_models.writing.tokenizers import learn_tokenizer


def train(params: TextVaeTrain, run: Run) -> Metrics:
    """Train, judge on test sentences beside counts of characters, and write the model.

    Raises:
        InputError: There are too few sentences that are short enough.
    """
    run.phase("preparing")
    training.tune_process()
    directory = run.inputs["dataset"]
    texts = load_texts(directory)
    learnt, aside = (sentences_of(documents) for documents in part(texts.train, params.seed))
    kind = tokenizer_kind(params.tokenizer, sum(map(len, learnt)))
    tokenizer = learn_tokenizer(kind, learnt, params.vocabulary)
    rows, watched = (rows_of(tokenizer, sentences, params.longest) for sentences in (learnt, aside))
    require_some(rows, params.longest)
    run.log(f"{len(rows):,} of {len(learnt):,} sentences are short enough; {tokenizer.vocabulary:,} tokens ({kind})")
    lesson = Lesson(rows, watched if len(watched) else rows, tokenizer, run.device, run.adjustments)
    trainer = TextVaeTrainer(params, lesson)
    run.log(f"{training.count_parameters(trainer.network):,} parameters; {trainer.precision.name}")
    done = trainer.resume(run.resume_from) if run.resume_from else 0
    run.phase("training")
    run_steps(trainer, run, done)
    run.phase("evaluating")
    made = Saved(trainer.best, tokenizer, params)
    test = sentences_of(texts.test) or aside or learnt
    found = with_room(lambda: judge(made, learnt, test, run, (trainer.total, trainer.total)))
    metrics = {**found, "validation_loss": trainer.best_loss}
    run.phase("saving")
    saved_files.save(run.out_dir / "model", made, len(rows))
    _report(metrics, params, run, dataset_hash=load_report(directory)["hash"], precision=trainer.precision.name)
    preview(trainer, run, trainer.total)
    run.report(trainer.total, trainer.total)
    return metrics


def generate(params: TextVaeGenerate, run: Run) -> Metrics:
    """Write sentences, and say what they were made with.

    Raises:
        InputError: Sentences are missing or too long for what is asked.
    """
    saved = opened(run)
    points, about, prompts = points_of(params, saved)
    run.phase("generating")
    total, longest, done = len(points), saved.network.plan.longest, 0

    def after(rows: int) -> None:
        nonlocal done
        done += rows
        run.report(min(done // longest, total), total)

    seeds = [(params.seed + place) % 2**31 for place in range(total)]
    rows = with_room(lambda: decode_all(saved.network, points, params.temperature, seeds, after))
    texts = [
        WrittenText(saved.tokenizer.decode(row), seed, tokens=len(row), about=what, attributes=of)
        for row, seed, what, of in zip(rows, seeds, about, prompts, strict=True)
    ]
    run.phase("saving")
    manifest = {
        "family": FAMILY.name,
        "params": params.model_dump(mode="json"),
        "code_version": code_version(),
        "weights_sha256": saved.weights_sha256,
        "texts": total,
    }
    save_texts(texts, manifest, run.out_dir)
    run.report(total, total)
    return {"texts": float(total), "tokens": float(sum(len(row) for row in rows))}


def generate_many(requests: Sequence[Request[TextVaeGenerate]]) -> Generator[Ended, None, int]:
    """The same for several jobs."""
    return one_by_one(generate).many(requests)


def points_of(params: TextVaeGenerate, saved: Saved) -> tuple[Tensor, list[str], list[dict[str, list[str]]]]:
    """Latent numbers of what is to be written, what each is, and the sentence it is made of."""
    size, count, given = saved.network.plan.latent_dim, params.count, params.given
    if params.mode == "sample":
        seeds = [(params.seed + place) % 2**31 for place in range(count)]
        return training.item_noise(seeds, size), [""] * count, [{} for _ in range(count)]
    means = encode_all(saved.network, saved.tokenizer, checked(params, saved))
    if params.mode == "reconstruct":
        return means, [""] * len(given), [{"from": [one]} for one in given]
    if params.mode == "near":
        noise = training.item_noise(range(params.seed, params.seed + len(given) * count), size)
        points = near(means.repeat_interleave(count, 0), noise, params.distance)
        return points, [""] * len(points), [{"from": [one]} for one in given for _ in range(count)]
    steps = max(count, 2)
    parts = [between(means[place], means[place + 1], steps) for place in range(len(given) - 1)]
    shares = [f"{round(100 * step / (steps - 1))} %" for _ in parts for step in range(steps)]
    ends = [{"from": [a], "to": [b]} for a, b in pairwise(given) for _ in range(steps)]
    return torch.cat(parts), shares, ends


def checked(params: TextVaeGenerate, saved: Saved) -> Sequence[str]:
    """The sentences given, where they are enough and short enough."""
    if faults := params.misfits(lambda _name: {}):
        raise InputError(faults)
    given = params.given
    longest = saved.network.plan.longest
    for number, one in enumerate(given, 1):
        length = len(saved.tokenizer.encode(one))
        if length >= longest:
            sentence = "Sentence {number} has {length} tokens; the model takes at most {most}. Make it shorter."
            values = {"number": number, "length": length, "most": longest - 1}
            raise InputError(Fault(sentence, values, "/sentences", code="sentence-too-long"))
    return given


def evaluate(params: TextVaeEvaluate, run: Run) -> Metrics:
    """Measure a model on the test sentences of a dataset, beside counts of characters."""
    saved = opened(run)
    texts = load_texts(run.inputs["dataset"])
    run.phase("evaluating")
    learnt, aside = (sentences_of(documents) for documents in part(texts.train, saved.params.seed))
    test = sentences_of(texts.test) or aside or learnt
    require_some(rows_of(saved.tokenizer, learnt[:1000], saved.params.longest), saved.params.longest)
    found = with_room(lambda: judge(saved, learnt, test, run, (0, 1)))
    _report(found, params, run, weights_sha256=saved.weights_sha256)
    run.report(1, 1)
    return found


def opened(run: Run) -> Saved:
    """The run's model, loaded or still warm."""
    run.phase("preparing")
    training.tune_process()
    return run.warm(run.inputs["model"], partial(saved_files.load, device=run.device))


def _report(metrics: Metrics, params: Params, run: Run, **more: str) -> None:
    report = {
        "metrics": dict(metrics),
        "params": params.model_dump(mode="json"),
        "adjustments": asdict(run.adjustments),
        "code_version": code_version(),
        **more,
    }
    (run.out_dir / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
