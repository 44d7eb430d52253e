"""The energy of attempts: what was used, what of it was lost, and what it cost.

An attempt's meter is written down with its heartbeats, so that a lost one has a figure, too, and with each
checkpoint, so that it is known how much of it a later attempt builds on. What is neither a success nor kept by a
checkpoint is wasted. Jobs of a moment are not metered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, bindparam, case, func, select, update
from sqlalchemy.orm import Session

from jobs.settings import Settings
from jobs.tables import Attempt

Source = Literal["nvml", "rapl", "estimate"]
JOULES_PER_WATT_HOUR = 3600.0
_KEPT = ("succeeded", "paused")


@dataclass(frozen=True, slots=True)
class Spent:
    """What an attempt has used so far.

    Attributes:
        joules: Energy.
        source: Which meter says so.
    """

    joules: float
    source: Source


Meter = Callable[[], Spent]


def note(session: Session, lease_id: str, spent: Spent, *, kept: bool) -> None:
    """Write down what an attempt has used; ``kept`` where a checkpoint or a result holds all it was used for."""
    values = {"lease": lease_id, "used": spent.joules, "source": spent.source}
    session.connection().execute(_KEEP if kept else _NOTE, values)


_ROW = Attempt.__table__
_NOTE = (
    update(_ROW)  # type: ignore[arg-type]
    .where(_ROW.c.lease_id == bindparam("lease"))
    .values(joules=bindparam("used"), energy_source=bindparam("source"))
)
_KEEP = _NOTE.values(joules_kept=bindparam("used"))


def ends_kept(outcome: str) -> bool:
    """Whether an attempt with this outcome leaves all that it did to a result or a checkpoint."""
    return outcome in _KEPT


@dataclass(frozen=True, slots=True)
class Energy:
    """The energy of one job.

    Attributes:
        watt_hours: Used by all attempts.
        wasted_watt_hours: Of it, what no result and no checkpoint holds.
        source: The meter; ``mixed`` where there were several.
        cost: What it cost; None where no price is set.
        wasted_cost: What of that was for nothing.
        currency: Of both.
    """

    watt_hours: float
    wasted_watt_hours: float
    source: Literal["nvml", "rapl", "estimate", "mixed"]
    cost: float | None
    wasted_cost: float | None
    currency: str


def _wasted() -> ColumnElement[float]:
    ended = Attempt.ended_at.is_not(None) & Attempt.outcome.not_in(_KEPT)
    return case((ended, Attempt.joules - func.coalesce(Attempt.joules_kept, 0.0)), else_=0.0)


_SUMS: Sequence[ColumnElement[Any]] = (
    func.sum(Attempt.joules).label("joules"),
    func.sum(_wasted()).label("wasted"),
    func.min(Attempt.energy_source).label("source"),
    func.max(Attempt.energy_source).label("other"),
)


def of_job(session: Session, settings: Settings, job_id: str) -> Energy | None:
    """The energy of a job's attempts; None where none was metered."""
    row = session.execute(select(*_SUMS).where(Attempt.job_id == job_id, Attempt.joules.is_not(None))).one()
    return None if row.joules is None else _energy(row, settings)


def _energy(row: Any, settings: Settings) -> Energy:
    used, wasted = (float(value or 0.0) / JOULES_PER_WATT_HOUR for value in (row.joules, row.wasted))
    price = settings.price_per_kwh / 1000
    return Energy(
        watt_hours=used,
        wasted_watt_hours=wasted,
        source=row.source if row.source == row.other else "mixed",
        cost=used * price if price else None,
        wasted_cost=wasted * price if price else None,
        currency=settings.currency,
    )
