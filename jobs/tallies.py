"""Figures that only grow - ends, claims, losses, times - without counting a long history at every look.

The scheduler adds up what ended until some seconds ago (:func:`fold`); a look (:func:`read`) adds what ended since, and
what has been tried without an end so far. Both read by an index, so that a look costs the same at a million jobs. They
are kept in SQL and not in a process: any number of web processes and schedulers tell the same, and none forgets.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, literal_column, select, update
from sqlalchemy.orm import Session

from aigc_models import registry
from jobs.engine import Engine
from jobs.tables import FINAL, TRIED, Attempt, Blob, Job, Tally, TallyMark

# No transaction lasts that long: whatever ended before has been committed.
SETTLED = timedelta(seconds=15)
WINDOW = timedelta(minutes=10)
ROUND = 200  # windows at a time, where no scheduler ran for long
BOUNDS = (0.1, 0.5, 1, 5, 15, 60, 300, 1_800, 7_200, 43_200)  # seconds
SECONDS, WAIT = "job_seconds", "job_wait_seconds"

AT_ONCE = 500

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, Labels]
Sums = dict[Key, float]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Jobs of one status, lane and kind of device that have not ended: how many, and since when the oldest."""

    status: str
    lane: str
    device: str
    count: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Figures:
    """What there is to say at one moment.

    Attributes:
        now: The database's clock.
        open: What has not ended.
        sums: What only grows, by name and labels.
        stored: Files and bytes in the store when they were last counted.
    """

    now: datetime
    open: Sequence[Waiting]
    sums: Mapping[Key, float]
    stored: tuple[int, int]


def read(session: Session, now: datetime) -> Figures:
    """All figures at this moment."""
    sums: Sums = defaultdict(float)
    mark = session.get(TallyMark, 1)
    for row in session.execute(select(Tally.name, Tally.labels, Tally.value)):
        sums[row.name, tuple(json.loads(row.labels).items())] += row.value
    if mark is not None:
        for key, value in _ended(session, mark.until, None).items():
            sums[key] += value
    _add_tries(sums, session.execute(_TRIES))
    rows = session.execute(_OPEN)
    stored = (mark.stored_files, mark.stored_bytes) if mark is not None else (0, 0)
    return Figures(now, [Waiting(*row) for row in rows], sums, stored)


def fold(engine: Engine, settled: timedelta = SETTLED) -> int:
    """Add up what has ended since the last time; gives the number of windows. The first time only sets the mark."""
    return next((done for done in range(ROUND) if not engine.db.transact(_folding(settled))), ROUND)


def count_store(engine: Engine) -> None:
    """Note what the store holds; the one figure that is counted row by row, so seldom and by the scheduler."""
    with engine.db.read() as session:
        files, size = session.execute(select(func.count(), func.coalesce(func.sum(Blob.size), 0))).one()
    with engine.db.begin() as session:
        session.execute(update(TallyMark).values(stored_files=files, stored_bytes=size))


def _folding(settled: timedelta) -> Any:
    def work(session: Session, now: datetime) -> bool:
        until = session.scalar(select(TallyMark.until))
        if until is None:
            session.add(TallyMark(id=1, until=now))
            return False
        to = min(until + WINDOW, now - settled)
        moved = update(TallyMark).where(TallyMark.until == until).values(until=to)
        if to <= until or session.connection().execute(moved).rowcount != 1:
            return False  # another scheduler is at it
        for (name, labels), value in _ended(session, until, to).items():
            _add(session, name, json.dumps(dict(labels)), value)
        return True

    return work


def _add(session: Session, name: str, labels: str, value: float) -> None:
    grown = update(Tally).where(Tally.name == name, Tally.labels == labels).values(value=Tally.value + value)
    if session.connection().execute(grown).rowcount == 0:
        session.add(Tally(name=name, labels=labels, value=value))


def _ended(session: Session, since: datetime, to: datetime | None) -> Sums:
    """What ended from one time on and before another."""
    tasks = [name.partition(".") for name in registry.tasks()]
    rows = select(
        Job.id, Job.status, Job.lane, Job.device_kind, Job.attempt, Job.worker_losses, Job.app_failures,
        Job.not_before, Job.started_at, Job.finished_at, Job.failure,
    ).where(
        Job.family.in_(sorted({family for family, _, _ in tasks})),
        Job.operation.in_(sorted({operation for _, _, operation in tasks})),
        Job.status.in_(FINAL),
        Job.finished_at >= since,
    )  # fmt: skip
    sums: Sums = defaultdict(float)
    places: dict[str, Labels] = {}
    for job in session.execute(rows if to is None else rows.where(Job.finished_at < to)):
        where = places[job.id] = (("lane", job.lane), ("device", job.device_kind))
        sums["jobs_ended", (("status", job.status), *where)] += 1
        if job.failure is not None and job.status == "failed":
            sums["job_failures", (("code", str(job.failure.get("code"))),)] += 1
        _add_tries(sums, [(job.lane, job.device_kind, job.attempt, job.worker_losses, job.app_failures)])
        if job.started_at is not None and job.status == "succeeded":
            _observe(sums, SECONDS, where, job.finished_at - job.started_at)
        if job.started_at is not None and job.attempt == 1:
            _observe(sums, WAIT, where, job.started_at - job.not_before)
    _add_energy(session, sums, places)
    return sums


def _add_energy(session: Session, sums: Sums, places: Mapping[str, Labels]) -> None:
    """What the attempts of jobs took, and what of it went into work that was kept."""
    ids = list(places)
    for start in range(0, len(ids), AT_ONCE):
        mine = (Attempt.job_id.in_(ids[start : start + AT_ONCE]), Attempt.joules.is_not(None))
        spent = select(Attempt.job_id, func.sum(Attempt.joules), func.sum(Attempt.joules_kept)).where(*mine)
        for job_id, taken, kept in session.execute(spent.group_by(Attempt.job_id)):
            sums["energy_joules", places[job_id]] += taken or 0
            sums["energy_kept_joules", places[job_id]] += kept or 0


def _add_tries(sums: Sums, rows: Iterable[Any]) -> None:
    for lane, device, claims, losses, failures in rows:
        where = (("lane", lane), ("device", device))
        for name, count in (("claims", claims), ("worker_losses", losses), ("job_retries", failures)):
            sums[name, where] += count


def _observe(sums: Sums, name: str, where: Labels, time: timedelta) -> None:
    """Put a time into a histogram: each bucket counts what took at most so long."""
    seconds = max(0.0, time.total_seconds())
    for bound in BOUNDS:
        sums[f"{name}_bucket", (*where, ("le", f"{bound:g}"))] += seconds <= bound
    sums[f"{name}_bucket", (*where, ("le", "+Inf"))] += 1
    sums[f"{name}_sum", where] += seconds
    sums[f"{name}_count", where] += 1


# Conditions and columns as their indexes have them.
_TRIES = (
    select(Job.lane, Job.device_kind, func.sum(Job.attempt), func.sum(Job.worker_losses), func.sum(Job.app_failures))
    .where(literal_column(TRIED))
    .group_by(Job.lane, Job.device_kind)
)
_OPEN = (
    select(Job.status, Job.lane, Job.device_kind, func.count(), func.min(Job.created_at))
    .where(Job.status.in_(("blocked", "queued", "running", "paused")))
    .group_by(Job.status, Job.lane, Job.device_kind)
)
