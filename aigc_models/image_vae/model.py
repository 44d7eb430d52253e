"""The operations of the image VAE."""

import contextlib
import json
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from aigc_models import ranks, training
from aigc_models.accumulation import with_room
from aigc_models.base import Fault, InputError, Metrics, Params, Run
from aigc_models.data.images import ImageSet, load_images, load_report
from aigc_models.image_vae import evaluation, saved
from aigc_models.image_vae.params import (
    FAMILY,
    ImageVaeEvaluate,
    ImageVaeGenerate,
    ImageVaeInterpolate,
    ImageVaeReconstruct,
    ImageVaeTrain,
    ImageVaeTraverse,
)
from aigc_models.image_vae.saved import Saved, code_version
from aigc_models.image_vae.trainer import Lesson, Trainer, make_trainer
from aigc_models.image_vae.using import BATCH, CHUNK, ImageModel, PlainModel, seeds_from, squared_error
from aigc_models.metrics.image_quality import verdict
from aigc_models.pictures import save_grid, save_zip
from aigc_models.sharing import Ended, Request, Shared

_PREVIEWS = 10
_FEW = 64  # images up to which one thread is as fast as several
_COLUMNS, _DRAWN_ROWS = 8, 4
_MOST_ROWS = 64


def train(params: ImageVaeTrain, run: Run) -> Metrics:
    """Train, evaluate on the test part, and write the model with a sheet of pictures."""
    run.phase("preparing")
    training.tune_process()
    directory = run.inputs["dataset"]
    images = load_images(directory)
    trainer = make_trainer(Lesson(params, images, run.device, run.adjustments))
    done = trainer.resume(run.resume_from) if run.resume_from else 0
    run.phase("training")
    _loop(trainer, images, run, done)
    run.phase("evaluating")
    model = trainer.model()
    metrics = _measure(model, images, params.likelihood, params.seed, run)
    _say(metrics, run)
    run.phase("saving")
    saved.save(run.out_dir / "model", model, params, images)
    _save_sheet(trainer, images, run.out_dir / "samples.png", trainer.total)
    _write_report(metrics, params, run, dataset_hash=load_report(directory)["hash"], precision=trainer.precision.name)
    run.report(trainer.total, trainer.total)
    return metrics


def _measure(model: ImageModel, images: ImageSet, likelihood: str, seed: int, run: Run) -> Metrics:
    return with_room(lambda: evaluation.evaluate(model, images, likelihood, seed, run.adjustments))


