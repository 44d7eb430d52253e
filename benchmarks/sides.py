"""Two sides of a comparison, each in a process of its own, as it is run in real life, taking turns.

What a side sets for its process (allocator, denormals, threads) must not help or hinder the other.
"""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self


class Trains(Protocol):
    """A training that goes step by step."""

    def step(self) -> int:
        """Take one step; returns how many items it worked on."""


class Side:
    """A training in a process of its own.

    Args:
        make: Builds it, there; a function that can be imported.
        arguments: Passed to ``make``.
    """

    def __init__(self, make: Callable[..., Trains], *arguments: Any) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawning.Pipe()
        self._process = spawning.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe.close()
        self._process.join()

    def run(self, steps: int) -> float:
        """Take steps; returns items a second."""
        return float(self._ask("run", steps))

    def call(self, name: str, *arguments: Any) -> Any:
        """Call another method of the training."""
        return self._ask("call", name, *arguments)

    def _ask(self, *request: Any) -> Any:
        self._pipe.send(request)
        return self._pipe.recv()


def in_turns(sides: Sequence[Side], blocks: int, steps: int) -> list[float]:
    """Median items a second of each side, measured in blocks that take turns; the first block warms up."""
    rates: list[list[float]] = [[] for _ in sides]
    for block in range(blocks + 1):
        for side, measured in zip(sides, rates, strict=True):
            rate = side.run(steps)
            if block:
                measured.append(rate)
    return [statistics.median(measured) for measured in rates]


def _serve(pipe: Any, make: Callable[..., Trains], arguments: tuple[Any, ...]) -> None:
    training = make(*arguments)
    while True:
        try:
            kind, *request = pipe.recv()
        except EOFError:
            return
        if kind == "run":
            started = time.perf_counter()
            done = sum(training.step() for _ in range(request[0]))
            pipe.send(done / (time.perf_counter() - started))
        else:
            pipe.send(getattr(training, request[0])(*request[1:]))
