"""Which queued job a free worker should take: priority, then owners in turn, then what is warm already, then age."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from jobs.tables import Job, JobInput, OwnerTurn

WINDOW = 32
# A job that has waited this long is not passed any more by one whose model is warm.
PATIENCE = timedelta(seconds=60)


def claimable(lane: Any, device_kind: Any, now: Any) -> tuple[ColumnElement[bool], ...]:
    """What a job must be like to be taken in a lane."""
    return (
        Job.status == "queued",
        Job.lane == lane,
        Job.device_kind == device_kind,
        Job.not_before <= now,
        Job.cancel_requested_at.is_(None),
        or_(Job.expires_at.is_(None), Job.expires_at > now),
    )


# The statements are built once: putting them together would cost more than running them.
_FREE = (
    *claimable(bindparam("lane"), bindparam("device_kind"), bindparam("now")),
    Job.id.not_in(bindparam("passed", expanding=True)),
)
_PRIORITY = select(Job.priority).where(*_FREE).order_by(Job.priority.desc()).limit(1)
_EQUAL = (*_FREE, Job.priority == bindparam("priority"))
# The owner with a claimable job whose last claim is the oldest; one index look-up for each owner.
_TURN = (
    select(OwnerTurn.tenant_id, OwnerTurn.owner)
    .where(
        OwnerTurn.lane == bindparam("lane"),
        exists().where(Job.tenant_id == OwnerTurn.tenant_id, Job.owner == OwnerTurn.owner, *_EQUAL),
    )
    .order_by(OwnerTurn.claimed_at, OwnerTurn.tenant_id, OwnerTurn.owner)
    .limit(1)
)
_OLDEST = (
    select(Job.id, Job.created_at)
    .where(*_EQUAL, Job.tenant_id == bindparam("tenant_id"), Job.owner == bindparam("owner"))
    .order_by(Job.created_at, Job.id)
    .limit(bindparam("window"))
)
_ANY = select(Job.id).where(*_EQUAL).order_by(Job.created_at, Job.id).limit(1)
_WARM = select(JobInput.job_id).where(
    JobInput.job_id.in_(bindparam("jobs", expanding=True)),
    JobInput.model_id.in_(bindparam("warm", expanding=True)),
)


def pick(
    session: Session, lane: tuple[str, str], warm: frozenset[str], now: datetime, passed: Sequence[str]
) -> str | None:
    """The id of the job whose turn it is, or None when none waits.

    Args:
        session: Only read from.
        lane: The lane, and the kind of device.
        warm: Model versions that the worker holds in memory.
        now: The database's clock.
        passed: Jobs that another worker is just taking.
    """
    about = {"lane": lane[0], "device_kind": lane[1], "now": now, "passed": list(passed)}
    priority = session.scalar(_PRIORITY, about)
    if priority is None:
        return None
    about["priority"] = priority
    turn = session.execute(_TURN, about).one_or_none()
    if turn is None:  # a row that this code did not write has no turn; it is taken all the same
        return session.scalar(_ANY, about)
    about |= {"tenant_id": turn.tenant_id, "owner": turn.owner, "window": WINDOW if warm else 1}
    window = session.execute(_OLDEST, about).all()
    if not window:
        return None
    oldest: str = window[0].id
    if len(window) == 1 or now - window[0].created_at > PATIENCE:
        return oldest
    jobs = [row.id for row in window]
    warmed = set(session.scalars(_WARM, {"jobs": jobs, "warm": list(warm)}))
    return next((job for job in jobs if job in warmed), oldest)
