"""Train, use and measure an image GAN."""

import contextlib
import json
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.accumulation import with_room
from aigc_models.base import Fault, InputError, Metrics, Run
from aigc_models.data.images import ImageSet, load_images, load_report
from aigc_models.image_gan.params import ImageGanEvaluate, ImageGanGenerate, ImageGanTrain
from aigc_models.image_gan.saving import CHUNK, TrainedGan, code_version, describe, load_gan, save_gan
from aigc_models.image_gan.session import Session, fitted, prepare, run_steps
from aigc_models.image_gan.trainer import BATCH, draw
from aigc_models.metrics.image_quality import Generated, picture_metrics, verdict, wanted
from aigc_models.pictures import save_curves, save_sheet, save_zip, to_bytes
from aigc_models.sharing import Ended, Request, Shared

_FEW = 64


def train(params: ImageGanTrain, run: Run) -> Metrics:
    """Train, evaluate and save a model."""
    run.phase("preparing")
    training.tune_process()
    session = prepare(params, run)
    run.phase("training")
    run_steps(session)
    trained = TrainedGan(session.trainer.ema.module, session.trainer.plan, session.data.classes, run.device)
    run.phase("evaluating")
    metrics = _measure(trained, session.data, params.seed, run)
    run.phase("saving")
    _save(session, trained, metrics)
    return metrics


def _measure(trained: TrainedGan, data: ImageSet, seed: int, run: Run) -> dict[str, float]:
    count = wanted(data)
    labels = trained.labels_in_turn(count)
    noise = torch.randn(count, trained.plan.latent_dim, generator=training.seeded(seed, "evaluation"))
    asked = None if labels is None else labels.to(run.device)
    trained.generator.eval()
    chunk = run.adjustments.chunk(BATCH)
    pictures = with_room(lambda: to_bytes(draw(trained.generator, noise.to(run.device), asked, chunk)).cpu())
    metrics = picture_metrics(Generated(pictures, labels), data, seed)
    for line in verdict(metrics):
        run.log(line)
    return metrics


