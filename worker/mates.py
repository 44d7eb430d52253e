"""Further processes of a runner that trains on several devices: each computes its share of every batch on its own one.

The runner is rank 0: it alone reports, shows and saves. Its mates die with it, by the kernel's hand, and it does not
outlive one of them: a training that misses a rank ends, and the job's next attempt goes on from its last checkpoint.
"""

import json
import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aigc_models import ranks
from aigc_models.base import Phase
from worker import failures, linux
from worker.failures import Ending
from worker.pipe_run import PipeRun
from worker.protocol import BrokenProtocol, Message, Reader

MISSED = "The process of device {rank} of {devices} ended while they trained together (exit status {status})."
_MEETING, _ORDERS = "meeting", "orders.json"  # in the attempt's scratch directory
_CAUSE_SECONDS = 5.0  # what an error of this process waits for a mate to be found dead, which would explain it


class LeadRun(PipeRun):
    """The run of rank 0: when the training is over, it goes on alone."""

    def phase(self, name: Phase) -> None:
        """Say which part of the work begins; the mates leave where the evaluation does."""
        if name == "evaluating":
            ranks.leave()
        super().phase(name)


class Mates:
    """The ranks that a runner starts beside itself.

    Args:
        job: The message ``run`` that it got. Names the ``devices`` of all ranks, the descriptors that each of them
            holds open (``held``), and the seconds that one waits for another (``patience``).
        on_loss: Called once, from a thread of its own, when a rank ends before the training does.
    """

    def __init__(self, job: Message, on_loss: Callable[[Ending], None]) -> None:
        self._count, self._held, self._on_loss = len(job["devices"]), job["held"], on_loss
        self._lost, self._closing = threading.Event(), False
        self._oom_kills = linux.oom_kills()
        orders = Path(job["scratch"]) / _ORDERS
        orders.parent.mkdir(exist_ok=True)
        told = {name: value for name, value in job.items() if name != "requests"}
        orders.write_text(json.dumps(told), encoding="utf-8")
        # In this thread: the kernel kills them when it ends.
        self._mates = [self._start(orders, rank) for rank in range(1, self._count)]
        threading.Thread(target=self._watch, name="mates", daemon=True).start()

    def explain(self) -> None:
        """Hear why this rank could not go on, if that is a mate's loss; a broken connection is noticed before it.

        Does not return if it is: who is told of the loss ends this process.
        """
        if self._lost.wait(_CAUSE_SECONDS):
            threading.Event().wait()

    def close(self) -> None:
        """Kill those that are left."""
        self._closing = True
        for process, _ in self._mates:
            process.kill()
        for process, _ in self._mates:
            process.wait()

    def _start(self, orders: Path, rank: int) -> "tuple[subprocess.Popen[bytes], Reader]":
        events, write = os.pipe()
        arguments = [f"--orders={orders}", f"--rank={rank}", f"--events={write}", f"--parent={os.getpid()}"]
        command = [sys.executable, "-m", "worker.rank", *arguments]
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=(write, *self._held))
        finally:
            os.close(write)
        return process, Reader(events)

    def _watch(self) -> None:
        """Wait for their ends: a mate's pipe closes with it."""
        with selectors.DefaultSelector() as selector:
            for rank, (_, events) in enumerate(self._mates, 1):
                selector.register(events.fd, selectors.EVENT_READ, rank)
            while selector.get_map():
                for key, _ in selector.select():
                    process, events = self._mates[key.data - 1]
                    said = _read(events)
                    selector.unregister(key.fd)
                    end = self._judged(key.data, process, said)
                    if end is not None and not self._closing:
                        self._lost.set()
                        self._on_loss(end)
                        return

    def _judged(self, rank: int, process: "subprocess.Popen[bytes]", said: Message | None) -> Ending | None:
        """What the end of one means; nothing where the training was over."""
        if said is not None:
            return failures.from_message(said)
        status = process.wait()
        if status == 0:
            return None
        if linux.oom_kills() > self._oom_kills:
            return failures.from_exit(status, oom_killed=True)
        return failures.ending("internal", MISSED, rank=rank, devices=self._count, status=status)


def _read(events: Reader) -> Message | None:
    try:
        return next(iter(events.read()), None)
    except BrokenProtocol:
        return None


def meet(job: Mapping[str, Any], rank: int) -> None:
    """Join the other ranks of a job."""
    meeting = Path(job["scratch"]) / _MEETING
    ranks.join(ranks.Meeting(meeting, rank, job["devices"], job["patience"]))
