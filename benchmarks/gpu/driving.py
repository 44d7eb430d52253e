"""Driving a runner by hand, as a supervisor would."""

import select
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.gpu.runs import dataset
from worker.devices import Device
from worker.protocol import Message
from worker.runner_pool import Runner, RunnerSpec, start_runner

SECONDS = 150.0


class Driven:
    """A runner and what it has said.

    Args:
        runner: The process.
        device: What it was given.
        work: Where datasets and its results lie.
    """

    def __init__(self, runner: Runner, device: Device, work: Path) -> None:
        self.runner, self._device, self._work = runner, device, work
        self._said: deque[Message] = deque()

    def train(self, family: str, settings: Mapping[str, Any], **more: Any) -> Path:
        """Have it train a family on its bundled data; the directory of the results."""
        place = self._work / f"runner-{self.runner.pid}"
        for name in ("out", "scratch"):
            (place / name).mkdir(parents=True)
        asked: dict[str, Any] = {
            "family": family,
            "operation": "train",
            "params": {"dataset": "ds_" + "0" * 26, **settings},
            "inputs": {"dataset": str(dataset(family, self._work))},
            "out_dir": str(place / "out"),
            "scratch": str(place / "scratch"),
            "resume_from": None,
            "device": self._device.torch_name,
            "checkpoint_seconds": 3600.0,
            "adjustments": {},
        }
        self.runner.send("run", **asked | more)
        return place / "out"

    def hear(self, kind: str, after: int = -1) -> Message:
        """The next message of a kind; of progress, one of a later step. What is said before it is passed over."""
        end = time.monotonic() + SECONDS
        while True:
            while self._said:
                message = self._said.popleft()
                if message["kind"] == kind and message.get("step", 0) > after:
                    return message
                assert message["kind"] != "end", message
            left = max(0.0, end - time.monotonic())
            assert select.select([self.runner.events.fd], [], [], left)[0], "the runner is silent"
            self._said.extend(self.runner.read())
            assert self._said or not self.runner.events.ended, self.runner.tail.text()


@contextmanager
def runner_on(device: Device, work: Path, share: float = 1.0) -> Iterator[Driven]:
    """A runner that sees one device, and maybe only a share of its memory."""
    runner = start_runner(RunnerSpec(threads=4, environment=device.environment, memory_share=share))
    try:
        yield Driven(runner, device, work)
    finally:
        print(runner.tail.text()[-3000:])
        runner.close()
