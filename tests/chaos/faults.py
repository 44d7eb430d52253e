"""The faults: each kills one thing the way a machine would, then brings back what nobody else restarts."""

import contextlib
import os
import random
import signal
from collections.abc import Callable

from tests.chaos.processes import Stack


def kill_runner(stack: Stack, rng: random.Random) -> None:
    """A crash or the kernel's out-of-memory killer takes the process that holds torch."""
    _kill_one(stack.runners(), rng)


def kill_slot(stack: Stack, rng: random.Random) -> None:
    """The supervisor of a slot dies; its launcher starts another."""
    _kill_one(stack.slots(), rng)


def kill_worker(stack: Stack, rng: random.Random) -> None:
    """The whole worker dies, as when a host goes away, and comes back."""
    stack.worker.kill()
    stack.worker.start()


def kill_scheduler(stack: Stack, rng: random.Random) -> None:
    """The scheduler dies and comes back."""
    stack.scheduler.kill()
    stack.scheduler.start()


def wipe_broker(stack: Stack, rng: random.Random) -> None:
    """The broker dies and comes back without a single message."""
    stack.broker.kill()
    stack.broker.start()


FAULTS: tuple[Callable[[Stack, random.Random], None], ...] = (
    kill_runner,
    kill_slot,
    kill_worker,
    kill_scheduler,
    wipe_broker,
)


def _kill_one(pids: list[int], rng: random.Random) -> None:
    if pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(pids), signal.SIGKILL)
