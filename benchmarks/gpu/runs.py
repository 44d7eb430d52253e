"""Trainings on bundled data for the parts: their settings, their datasets, and runs that are timed or stopped."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aigc_models import registry
from aigc_models.base import Cancelled, Metrics, Params, Paused
from aigc_models.data.starters import STARTERS
from aigc_models.standalone import LocalRun, open_dataset, perform

_IDS = {"dataset": "ds_" + "0" * 26, "model": "mdl_" + "0" * 26}
_WARM_STEPS = 10


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a family is tried with.

    Attributes:
        starter: The bundled dataset.
        brief: Settings of a training of seconds.
        operation: How the model is used, and with which settings.
        use: Its settings.
        usual: Changes to the default settings, of which the speed is measured.
    """

    starter: str
    brief: Mapping[str, Any]
    operation: str = "generate"
    use: Mapping[str, Any] = field(default_factory=dict)
    usual: Mapping[str, Any] = field(default_factory=dict)


_WORDS = {"width": 128, "context": 128, "num_layers": 4, "vocabulary": 1024, "batch_size": 16, "steps": 120}
LESSONS: Mapping[str, Lesson] = {
    "image_gan": Lesson("fashion-mnist", {"epochs": 2, "width": 16, "batch_size": 32}, use={"count": 16}),
    "image_vae": Lesson("fashion-mnist", {"epochs": 4, "width": 24}, use={"count": 16}),
    "table_gan": Lesson("credit", {"epochs": 1, "least_steps": 300, "batch_size": 250}),
    "table_vae": Lesson("credit", {"epochs": 1, "least_steps": 300, "batch_size": 250}),
    "sasrec": Lesson("synthetic-shop", {"epochs": 2, "max_length": 50}, "recommend", {"everybody": True}),
    "mult_vae": Lesson("synthetic-shop", {"epochs": 5, "hidden_dim": 200}, "recommend", {"everybody": True}),
    "text_transformer": Lesson("synthetic-products", _WORDS, use={"max_tokens": 64}),
    "text_vae": Lesson("synthetic-products", {"steps": 120, "width": 128, "num_layers": 2, "vocabulary": 1024}),
    "assistant": Lesson("foundry-help", {"epochs": 2, "width": 64}, "reply", {"question": "How do I pause a job?"}),
}


def params(task: str, settings: Mapping[str, Any]) -> Params:
    """Settings of a task, with ids where inputs are needed."""
    declared = registry.tasks()[task]
    schema = declared.model_json_schema()
    fields: Mapping[str, Any] = schema["properties"]
    inputs = {name: _IDS[fields[name]["x-input"]] for name in schema.get("required", ()) if "x-input" in fields[name]}
    return declared.model_validate_json(json.dumps(inputs | dict(settings)))


def dataset(family: str, work: Path) -> Path:
    """The family's bundled dataset, imported once for all parts."""
    starter = LESSONS[family].starter
    directory = work / "datasets" / f"{starter}-{family}"
    if not (directory / "dataset" / "dataset.json").is_file():
        open_dataset(starter, directory, LocalRun(directory), STARTERS[starter].kind)
    return directory / "dataset"


@dataclass(slots=True)
class Watched(LocalRun):
    """A run that keeps its curve, and is stopped after some seconds, at a step, or when the steps are done."""

    seconds: float = float("inf")
    steps_only: bool = False
    pause_at: int = -1
    began: float = 0.0
    first: int = 0
    last: int = 0
    ended: float = 0.0
    curve: list[dict[str, float]] = field(default_factory=list)
    training: bool = False
    on_step: Callable[[int], None] = lambda _step: None

    def phase(self, name: str) -> None:
        """Only the steps of a training count."""
        self.training = name == "training"
        if self.steps_only and name == "evaluating":
            raise Cancelled

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Note the time, and stop when it is over."""
        if not self.training:
            return
        now = time.perf_counter()
        if not self.began and step >= _WARM_STEPS:
            self.began, self.first = now, step
        self.last, self.ended = step, now
        if metrics:
            self.curve.append({"step": step, **metrics})
        self.on_step(step)
        self.stopping = step == self.pause_at
        if self.began and now - self.began > self.seconds:
            raise Cancelled

    @property
    def steps_per_second(self) -> float:
        """Of those after the first ten."""
        return (self.last - self.first) / max(self.ended - self.began, 1e-9)

    def loss(self) -> dict[str, float]:
        """Means over the last quarter of the curve."""
        tail = self.curve[-max(1, len(self.curve) // 4) :]
        names = {name for point in tail for name in point if name != "step" and not name.endswith("_per_second")}
        found = {name: [point[name] for point in tail if name in point] for name in sorted(names)}
        return {name: sum(values) / len(values) for name, values in found.items()}


def train(family: str, run: LocalRun, settings: Mapping[str, Any]) -> Metrics | None:
    """Train; None where the run was stopped."""
    with contextlib.suppress(Cancelled, Paused):
        return perform(family, "train", params(f"{family}.train", settings), run)
    return None
