"""The :class:`aigc_models.base.Run` that an operation gets in a runner: it speaks to the supervisor over the pipe."""

import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aigc_models.base import UNADJUSTED, Adjustments, Cancelled, Paused, Phase
from worker.model_cache import ModelCache

T = TypeVar("T")

PROGRESS_SECONDS = 0.25
POINT_SECONDS = 1.0
_EARLY_SHARE = 0.05  # young runs keep points closer together, so that a run of seconds has a curve, too
_RATE_WEIGHT = 0.3
_LEAST_SECONDS = 0.05  # a speed is reckoned from; steps that are told at once after the work say nothing of it
_LINE_LIMIT = 4000


class Sender(Protocol):
    """Sends messages to the supervisor: a pipe, or one job's part of it."""

    def send(self, kind: str, /, **fields: Any) -> None:
        """Write one message."""


@dataclass(slots=True)
class Requests:
    """What the supervisor has asked for; set by the thread that listens, read at every step."""

    cancel: bool = False
    pause: bool = False


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where and with what one operation runs.

    Attributes:
        device: A torch device string.
        inputs: Local, verified directories by the name of the setting.
        out_dir: Becomes the job's artifacts.
        scratch: For previews and checkpoints on their way to the supervisor; made when first needed.
        resume_from: The checkpoint to go on from.
        checkpoint_seconds: Least time between two checkpoints.
        adjustments: How to go gentler about the settings than they say.
    """

    device: str
    inputs: Mapping[str, Path]
    out_dir: Path
    scratch: Path
    resume_from: Path | None = None
    checkpoint_seconds: float = 30.0
    adjustments: Adjustments = UNADJUSTED


@dataclass(slots=True)
class _Progress:
    step: int = 0
    total: int = 0
    rate: float | None = None
    sent_at: float = field(default_factory=time.monotonic)
    sent_step: int = 0
    unsent: bool = False

    def advance(self, step: int, total: int, now: float) -> None:
        """Take the newest step into the smoothed speed; a step back starts anew (another phase, an evaluation)."""
        if step < self.sent_step or total != self.total:
            self.rate, self.sent_step, self.sent_at = None, step, now
        self.step, self.total, self.unsent = step, total, True

    def mark_sent(self, now: float) -> None:
        """Reckon the speed since the last message, or since one before that where it has just been sent."""
        passed, done, self.unsent = now - self.sent_at, self.step - self.sent_step, False
        if done > 0 and passed < _LEAST_SECONDS:
            return
        if done > 0:
            speed = done / passed
            self.rate = speed if self.rate is None else self.rate + _RATE_WEIGHT * (speed - self.rate)
        self.sent_at, self.sent_step = now, self.step


class PipeRun:
    """One run of one operation.

    Args:
        place: Device and directories.
        writer: Pipe to the supervisor.
        requests: What the supervisor asks for meanwhile.
        models: Models that stay loaded between runs.
    """

    def __init__(self, place: Workplace, writer: Sender, requests: Requests, models: ModelCache) -> None:
        self.device = place.device
        self.inputs = place.inputs
        self.out_dir = place.out_dir
        self.resume_from = place.resume_from
        self.adjustments = place.adjustments
        self._place = place
        self._writer = writer
        self._requests = requests
        self._models = models
        self._progress = _Progress()
        self._started = self._saved_at = time.monotonic()
        self._point_at = -math.inf
        self._files = 0

    def phase(self, name: Phase) -> None:
        """Say which part of the work begins."""
        self.flush()
        self._writer.send("phase", name=name)

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Tell how far the work is; a message leaves a few times a second, whatever the pace of the steps."""
        if self._requests.cancel:
            raise Cancelled
        now = time.monotonic()
        progress = self._progress
        progress.advance(step, total, now)
        last = step >= total
        if metrics and (last or now - self._point_at >= self._point_distance(now)):
            self._point_at = now
            self._send_progress(now, finite(metrics))
        elif last or now - progress.sent_at >= PROGRESS_SECONDS:
            self._send_progress(now, {})

    def preview(self, name: str, step: int, path: Path) -> None:
        """Show a file; it is copied, so the caller may overwrite it."""
        copy = self._scratch_path("preview").with_suffix(path.suffix)
        shutil.copyfile(path, copy)
        self.flush()
        self._writer.send("preview", name=name, step=step, path=str(copy))

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> None:
        """Save when one is due, or at once when the run is to stop with its state kept."""
        pausing = self._requests.pause
        if not pausing and time.monotonic() - self._saved_at < self._place.checkpoint_seconds:
            return
        self.flush()  # the curve up to here must be recorded before the state that continues it
        self._writer.send("saving", step=step)
        directory = self._scratch_path("checkpoint")
        directory.mkdir()
        write(directory)
        self._writer.send("checkpoint", step=step, path=str(directory))
        self._saved_at = time.monotonic()
        if pausing:
            raise Paused

    def log(self, message: str) -> None:
        """Add a line to the job's log."""
        for line in message.splitlines() or [""]:
            self._writer.send("log", line=line[:_LINE_LIMIT])

    def warm(self, source: Path, load: Callable[[Path], T]) -> T:
        """Load once per process what is read from the same place again."""
        return self._models.get(source, load)

    def flush(self) -> None:
        """Send the newest step, if it was held back."""
        if self._progress.unsent:
            self._send_progress(time.monotonic(), {})

    def _point_distance(self, now: float) -> float:
        return min(POINT_SECONDS, _EARLY_SHARE * (now - self._started))

    def _send_progress(self, now: float, values: Mapping[str, float]) -> None:
        progress = self._progress
        progress.mark_sent(now)
        self._writer.send("progress", step=progress.step, total=progress.total, rate=progress.rate, values=dict(values))

    def _scratch_path(self, kind: str) -> Path:
        self._files += 1
        self._place.scratch.mkdir(exist_ok=True)  # most short runs need none
        return self._place.scratch / f"{kind}-{os.getpid()}-{self._files}"


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """The figures that JSON and SQL can hold; NaN and infinity are left out."""
    numbers = {name: float(value) for name, value in metrics.items()}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}
