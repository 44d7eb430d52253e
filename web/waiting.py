"""Waiting for a job inside a request: how many threads may do it, and how the row is watched."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from sqlalchemy import bindparam, select

from jobs.engine import Engine
from jobs.tables import FINAL, Job

FIRST_PAUSE = 0.0005
LAST_PAUSE = 0.25
GROWTH = 1.1  # what ends after some time is seen a twentieth of that later, on average
LONGEST_WAIT = 60.0


class Budget:
    """A number of threads that may be held at the same time."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = threading.BoundedSemaphore(size)

    def take(self) -> bool:
        """Take one if there is one; never waits."""
        return self._free.acquire(blocking=False)

    def give(self) -> None:
        """Give one back."""
        self._free.release()

    @contextmanager
    def hold(self) -> Iterator[bool]:
        """Hold one during the block; yields whether there was one."""
        taken = self.take()
        try:
            yield taken
        finally:
            if taken:
                self.give()


class Seen(NamedTuple):
    """As much of a job's row as says whether anything changed."""

    version: int
    status: str
    last_seq: int

    @property
    def final(self) -> bool:
        """Whether the job will not change any more."""
        return self.status in FINAL


def look(engine: Engine, job_id: str) -> Seen | None:
    """Read what tells whether a job changed: one indexed row, three columns."""
    with engine.db.read() as session:
        row = session.connection().execute(_LOOK, {"id": job_id}).one_or_none()
    return Seen(*row) if row else None


_LOOK = select(Job.version, Job.status, Job.last_seq).where(Job.id == bindparam("id"))


def watch(engine: Engine, job_id: str, until: Callable[[Seen], bool], seconds: float) -> Seen | None:
    """Look at a job until it satisfies ``until``, disappears, or the time is over.

    The first looks come quickly, because a warm generation takes milliseconds; a training is
    looked at four times a second.
    """
    deadline = time.monotonic() + min(seconds, LONGEST_WAIT)
    pause = FIRST_PAUSE
    while True:
        seen = look(engine, job_id)
        left = deadline - time.monotonic()
        if seen is None or until(seen) or left <= 0:
            return seen
        time.sleep(min(pause, left))
        pause = min(pause * GROWTH, LAST_PAUSE)
