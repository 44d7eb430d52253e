"""Operations without a queue: a :class:`~aigc_models.base.Run` in a directory of one's own."""

import json
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZIP_STORED, ZipFile

from aigc_models.base import UNADJUSTED, Adjustments, Cancelled, Fault, InputError, Metrics, Params, Paused, Phase
from aigc_models.data import kinds
from aigc_models.data.starters import STARTERS
from aigc_models.registry import families

T = TypeVar("T")

STEP = re.compile(r"step-(\d+)$")


def _ignore(*_: Any) -> None:
    """Watch nothing."""


@dataclass(slots=True)
class LocalRun:
    """What an operation is given to work with when nobody else runs it.

    Attributes:
        out_dir: Where results go.
        inputs: Local directories of datasets and models.
        device: Torch device string.
        resume_from: Checkpoint to go on from.
        adjustments: How to go gentler about the settings than they say.
        checkpoints: Where checkpoints go; None keeps none.
        checkpoint_seconds: Least time between two checkpoints.
        on_phase: Called with the name of each phase.
        on_report: Called with step, total and metrics.
        on_log: Called with each line.
        stopping: Set from outside: stop at the next checkpoint, with state kept.
        cancelling: Set from outside: stop at the next report.
    """

    out_dir: Path
    inputs: Mapping[str, Path] = field(default_factory=dict)
    device: str = "cpu"
    resume_from: Path | None = None
    adjustments: Adjustments = UNADJUSTED
    checkpoints: Path | None = None
    checkpoint_seconds: float = 30.0
    on_phase: Callable[[str], None] = _ignore
    on_report: Callable[[int, int, Mapping[str, float]], None] = _ignore
    on_log: Callable[[str], None] = _ignore
    stopping: bool = False
    cancelling: bool = False
    _saved_at: float = field(default_factory=time.monotonic)
    _loaded: dict[Path, Any] = field(default_factory=dict)

    def phase(self, name: Phase) -> None:
        """Say which part of the work begins."""
        self.on_phase(name)

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell how far the work is."""
        if self.cancelling:
            raise Cancelled
        self.on_report(step, total, metrics)

    def preview(self, name: str, step: int, path: Path) -> None:
        """Copy a file made at a step into ``previews/``."""
        target = self.out_dir / "previews" / f"{name}-{step:08d}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> None:
        """Write a checkpoint when one is due; only the newest is kept."""
        due = time.monotonic() - self._saved_at >= self.checkpoint_seconds
        if self.checkpoints is not None and (due or self.stopping):
            self._write(self.checkpoints, step, write)
        if self.stopping:
            raise Paused

    def _write(self, root: Path, step: int, write: Callable[[Path], None]) -> None:
        root.mkdir(parents=True, exist_ok=True)
        temporary, final = root / ".writing", root / f"step-{step:08d}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        write(temporary)
        shutil.rmtree(final, ignore_errors=True)
        temporary.rename(final)
        for old in root.glob("step-*"):
            if old != final:
                shutil.rmtree(old)
        self._saved_at = time.monotonic()

    def log(self, message: str) -> None:
        """Show a line."""
        self.on_log(message)

    def warm(self, source: Path, load: Callable[[Path], T]) -> T:
        """Return ``load(source)``, loaded once in this run."""
        if source not in self._loaded:
            self._loaded[source] = load(source)
        loaded: T = self._loaded[source]
        return loaded


def newest_checkpoint(root: Path) -> Path | None:
    """The checkpoint with the highest step in a directory, if there is one."""
    found = [path for path in root.glob("step-*") if STEP.search(path.name)]
    return max(found, key=lambda path: path.name, default=None)


def perform(family: str, operation: str, params: Params, run: LocalRun) -> Metrics:
    """Carry out one operation; its results lie in the run's directory afterwards."""
    home = families()[family].operations[operation].__module__.rpartition(".")[0]  # maybe a third party's package
    function = getattr(import_module(f"{home}.model"), operation)
    run.out_dir.mkdir(parents=True, exist_ok=True)
    metrics: Metrics = function(params, run)
    return metrics


def open_dataset(source: str, into: Path, run: LocalRun, kind: str = "") -> Path:
    """Turn a starter's name, a file or a directory of images into a dataset's directory.

    Args:
        source: The starter, the file, or a directory that is a dataset already.
        into: Where an import writes to.
        run: Is told how far the import is.
        kind: Kind of dataset that is wanted; empty leaves it to the content.

    Raises:
        InputError: There is no such thing, or it cannot be used.
    """
    path = Path(source)
    if (path / "dataset.json").is_file():
        return path
    if (path / "dataset" / "dataset.json").is_file():
        return path / "dataset"
    settings: Mapping[str, Any] = {}
    if not path.exists() and source in STARTERS:
        path, settings = STARTERS[source].path, STARTERS[source].params
        kind = STARTERS[source].kind
    with as_upload(path) as upload:
        (file,) = upload.iterdir()
        importing = LocalRun(into, {"upload": upload}, on_phase=run.on_phase, on_report=run.on_report)
        operation = f"import_{kinds.precheck(file, file.name, kind)}"
        params = families()["dataset"].operations[operation](**settings)
        perform("dataset", operation, params, importing)
    return into / "dataset"


@contextmanager
def as_upload(path: Path) -> Iterator[Path]:
    """A directory that holds one file: the given one, or a directory's files in a ZIP.

    Raises:
        InputError: There is no such file or directory.
    """
    if not path.exists():
        sentence = "There is no file or directory {file}. The starters are: {starters}."
        raise InputError(Fault(sentence, {"file": str(path), "starters": ", ".join(STARTERS)}, code="no-such-file"))
    with tempfile.TemporaryDirectory() as name:
        upload = Path(name)
        if path.is_file():
            (upload / path.name).symlink_to(path.resolve())
        else:
            with ZipFile(upload / f"{path.resolve().name}.zip", "w", ZIP_STORED) as archive:
                for file in sorted(path.rglob("*")):
                    if file.is_file():
                        archive.write(file, file.relative_to(path))
        yield upload


def dataset_id(directory: Path) -> str:
    """An id for a local dataset, from its content, as params want one."""
    content: str = json.loads((directory / "dataset.json").read_text(encoding="utf-8"))["hash"]
    return f"ds_{content[:26]}"


def open_model(source: str) -> Path:
    """The directory of a trained model: given itself, or the results of its training.

    Raises:
        InputError: There is none.
    """
    for path in (Path(source), Path(source) / "model"):
        if (path / "config.json").is_file():
            return path
    sentence = "There is no trained model in {file}. Give the directory of a training's results."
    raise InputError(Fault(sentence, {"file": source}, code="no-such-file"))
