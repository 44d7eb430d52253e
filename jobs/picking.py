"""Which queued job a free worker should take: priority, then owners in turn, then what is warm already, then age.

Nobody waits for ever: a job that has waited a while competes with the most urgent ones (aging), and
one whose model is cold is passed for at most :data:`PATIENCE` by those whose model is warm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from jobs.tables import Job, JobInput, OwnerTurn

WINDOW = 32
# A job that has waited this long is not passed any more by one whose model is warm.
PATIENCE = timedelta(seconds=60)
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # the turn of an owner that no worker has served yet


@dataclass(frozen=True, slots=True)
class Wish:
    """What a worker may take.

    Attributes:
        lane: Its lane.
        device_kind: What it computes on.
        aging: Waiting time that makes up for one level of priority.
        quota: Jobs of one owner that may run in the lane at a time; 0 for any number.
        warm: Model versions that it holds in memory.
    """

    lane: str
    device_kind: str
    aging: timedelta
    quota: int = 0
    warm: frozenset[str] = frozenset()


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


def below_quota(lane: str, quota: int) -> ColumnElement[bool]:
    """Guard of a claim: the job's owner has fewer than ``quota`` jobs running in the lane.

    Two claims of one owner must not read this at the same time: :mod:`jobs.claiming` holds the
    owner's turn meanwhile.
    """
    other = aliased(Job)
    running = select(func.count()).where(
        other.status == "running", other.lane == lane, other.tenant_id == Job.tenant_id, other.owner == Job.owner
    )
    return running.correlate(Job).scalar_subquery() < quota


def full_owners(session: Session, lane: str, quota: int) -> list[tuple[str, str]]:
    """Tenants and owners who have as many jobs running in a lane as they may."""
    if not quota:
        return []
    return [(row.tenant_id, row.owner) for row in session.execute(_FULL, {"lane": lane, "quota": quota})]


@dataclass(frozen=True, slots=True)
class _Queries:
    """Statements over the same jobs. Built once: putting them together would cost more than running them."""

    turn: Any
    oldest: Any
    any: Any


def _queries(*eligible: ColumnElement[bool]) -> _Queries:
    """The owner with an eligible job whose last claim is the oldest (an index look-up for each); that owner's jobs."""
    return _Queries(
        turn=select(OwnerTurn.tenant_id, OwnerTurn.owner)
        .where(
            OwnerTurn.lane == bindparam("lane"),
            exists().where(Job.tenant_id == OwnerTurn.tenant_id, Job.owner == OwnerTurn.owner, *eligible),
        )
        .order_by(OwnerTurn.claimed_at, OwnerTurn.tenant_id, OwnerTurn.owner)
        .limit(1),
        oldest=select(Job.id, Job.created_at)
        .where(*eligible, Job.tenant_id == bindparam("tenant_id"), Job.owner == bindparam("owner"))
        .order_by(Job.created_at, Job.id)
        .limit(bindparam("window")),
        any=select(Job.id).where(*eligible).order_by(Job.created_at, Job.id).limit(1),
    )


def _extremes(free: Sequence[ColumnElement[bool]]) -> Select[Any]:
    """The highest and the lowest priority that waits."""
    levels = select(Job.priority).where(*free).limit(1)
    return select(
        levels.order_by(Job.priority.desc()).scalar_subquery().label("top"),
        levels.order_by(Job.priority).scalar_subquery().label("low"),
    )


_FULL = (
    select(Job.tenant_id, Job.owner)
    .where(Job.status == "running", Job.lane == bindparam("lane"))
    .group_by(Job.tenant_id, Job.owner)
    .having(func.count() >= bindparam("quota"))
)
_FREE = (
    *claimable(bindparam("lane"), bindparam("device_kind"), bindparam("now")),
    Job.id.not_in(bindparam("passed", expanding=True)),
)
_ALLOWED = (*_FREE, tuple_(Job.tenant_id, Job.owner).not_in(bindparam("full", expanding=True)))
_URGENT = Job.priority == bindparam("priority")
_OVERDUE = Job.created_at <= bindparam("overdue")
# By whether some owner has as many running as it may, and whether something waits too long below the top priority.
_LEVELS = {False: _extremes(_FREE), True: _extremes(_ALLOWED)}
_LATE = {
    bounded: select(Job.id).where(*free, Job.priority < bindparam("priority"), _OVERDUE).limit(1)
    for bounded, free in ((False, _FREE), (True, _ALLOWED))
}
_QUERIES = {
    (bounded, late): _queries(*free, or_(_URGENT, _OVERDUE) if late else _URGENT)
    for bounded, free in ((False, _FREE), (True, _ALLOWED))
    for late in (False, True)
}
_WARM = select(JobInput.job_id).where(
    JobInput.job_id.in_(bindparam("jobs", expanding=True)),
    JobInput.model_id.in_(bindparam("warm", expanding=True)),
)


def overdue(now: datetime, aging: timedelta, top: int, low: int) -> datetime:
    """Jobs made before this have waited long enough to compete with those of the top priority.

    So a job is never passed by more urgent ones for longer than ``aging`` times the distance between
    the highest and the lowest priority that waits. From then on each turn of its owner takes the
    owner's oldest job, and with N owners waiting that turn comes at least every N claims.
    """
    return now - aging * (top - low)


def pick(session: Session, wish: Wish, now: datetime, passed: Sequence[str] = ()) -> str | None:
    """The id of the job whose turn it is, or None when none waits.

    Args:
        session: Only read from.
        wish: What the worker may take.
        now: The database's clock.
        passed: Jobs that another worker is just taking.
    """
    about: dict[str, Any] = {"lane": wish.lane, "device_kind": wish.device_kind, "now": now, "passed": list(passed)}
    full = full_owners(session, wish.lane, wish.quota)
    if full:
        about["full"] = full
    level = session.execute(_LEVELS[bool(full)], about).one()
    if level.top is None:
        return None
    about["priority"] = level.top
    late = False
    if level.low < level.top:
        about["overdue"] = overdue(now, wish.aging, level.top, level.low)
        late = session.scalar(_LATE[bool(full)], about) is not None
    return _choose(session, _QUERIES[bool(full), late], about, wish.warm)


def _choose(session: Session, queries: _Queries, about: dict[str, Any], warm: frozenset[str]) -> str | None:
    turn = session.execute(queries.turn, about).one_or_none()
    if turn is None:  # a row that this code did not write has no turn; it is taken all the same
        first: str | None = session.scalar(queries.any, about)
        return first
    about |= {"tenant_id": turn.tenant_id, "owner": turn.owner, "window": WINDOW if warm else 1}
    window = session.execute(queries.oldest, about).all()
    if not window:
        return None
    oldest: str = window[0].id
    if len(window) == 1 or about["now"] - window[0].created_at > PATIENCE:
        return oldest
    jobs = [row.id for row in window]
    warmed = set(session.scalars(_WARM, {"jobs": jobs, "warm": list(warm)}))
    return next((job for job in jobs if job in warmed), oldest)