def _write_report(metrics: Metrics, params: Params, run: Run, **more: str) -> None:
    report = {
        "metrics": metrics,
        "params": params.model_dump(mode="json"),
        "adjustments": asdict(run.adjustments),
        "code_version": code_version(),
        **more,
    }
    (run.out_dir / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")


def _say(metrics: Metrics, run: Run) -> None:
    for line in verdict(metrics, FAMILY.metrics):
        run.log(line)


def _loop(trainer: Trainer, images: ImageSet, run: Run, done: int) -> None:
    meter = trainer.meter
    every = max(1, trainer.total // _PREVIEWS)
    losses: dict[str, Tensor] = {}
    for step in range(done + 1, trainer.total + 1):
        losses = {name: loss.detach() for name, loss in trainer.step(step).items()}
        meter.add(trainer.batch_size, **losses)
        run.report(step, trainer.total, **meter.read(step))
        if ranks.leads() and (step % every == 0 or step == trainer.total):
            _preview(trainer, images, run, step)
        run.checkpoint(step, partial(trainer.state.save, step=step))
    training.check_finite(trainer.total, *losses.values())


def _preview(trainer: Trainer, images: ImageSet, run: Run, step: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "samples.png"
        _save_sheet(trainer, images, path, step)
        run.preview("samples", step, path)


def _save_sheet(trainer: Trainer, images: ImageSet, path: Path, step: int) -> None:
    """Test pictures, the same rebuilt, and drawn ones; the same noise each time."""
    model, real = trainer.model(), images.test[:_COLUMNS]
    rows, names = [real, model.rebuild(real)], ["Test", "Rebuilt"]
    if trainer.can_draw(step):
        rows.append(model.draw(seeds_from(trainer.params.seed, _DRAWN_ROWS * len(real))))
        names += ["Drawn"] * _DRAWN_ROWS
    save_grid(torch.cat(rows), path, len(real), names)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The pictures of one job."""

    model: Saved
    seeds: Sequence[int]
    temperature: float
    chunk: int


def generate(params: ImageVaeGenerate, run: Run) -> Metrics:
    """Draw pictures; each depends on its own seed (``seed``, ``seed + 1``, ...) alone."""
    return _SHARED.alone(params, run)


def generate_many(requests: Sequence[Request[ImageVaeGenerate]]) -> Generator[Ended, None, int]:
    """The same for several jobs, all pictures drawn together."""
    return _SHARED.many(requests)


def _wanted(params: ImageVaeGenerate, run: Run) -> _Wanted:
    model = _model(run)
    run.phase("generating")
    seeds = seeds_from(params.seed, params.count)
    return _Wanted(model, seeds, params.temperature, run.adjustments.chunk(CHUNK))


def _draw(asked: Sequence[_Wanted]) -> Iterator[tuple[int, Tensor]]:
    """The pictures of each, those of one temperature together, in chunks of one size."""
    for temperature in dict.fromkeys(each.temperature for each in asked):
        own = {place: each for place, each in enumerate(asked) if each.temperature == temperature}
        seeds = [seed for each in own.values() for seed in each.seeds]
        chunk, model = min(each.chunk for each in own.values()), asked[0].model.model
        with training.one_thread() if len(seeds) <= _FEW else contextlib.nullcontext():
            drawn = with_room(partial(model.draw, seeds, temperature, chunk))
        yield from zip(own, drawn.split([len(each.seeds) for each in own.values()]), strict=True)


def _save_drawn(params: ImageVaeGenerate, run: Run, asked: _Wanted, drawn: Tensor) -> Metrics:
    files = [f"{index:05d}.png" for index in range(params.count)]
    _save(drawn, _manifest(params, asked.model, files, seed=asked.seeds), run, min(_COLUMNS, params.count))
    return {"images": float(params.count)}


_SHARED = Shared(_wanted, _draw, _save_drawn)


def evaluate(params: ImageVaeEvaluate, run: Run) -> Metrics:
    """Measure a model on the test part of a dataset."""
    model = _model(run)
    images = _images(run, model)
    run.phase("evaluating")
    metrics = _measure(model.model, images, model.params.likelihood, params.seed, run)
    _say(metrics, run)
    _write_report(metrics, params, run, weights_sha256=model.weights_sha256)
    run.report(len(images.test), len(images.test))
    return metrics


def reconstruct(params: ImageVaeReconstruct, run: Run) -> Metrics:
    """Encode and decode test pictures; the sheet shows each above its copy."""
    model = _model(run)
    images = _images(run, model)
    run.phase("generating")
    real = images.test[: params.count]
    rebuilt = with_room(lambda: model.model.rebuild(real, run.adjustments.chunk(BATCH)))
    columns = min(_COLUMNS, len(real))
    rows = [row for pair in zip(_rows(real, columns), _rows(rebuilt, columns), strict=True) for row in pair]
    names = ["Test", "Rebuilt"] * (len(rows) // 2)
    save_grid(torch.cat(rows), run.out_dir / "samples.png", columns, names)
    files = [f"{index:05d}.png" for index in range(len(real))]
    save_zip(rebuilt, files, run.out_dir / "samples.zip", _manifest(params, model, files))
    run.report(len(real), len(real))
    return {"images": float(len(real)), "reconstruction_error": squared_error(rebuilt, real)}


def interpolate(params: ImageVaeInterpolate, run: Run) -> Metrics:
    """Walk between pairs of drawn pictures along great circles, where the prior's mass lies."""
    model = _model(run)
    run.phase("generating")
    plain = _with_latent_numbers(model)
    ends = training.item_noise(seeds_from(params.seed, 2 * params.count), plain.latent_dim)
    shares = torch.linspace(0, 1, params.steps)
    z = torch.cat([slerp(start, end, shares) for start, end in zip(ends[::2], ends[1::2], strict=True)])
    walks = with_room(lambda: plain.decode(z, run.adjustments.chunk(CHUNK)))
    places = [(walk, step) for walk in range(params.count) for step in range(params.steps)]
    files = [f"walk-{walk + 1:03d}-{step + 1:02d}.png" for walk, step in places]
    _save(walks, _manifest(params, model, files), run, params.steps)
    return {"images": float(len(walks))}


def traverse(params: ImageVaeTraverse, run: Run) -> Metrics:
    """Change one latent number at a time around one drawn picture, the most informative numbers first."""
    model = _model(run)
    run.phase("generating")
    plain = _with_latent_numbers(model)
    order = sorted(range(plain.latent_dim), key=lambda index: -model.information[index])
    chosen = order[: params.dimensions]
    start = training.item_noise([params.seed], plain.latent_dim)[0]
    z = start.repeat(len(chosen), params.steps, 1)
    for row, index in enumerate(chosen):
        z[row, :, index] = torch.linspace(-params.span, params.span, params.steps)
    pictures = with_room(lambda: plain.decode(z.flatten(0, 1), run.adjustments.chunk(CHUNK)))
    files = [f"latent-{index + 1:03d}-{step + 1:02d}.png" for index in chosen for step in range(params.steps)]
    names = [f"{index + 1} ({model.information[index]:.2f} nats)" for index in chosen]
    _save(pictures, _manifest(params, model, files), run, params.steps, names)
    return {"images": float(len(pictures))}


def slerp(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Points between two vectors along a great circle, which keeps their length typical.

    Shape: start and end (Z,), shares (S,), to (S, Z). Source: White 2016, section 2.1.
    """
    cosine = (start @ end / (start.norm() * end.norm())).clamp(-1, 1)
    angle = torch.acos(cosine)
    if angle.sin() < 1e-6:
        return start + shares[:, None] * (end - start)
    weights = torch.stack([torch.sin((1 - shares) * angle), torch.sin(shares * angle)], 1) / angle.sin()
    return weights @ torch.stack([start, end])


def _model(run: Run) -> Saved:
    run.phase("preparing")
    return run.warm(run.inputs["model"], partial(saved.load, device=run.device))


def _with_latent_numbers(saved_model: Saved) -> PlainModel:
    if isinstance(saved_model.model, PlainModel):
        return saved_model.model
    sentence = "This model describes images by tokens and has no latent numbers to vary. Use one with a plain prior."
    raise InputError(Fault(sentence, pointer="/model", code="wrong-input"))


def _images(run: Run, model: Saved) -> ImageSet:
    images = load_images(run.inputs["dataset"])
    if images.shape != model.shape:
        sentence = "The dataset has images of {found}, but the model was trained on {wanted}. Choose another dataset."
        values = {"found": _shape(images.shape), "wanted": _shape(model.shape)}
        raise InputError(Fault(sentence, values, "/dataset", code="wrong-shape"))
    return images


def _shape(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"{width} x {height} x {channels}"


def _rows(images: Tensor, columns: int) -> list[Tensor]:
    """Rows of a sheet; the last one is filled with white."""
    missing = -len(images) % columns
    filled = torch.cat([images, images.new_full((missing, *images.shape[1:]), 255)])
    return list(filled.split(columns))


def _save(images: Tensor, manifest: Mapping[str, Any], run: Run, columns: int, names: Sequence[str] = ()) -> None:
    """Write the sheet and the ZIP, whose files the manifest lists."""
    save_grid(images[: _MOST_ROWS * columns], run.out_dir / "samples.png", columns, names)
    files = [item["file"] for item in manifest["images"]]
    save_zip(images, files, run.out_dir / "samples.zip", manifest)
    run.report(len(images), len(images))


def _manifest(params: Params, model: Saved, files: Sequence[str], **more: Sequence[Any]) -> dict[str, Any]:
    """What a ZIP of pictures says about itself; ``more`` adds a value for each file under its name."""
    operation = next(name for name, kind in FAMILY.operations.items() if kind is type(params))
    columns = {"file": files, **more}
    return {
        "task": f"{FAMILY.name}.{operation}",
        "params": params.model_dump(mode="json"),
        "code_version": code_version(),
        "weights_sha256": model.weights_sha256,
        "images": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
    }
