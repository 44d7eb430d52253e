"""Trainings of families that write, as a user has them, of so many seconds."""

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aigc_models.base import Cancelled
from aigc_models.registry import task
from aigc_models.standalone import LocalRun, perform

DATASET, MODEL = "ds_" + "0" * 26, "mdl_" + "0" * 26
_PILOT = 45  # steps, of which the last two thirds are timed


@dataclass(frozen=True, slots=True)
class Told:
    """Where results are kept, for how long is trained, whether only to see that it runs, and on which device."""

    home: Path
    seconds: float
    quick: bool
    device: str = "cpu"

    @property
    def on_cpu(self) -> bool:
        """Whether networks have to be small."""
        return self.device == "cpu"

    def run(self, out: Path, **inputs: Path) -> LocalRun:
        """What an operation is given to work with."""
        return LocalRun(out, inputs, self.device, on_log=lambda line: print("#", line, flush=True))


def trained(family: str, dataset: Path, out: Path, told: Told, settings: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
    """A training of so many seconds, unless the settings say of how many steps; a brief one tells how many those are.

    Returns:
        The model's directory, and its figures with the steps and seconds it took.
    """
    settings = {"dataset": DATASET, **settings}
    if "steps" not in settings:
        pilot = told.run(out / "pilot", dataset=dataset)
        settings["steps"] = max(100, int(told.seconds / _seconds_a_step(family, pilot, settings)))
    run = told.run(out, dataset=dataset)
    started = time.perf_counter()
    figures = perform(family, "train", params(f"{family}.train", **settings), run)
    return out / "model", {**figures, "steps": settings["steps"], "seconds": time.perf_counter() - started}


def params(name: str, **values: Any) -> Any:
    """Settings of a task."""
    return task(name).model_validate_json(json.dumps(values))


def _seconds_a_step(family: str, run: LocalRun, settings: dict[str, Any]) -> float:
    times: list[float] = []

    def stop(step: int, _total: int, _figures: Any) -> None:
        times.append(time.perf_counter())
        run.cancelling = step >= _PILOT

    run.on_report = stop
    with contextlib.suppress(Cancelled):
        perform(family, "train", params(f"{family}.train", **{**settings, "steps": 2000}), run)
    return float(np.mean(np.diff(times[_PILOT // 3 :])))
