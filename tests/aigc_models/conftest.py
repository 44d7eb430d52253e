"""Tiny datasets, and runs that record what they are told."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch

from aigc_models.base import Phase
from aigc_models.standalone import LocalRun
from tests.aigc_models.tiny_images import tiny_set, write_set


def _nothing(_step: int) -> None:
    pass


@dataclass(slots=True)
class RecordingRun(LocalRun):
    """A local run that also keeps what it was told."""

    phases: list[str] = field(default_factory=list)
    steps: list[tuple[int, int]] = field(default_factory=list)
    curve: list[dict[str, float]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    after_step: Callable[[int], None] = _nothing

    def phase(self, name: Phase) -> None:
        self.phases.append(name)

    def report(self, step: int, total: int, **metrics: float) -> None:
        LocalRun.report(self, step, total, **metrics)
        self.steps.append((step, total))
        if metrics:
            self.curve.append(metrics)
        self.after_step(step)

    def log(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture(autouse=True)
def _process_settings() -> Iterator[None]:
    torch.set_num_threads(1)  # small nets are fastest alone, and tests run side by side
    yield
    torch.set_flush_denormal(False)  # trainings turn it on for their process, which other tests share here


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Path:
    """A labelled dataset of 60 + 20 grey pictures of 12 x 12 pixels."""
    return write_set(tmp_path / "dataset", tiny_set(side=12, count=80))
