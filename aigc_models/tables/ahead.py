"""Blocks of rows that are proposed beside each other, each by one thread, while the one before them is sifted.

Most of what a block takes are operations too small to be shared out among cores, so blocks are, which come from streams
of draws of their own. Every block is worked out by one core, whatever the number of cores: its rows are the same on a
machine with two of them as on one with sixty.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, Self, TypeVar

import torch

T = TypeVar("T")
_FEWEST = 3  # blocks for which threads are worth starting


class Ahead(Generic[T]):
    """Work on numbered blocks, some of them ahead of time.

    Args:
        work: What is done for a block; it must not change anything that another block sees.
        blocks: How many there are.
        threads: How many are worked on at once; 1 works on each when it is asked for.
    """

    def __init__(self, work: Callable[[int], T], blocks: int, threads: int) -> None:
        self._work, self._blocks = work, blocks
        self._threads = threads if blocks >= _FEWEST else 1
        self._own = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        self._begun: dict[int, Future[T]] = {}

    def __enter__(self) -> Self:
        if self._threads > 1:
            self._pool = ThreadPoolExecutor(self._threads, "block", initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            torch.set_num_threads(self._own)  # what threads start with is shared, and was 1 for those of the pool

    def take(self, block: int) -> T:
        """The result for a block; those after it are begun."""
        if self._pool is None:
            return self._work(block)
        for later in range(block, min(block + 2 * self._threads, self._blocks)):
            if later not in self._begun:
                self._begun[later] = self._pool.submit(self._work, later)
        return self._begun.pop(block).result()
