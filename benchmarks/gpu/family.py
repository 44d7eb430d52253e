"""One family on the device: trained, used, resumed from a checkpoint, and with 32-bit numbers."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from safetensors.torch import load_file

from aigc_models import training
from aigc_models.standalone import newest_checkpoint, perform
from benchmarks.gpu.runs import LESSONS, Watched, dataset, params, train

_USES = 12


def check(name: str, device: str, work: Path, brief: bool = False) -> dict[str, Any]:
    """All of it, as figures; raises where something is not as promised."""
    lesson, inputs = LESSONS[name], {"dataset": dataset(name, work)}
    settings = {**lesson.brief, **_smaller(lesson.brief if brief else {})}
    whole = Watched(work / name / "whole", inputs, device)
    began = time.perf_counter()
    metrics = train(name, whole, settings)
    assert metrics is not None
    found: dict[str, Any] = {"precision": training.choose_precision(device).name, "steps": whole.last}
    found["train_s"] = round(time.perf_counter() - began, 2)
    found |= use(name, device, work, whole.out_dir / "model")
    found |= resumed(name, device, work, settings, whole, metrics)
    with full_precision():
        exact = Watched(work / name / "exact", inputs, device, steps_only=True)
        train(name, exact, settings)
    found["losses"], found["losses_float32"] = whole.loss(), exact.loss()
    found["loss_gap"] = gap(whole.loss(), exact.loss())
    if device != "cpu":
        found["peak_mib"] = torch.cuda.max_memory_reserved() >> 20
    return found


def use(name: str, device: str, work: Path, model: Path) -> dict[str, Any]:
    """Use the model, first and again: seconds of the first, median milliseconds when it is loaded."""
    lesson, times = LESSONS[name], []
    run = Watched(work / name / "used", {"model": model}, device)
    for seed in range(_USES):
        began = time.perf_counter()
        perform(name, lesson.operation, params(f"{name}.{lesson.operation}", {**lesson.use, "seed": seed}), run)
        times.append(time.perf_counter() - began)
    return {"first_use_s": round(times[0], 3), "warm_use_p50_ms": round(1000 * statistics.median(times[2:]), 2)}


def resumed(
    name: str, device: str, work: Path, settings: Mapping[str, Any], whole: Watched, metrics: Mapping[str, float]
) -> dict[str, Any]:
    """Stop at two fifths, go on from the checkpoint, and compare with the undisturbed training."""
    checkpoints, at = work / name / "checkpoints", max(1, whole.last * 2 // 5)
    broken = Watched(work / name / "broken", whole.inputs, device, checkpoints=checkpoints, pause_at=at)
    train(name, broken, settings)
    checkpoint = newest_checkpoint(checkpoints)
    assert checkpoint is not None, "no checkpoint was written"
    after = Watched(work / name / "resumed", whole.inputs, device, resume_from=checkpoint)
    again = train(name, after, settings)
    assert again is not None
    return {
        "paused_at": at,
        "resumed_metric_gap": gap(again, metrics),
        "resumed_weight_gap": weight_gap(after.out_dir / "model", whole.out_dir / "model"),
    }


@contextmanager
def full_precision() -> Iterator[None]:
    """32-bit numbers, whatever the device would choose."""

    def chosen(device: str) -> training.Precision:
        return training.Precision("float32", torch.device(device).type)

    with patch.object(training, "choose_precision", chosen):
        yield


def _smaller(settings: Mapping[str, Any]) -> dict[str, int]:
    return {name: max(1, settings[name] // 10) for name in ("epochs", "least_steps", "steps") if name in settings}


def gap(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The largest relative difference of what both have."""
    gaps = [abs(one[name] - other[name]) / max(abs(other[name]), 1e-3) for name in one if name in other]
    return round(max(gaps, default=0.0), 5)


def weight_gap(one: Path, other: Path) -> float:
    """Length of the weights' difference, as a share of their own length."""
    mine, theirs = (load_file(path / "weights.safetensors") for path in (one, other))
    apart = sum(float((mine[name].double() - theirs[name].double()).square().sum()) for name in mine)
    size = sum(float(weight.double().square().sum()) for weight in theirs.values())
    return round(float((apart / max(size, 1e-12)) ** 0.5), 8)


def speed(name: str, device: str, work: Path, seconds: float) -> dict[str, Any]:
    """Steps a second with the default settings."""
    run = Watched(work / name / f"speed-{device[:4]}", {"dataset": dataset(name, work)}, device, seconds=seconds)
    train(name, run, LESSONS[name].usual)
    rates = [value for point in run.curve for key, value in point.items() if key.endswith("_per_second")]
    found = {"steps_per_s": round(run.steps_per_second, 2), "measured_steps": run.last - run.first}
    return found | ({"items_per_s": round(statistics.median(rates[len(rates) // 3 :]), 1)} if rates else {})
