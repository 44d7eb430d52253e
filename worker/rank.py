"""``python -m worker.rank``: one of several processes that train together; ``torch.distributed.run`` starts them.

The first one speaks to the runner, in the words of :mod:`worker.protocol`, over a Unix socket in the directory that
both know; the others speak only when their part of the work fails. They meet by a file there, not by a port.
"""

import argparse
import json
import os
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from aigc_models import ranks
from aigc_models.base import Cancelled, Paused
from aigc_models.ranks import Follower, Parted
from worker import failures, linux
from worker.calls import read_params, taken, workplace
from worker.model_cache import ModelCache
from worker.pipe_run import PipeRun, Requests, Workplace, finite
from worker.protocol import Message, Reader, Writer
from worker.runner import operation_of
from worker.shared_place import JOB, SOCKET, STORE, keep, newest


class Line:
    """The connection to the runner."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(place / SOCKET))
        self.writer, self._reader = Writer(self.socket.fileno()), Reader(self.socket.fileno())
        self.requests = Requests()

    def listen(self) -> None:
        """Take requests, in a thread of its own; the end of the line is the end of this process."""
        threading.Thread(target=self._listen, name="requests", daemon=True).start()

    def _listen(self) -> None:
        while not self._reader.ended:
            for message in self._reader.read():
                self.requests.cancel = self.requests.cancel or message["kind"] == "cancel"
                self.requests.pause = self.requests.pause or message["kind"] == "pause"
        os._exit(0)


class FirstRun(PipeRun):
    """The run of the first rank: what it saves stays until the next checkpoint, for a start anew."""

    def __init__(self, place: Workplace, line: Line, shared: Path) -> None:
        super().__init__(place, line.writer, line.requests, ModelCache(0))
        self._shared, self._scratch = shared, place.scratch

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> None:
        """Save when one is due, and keep a second name of every file."""

        def both(directory: Path) -> None:
            write(directory)
            keep(directory, self._scratch / f"kept-{step}", self._shared, step)

        super().checkpoint(step, both)


def work(job: Message, shared: Path) -> int:
    """This rank's share of a training; the exit status, not 0 where all are to be started anew."""
    device = ranks.device_of(job["device"])
    store = shared / f"{STORE}-{os.environ['TORCHELASTIC_RESTART_COUNT']}"
    found = newest(shared)
    resumed = dict(job) if found is None else {**job, "resume_from": str(found[1])}
    first = os.environ["RANK"] == "0"
    line = Line(shared) if first else None
    try:
        with ranks.joined(device, store):
            _train({**resumed, "device": device}, line, shared)
    except Parted:
        traceback.print_exc()
        return 1
    return 0


def _train(job: Message, line: Line | None, shared: Path) -> None:
    act = operation_of(job["family"], job["operation"])
    place = workplace(job)
    try:
        params = read_params(job)
        if line is None:
            with tempfile.TemporaryDirectory(prefix="rank", dir=shared) as unread:
                run = Follower(place.device, place.inputs, Path(unread), place.resume_from, place.adjustments)
                ranks.follow(lambda own: act(params, own), run)
            return
        line.listen()
        line.writer.send("ready")
        own = FirstRun(place, line, shared)
        metrics = act(params, own)
        own.flush()
        line.writer.send("end", outcome="succeeded", metrics=finite(metrics), **taken(place.device))
    except (Parted, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever model code raises is an outcome
        _tell(error, line or Line(shared))


def _tell(error: Exception, line: Line) -> None:
    if isinstance(error, Cancelled | Paused):
        line.writer.send("end", outcome="cancelled" if isinstance(error, Cancelled) else "paused")
        return
    traceback.print_exception(error)
    sys.stderr.flush()
    line.writer.send("end", **failures.from_exception(error).as_message())


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="worker.rank", description="Started by a runner, not by hand.")
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory-share", type=float, default=1.0)
    options = parser.parse_args(arguments)
    linux.die_with_parent(options.parent)
    linux.be_killed_first()
    torch.set_num_threads(options.threads)
    job: dict[str, Any] = json.loads((options.shared / JOB).read_text(encoding="utf-8"))
    if options.memory_share < 1 and job["device"].startswith("cuda"):
        torch.cuda.set_per_process_memory_fraction(options.memory_share, int(os.environ["LOCAL_RANK"]))
    return work(job, options.shared)


if __name__ == "__main__":
    sys.exit(main())
