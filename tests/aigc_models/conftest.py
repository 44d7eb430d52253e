"""Tiny datasets, and runs that record what they are told."""

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

from aigc_models import registry
from aigc_models.base import Phase
from aigc_models.metrics import table_report
from aigc_models.standalone import LocalRun
from tests.aigc_models.tiny_help import tiny_help
from tests.aigc_models.tiny_help import write_texts as write_help
from tests.aigc_models.tiny_images import tiny_set, write_set
from tests.aigc_models.tiny_interactions import tiny_events, write_events
from tests.aigc_models.tiny_llm import write_base
from tests.aigc_models.tiny_tables import tiny_tables, write_tables
from tests.aigc_models.tiny_texts import write_texts


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
    with threadpool_limits(1):  # and so are small trees
        yield
    torch.set_flush_denormal(False)  # trainings turn it on for their process, which other tests share here


@pytest.fixture(autouse=True)
def _no_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figures of tiny tables: they take most of a training of a second. Tests of the measures draw them."""
    if not request.path.stem.startswith("test_metrics"):
        monkeypatch.setattr(table_report, "save_figures", lambda _details, path: zipfile.ZipFile(path, "w").close())


@pytest.fixture(scope="session")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of pretrained models that holds one; tests do not write in it."""
    home = tmp_path_factory.mktemp("pretrained")
    write_base(home / "tiny")
    return home


@pytest.fixture(autouse=True)
def _pretrained_models(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let those families find one that need one."""
    if _family(request) == "pretrained_lm":
        monkeypatch.setenv("AIGC_PRETRAINED", str(request.getfixturevalue("pretrained")))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what loads the packages of pretrained models in one process, as that takes seconds."""
    for item in items:
        if "pretrained_lm" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("pretrained_lm"))


@pytest.fixture
def tiny_dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A dataset of the kind that the test's family or task learns from; pictures where it names none.

    Pictures are 60 + 20 labelled grey ones of 12 x 12 pixels.
    """
    if _kind(request) == "interactions":
        return write_events(tmp_path / "dataset", tiny_events())
    if _kind(request) == "text":
        if _family(request) == "assistant":
            return write_help(tmp_path / "dataset", tiny_help())
        return write_texts(tmp_path / "dataset")
    if _kind(request) == "table":
        return write_tables(tmp_path / "dataset", tiny_tables())
    return write_set(tmp_path / "dataset", tiny_set(side=12, count=80))


def _kind(request: pytest.FixtureRequest) -> str:
    """The kind of dataset that the family under test is trained on."""
    task = registry.tasks().get(f"{_family(request)}.train")
    fields = task.model_json_schema()["properties"].values() if task else ()
    return str(next((field["x-kind"] for field in fields if field.get("x-input") == "dataset"), "images"))


def _family(request: pytest.FixtureRequest) -> str:
    """The family under test; empty where the test names none."""
    chosen = getattr(getattr(request.node, "callspec", None), "params", {})
    return str(chosen.get("family") or chosen.get("task") or "").partition(".")[0]