def _save(session: Session, trained: TrainedGan, metrics: dict[str, float]) -> None:
    run, params, data = session.run, session.params, session.data
    channels, height, width = data.shape
    kind = {"channels": channels, "height": height, "width": width, "classes": list(data.classes)}
    config = describe(trained.plan, params.model_dump(), kind)
    save_gan(trained.generator, session.trainer.discriminator, config, run.out_dir / "model")
    lines = min(trained.plan.classes, 20) or 6
    labels = trained.labels_in_turn(lines * 10, range(min(trained.plan.classes, 20)))
    save_sheet(trained.draw(range(lines * 10), labels), labels, data.classes, run.out_dir / "samples.png")
    save_curves(session.state.plain["curves"], run.out_dir / "loss_curve.svg")
    report = {
        "metrics": metrics,
        "params": params.model_dump(),
        "parameters": training.count_parameters(trained.generator, session.trainer.discriminator),
        "precision": session.trainer.precision.name,
        "adjustments": asdict(run.adjustments),
        "dataset_hash": load_report(run.inputs["dataset"]).get("hash", ""),
        "code_version": code_version(),
    }
    _write_json(run.out_dir / "report.json", report)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The pictures of one job."""

    trained: TrainedGan
    seeds: Sequence[int]
    labels: Tensor | None
    truncation: float
    chunk: int


def generate(params: ImageGanGenerate, run: Run) -> Metrics:
    """Make images with a trained generator: a labelled sheet and a ZIP of single pictures."""
    return _SHARED.alone(params, run)


def generate_many(requests: Sequence[Request[ImageGanGenerate]]) -> Generator[Ended, None, int]:
    """The same for several jobs, all pictures drawn together."""
    return _SHARED.many(requests)


def _wanted(params: ImageGanGenerate, run: Run) -> _Wanted:
    run.phase("preparing")
    trained = run.warm(run.inputs["model"], partial(load_gan, device=run.device))
    labels = trained.labels_in_turn(params.count, _chosen(params, trained))
    seeds = [(params.seed + index) % 2**31 for index in range(params.count)]
    run.phase("generating")
    return _Wanted(trained, seeds, labels, params.truncation, run.adjustments.chunk(CHUNK))


def _draw(asked: Sequence[_Wanted]) -> Iterator[tuple[int, Tensor]]:
    """The pictures of each, drawn in chunks of one size, so that no picture depends on what it was drawn with."""
    first, counts = asked[0], [len(each.seeds) for each in asked]
    noise = torch.cat([each.trained.noise(each.seeds, each.truncation) for each in asked])
    labels = None if first.labels is None else torch.cat([each.labels for each in asked if each.labels is not None])
    with training.one_thread() if sum(counts) <= _FEW else contextlib.nullcontext():
        pictures = with_room(lambda: first.trained.draw_noise(noise, labels, min(each.chunk for each in asked)))
    yield from enumerate(pictures.split(counts))


def _save_drawn(params: ImageGanGenerate, run: Run, asked: _Wanted, pictures: Tensor) -> Metrics:
    run.report(params.count, params.count)
    run.phase("saving")
    trained, labels = asked.trained, asked.labels
    items = [{"file": f"{index:05d}.png", "seed": seed} for index, seed in enumerate(asked.seeds)]
    if labels is not None:
        for item, label in zip(items, labels.tolist(), strict=True):
            item["class"] = trained.classes[label]
    manifest = {
        "params": params.model_dump(),
        "code_version": code_version(),
        "weights_sha256": trained.weights_sha256,
        "images": items,
    }
    save_sheet(pictures, labels, trained.classes, run.out_dir / "samples.png")
    save_zip(pictures, [str(item["file"]) for item in items], run.out_dir / "samples.zip", manifest)
    return {"images": float(params.count)}


_SHARED = Shared(_wanted, _draw, _save_drawn)


def _chosen(params: ImageGanGenerate, trained: TrainedGan) -> list[int]:
    names = [name.strip() for name in params.classes.split(",") if name.strip()]
    if names and not trained.plan.classes:
        sentence = "This model knows no classes. Leave Classes empty."
        raise InputError(Fault(sentence, pointer="/classes"))
    unknown = [name for name in names if name not in trained.classes]
    if unknown:
        sentence = "There is no class called {name}. The classes are: {classes}."
        values = {"name": unknown[0], "classes": ", ".join(trained.classes)}
        raise InputError(Fault(sentence, values, "/classes"))
    return [trained.classes.index(name) for name in names]


def evaluate(params: ImageGanEvaluate, run: Run) -> Metrics:
    """Compare a trained generator's pictures with the held-out ones of a dataset."""
    run.phase("preparing")
    training.tune_process()
    trained = run.warm(run.inputs["model"], lambda directory: load_gan(directory, run.device))
    data = load_images(run.inputs["dataset"])
    if data.shape[0] != trained.plan.channels:
        sentence = "The dataset has {found} colour channels, the model makes images with {needed}."
        raise InputError(Fault(sentence, {"found": data.shape[0], "needed": trained.plan.channels}, "/dataset"))
    data = _matched(data, trained)
    run.phase("evaluating")
    metrics = _measure(trained, fitted(data, trained.plan.size), params.seed, run)
    run.report(1, 1)
    run.phase("saving")
    labels = trained.labels_in_turn(100)
    save_sheet(trained.draw(range(100), labels), labels, trained.classes, run.out_dir / "samples.png")
    _write_json(run.out_dir / "report.json", {"metrics": metrics, "params": params.model_dump()})
    return metrics


def _matched(data: ImageSet, trained: TrainedGan) -> ImageSet:
    """The set without its labels where they mean other classes than the model's."""
    if data.classes == trained.classes:
        return data
    return ImageSet(data.train, None, data.test, None, ())


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
