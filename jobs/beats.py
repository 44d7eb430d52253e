"""What a heartbeat tells, and the moves that write it down: the lease renewed, or the job ended well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, case

from jobs.db import UtcDateTime
from jobs.moves import Move, NewEvent, Rule, state_event
from jobs.naming import plain
from jobs.settings import Settings
from jobs.tables import Job

Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class Beat:
    """What happened since the last heartbeat; everything may be left out.

    Attributes:
        phase: The present phase.
        step: The present step.
        total: Steps in all.
        rate: Items per second.
        points: Figures by step.
        lines: Lines of the log.
        phases: Phases begun since the last heartbeat, in order.
    """

    phase: str | None = None
    step: int | None = None
    total: int | None = None
    rate: float | None = None
    points: Sequence[tuple[int, Mapping[str, float]]] = ()
    lines: Sequence[str] = ()
    phases: Sequence[str] = ()


NOTHING = Beat()

# By whether a step is told, which counts as progress if it is another one, and whether the work is done.
_PROGRESS = case((Job.step != bindparam("moved_to"), bindparam("now", type_=UtcDateTime)), else_=Job.progress_at)
_HELD = {
    (moves, done): Rule(
        [Job.lease_id == bindparam("lease")],
        ({"progress_at": _PROGRESS} if moves else {}) | ({"step": Job.total} if done else {}),
    )
    for moves in (False, True)
    for done in (False, True)
}


def renewal(settings: Settings, beat: Beat, metrics: Figures, now: datetime) -> Move:
    """The move of a heartbeat.

    Args:
        settings: Say how long a lease holds.
        beat: What there is to tell.
        metrics: The last value of each figure, if the beat tells any.
        now: The database's clock.
    """
    given = {"phase": beat.phase, "step": beat.step, "total": beat.total, "rate": beat.rate}
    values: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if beat.points:
        values["metrics"] = dict(metrics)
    visible = bool(values or beat.lines or beat.phases)
    values["lease_until"] = now + timedelta(seconds=settings.lease_seconds)
    events = [NewEvent("phase", {"phase": phase}) for phase in beat.phases]
    events += [NewEvent("log", {"level": "info", "message": plain(line)}) for line in beat.lines]
    rule, bound = _HELD[beat.step is not None, False], {"moved_to": beat.step, "now": now}
    return Move("running", "running", values, events, visible, rule, bound if beat.step is not None else {})


def success(settings: Settings, last: Beat, metrics: Figures, final: Figures, now: datetime) -> Move:
    """The move of a success, with what happened since the last heartbeat.

    Args:
        settings: As in :func:`renewal`.
        last: What there is still to tell.
        metrics: As in :func:`renewal`.
        final: The figures of the result, if it has any.
        now: The database's clock.
    """
    told = renewal(settings, last, metrics, now)
    values = {**told.values, **({"metrics": dict(final)} if final else {}), "phase": None, "step": last.total}
    if last.total is None:
        del values["step"]  # the total is in the row
    rule, events = _HELD[last.step is not None, last.total is None], [*told.events, state_event("succeeded")]
    return replace(told, target="succeeded", values=values, events=events, rule=rule, visible=True)
