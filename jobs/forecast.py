"""When a waiting job will start, as an interval from how long jobs of the same tasks took lately; or nothing."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor
from statistics import quantiles

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from jobs.positions import Waiting
from jobs.tables import Job

HISTORY = 20
FEWEST = 3  # with fewer finished jobs of a task nobody can tell
UNSURE = 0.2  # how far a running job's own estimate may be off, as a share
# The grain of what is told: finer figures would pretend to be exact, and change at every look.
GRAINS = ((60, 5), (600, 30), (3_600, 60), (36_000, 600))
COARSEST = 3_600

_LATELY = (
    select(Job.started_at, Job.finished_at)
    .where(
        Job.family == bindparam("family"),
        Job.operation == bindparam("operation"),
        Job.status == "succeeded",
        Job.finished_at.is_not(None),
    )
    .order_by(Job.finished_at.desc())
    .limit(HISTORY)
)


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds: the middle half of what is to be expected lies between."""

    low: float
    high: float


class Unknown(Exception):
    """There is not enough history to tell."""


def starts_in(session: Session, job: Job, before: Sequence[Waiting], slots: int, now: datetime) -> Span | None:
    """When a queued job will start; None when it may start at once, or nobody can tell.

    Every slot is free once what it runs has ended; the jobs before this one take the slots in order.

    Args:
        session: Only read from.
        job: The job.
        before: What will be taken before it, in order.
        slots: Live workers that take jobs of its lane and kind of device.
        now: The database's clock.
    """
    busy = select(Job).where(Job.status == "running", Job.lane == job.lane, Job.device_kind == job.device_kind)
    running = session.scalars(busy).all()
    if not slots or len(before) + len(running) < slots:
        return None
    history = _History(session)
    try:
        left = [_left(history, one, now) for one in running]
        taken = [history.of(row.family, row.operation) for row in before]
    except Unknown:
        return None
    free = [Span(0, 0)] * max(0, slots - len(running))
    low = _start([span.low for span in (*left, *free)], [span.low for span in taken])
    high = _start([span.high for span in (*left, *free)], [span.high for span in taken])
    return _rounded(Span(low, high))


class _History:
    """How long jobs of a task take: the quartiles of the last ones that succeeded."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, str], Span | None] = {}

    def of(self, family: str, operation: str) -> Span:
        """Raises :class:`Unknown`."""
        if (family, operation) not in self._known:
            self._known[family, operation] = self._look_up(family, operation)
        span = self._known[family, operation]
        if span is None:
            raise Unknown
        return span

    def _look_up(self, family: str, operation: str) -> Span | None:
        rows = self._session.execute(_LATELY, {"family": family, "operation": operation})
        seconds = [(row.finished_at - row.started_at).total_seconds() for row in rows if row.started_at]
        if len(seconds) < FEWEST:
            return None
        low, _, high = quantiles(seconds, n=4, method="inclusive")
        return Span(low, high)


def _left(history: _History, job: Job, now: datetime) -> Span:
    """What a running job still takes: by its own steps where it counts them, else by what others took."""
    elapsed = (now - job.started_at).total_seconds() if job.started_at else 0.0
    if job.attempt == 1 and job.total and job.step and job.started_at and job.progress_at:
        each = (job.progress_at - job.started_at).total_seconds() / job.step
        whole = each * job.total
        return Span(max(0, whole * (1 - UNSURE) - elapsed), max(0, whole * (1 + UNSURE) - elapsed))
    usual = history.of(job.family, job.operation)
    return Span(max(0, usual.low - elapsed), max(0, usual.high - elapsed))


def _start(free_in: list[float], taken: Sequence[float]) -> float:
    """When the first slot is free after the others before have taken theirs."""
    heapq.heapify(free_in)
    for seconds in taken:
        heapq.heapreplace(free_in, free_in[0] + seconds)
    return free_in[0]


def _rounded(span: Span) -> Span:
    grain = next((grain for below, grain in GRAINS if span.high < below), COARSEST)
    return Span(floor(span.low / grain) * grain, max(1, ceil(span.high / grain)) * grain)
