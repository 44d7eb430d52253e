"""Which queued job a free worker should take: priority, then owners in turn, then what is warm already, then age.

Nobody waits for ever: a job that has waited a while competes with the most urgent ones (aging), and
one whose model is cold is passed for at most :data:`PATIENCE` by those whose model is warm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, exists, func, or_, select, text, tuple_
from sqlalchemy.orm import Session, aliased

from jobs.tables import WIDE, Job, JobInput, OwnerTurn, WorkerNode
from jobs.workers import LIVE

WINDOW = 32
# A job that has waited this long is not passed any more by one whose model is warm.
PATIENCE = timedelta(seconds=60)
# After this long, a job is tried on a device whose memory is taken, if it would fit into it otherwise.
CROWDED = timedelta(minutes=10)
UNKNOWN = 2**62  # bytes of a device that does not tell how much memory it has
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
        memory: Bytes free on its device; it takes nothing that is known to need more.
        capacity: Bytes of the device in all: a job that fits into those is taken all the same after some minutes, as
            what keeps the memory may stay for long.
        devices: Devices that it can give to one job.
        tries: Waiting time after which the largest device takes a job that should fit none: what it needs is reckoned,
            not known, and when it runs out of memory it is tried with smaller parts of a batch. None for never.
    """

    lane: str
    device_kind: str
    aging: timedelta
    quota: int = 0
    warm: frozenset[str] = frozenset()
    memory: int = UNKNOWN
    capacity: int = UNKNOWN
    devices: int = 1
    tries: timedelta | None = None


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
    return [(row.tenant_id, row.owner) for row in session.connection().execute(_FULL, {"lane": lane, "quota": quota})]


@dataclass(frozen=True, slots=True)
class _Queries:
    """Statements over the same jobs. Built once: putting them together would cost more than running them."""

    turns: Any
    oldest: Any
    any: Any


def _queries(*eligible: ColumnElement[bool]) -> _Queries:
    """The owners with an eligible job, whose last claim is the oldest first (an index look-up for each); their jobs."""
    return _Queries(
        turns=select(OwnerTurn.tenant_id, OwnerTurn.owner)
        .where(
            OwnerTurn.lane == bindparam("lane"),
            exists().where(Job.tenant_id == OwnerTurn.tenant_id, Job.owner == OwnerTurn.owner, *eligible),
        )
        .order_by(OwnerTurn.claimed_at, OwnerTurn.tenant_id, OwnerTurn.owner)
        .limit(bindparam("owners")),
        oldest=select(Job.id, Job.created_at, Job.attempt)
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
    Job.devices <= bindparam("devices"),
    or_(
        Job.memory_needed <= bindparam("memory"),
        and_(Job.memory_needed <= bindparam("capacity"), Job.created_at <= bindparam("crowded")),
        and_(Job.memory_needed > bindparam("capacity"), Job.created_at <= bindparam("unfit")),
    ),
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


def any_wide(session: Session, lane: str, device_kind: str) -> bool:
    """Whether a job waits in a queue that needs several devices: a look into a small index."""
    return session.connection().scalar(_WIDE, {"lane": lane, "device_kind": device_kind}) is not None


def devices_wanted(session: Session, wish: Wish, now: datetime) -> int:
    """How many devices the job takes whose turn it is, of those that ask for at most ``wish.devices``."""
    run = pick(session, wish, now)
    return 1 if not run.jobs else session.connection().scalar(select(Job.devices).where(Job.id == run.jobs[0])) or 1


_WIDE = (
    select(Job.id)
    .where(Job.lane == bindparam("lane"), Job.device_kind == bindparam("device_kind"), text(WIDE))
    .limit(1)
)


def _tried_from(session: Session, wish: Wish, now: datetime) -> datetime:
    """Jobs made before this are tried by this worker though they should not fit: never, unless none is larger."""
    if wish.tries is None or wish.capacity == UNKNOWN:
        return NEVER
    here = {"lane": wish.lane, "device_kind": wish.device_kind, "since": now - LIVE}
    largest = session.connection().scalar(_LARGEST, here) or 0
    return now - wish.tries if wish.capacity >= largest else NEVER


_LARGEST = select(func.max(WorkerNode.memory_total)).where(
    WorkerNode.lane == bindparam("lane"),
    WorkerNode.device_kind == bindparam("device_kind"),
    WorkerNode.heartbeat_at > bindparam("since"),
    WorkerNode.draining.is_(False),
    WorkerNode.unfit.is_(None),
)


class Run(NamedTuple):
    """Jobs in the order in which their turns come, and whether another look could find more of them."""

    jobs: Sequence[str] = ()
    more: bool = False


def pick(session: Session, wish: Wish, now: datetime, most: int = 1, passed: Sequence[str] = ()) -> Run:
    """The jobs whose turn it is now, next, and so on, as far as one look can tell; none where none waits.

    It reaches as far as the owners that wait have jobs in equal number: one of each, then the next of each.
    A job that was tried before is the last one of it.

    Args:
        session: Only read from.
        wish: What the worker may take.
        now: The database's clock.
        most: How many to look for; only one is, where owners have a quota, which each claim changes.
        passed: Jobs that another worker is just taking.
    """
    about: dict[str, Any] = {"lane": wish.lane, "device_kind": wish.device_kind, "now": now, "passed": list(passed)}
    about |= {"devices": wish.devices, "memory": wish.memory, "capacity": wish.capacity, "crowded": now - CROWDED}
    about["unfit"] = _tried_from(session, wish, now)
    full = full_owners(session, wish.lane, wish.quota)
    if full:
        about["full"] = full
    level = session.connection().execute(_LEVELS[bool(full)], about).one()
    if level.top is None:
        return Run()
    about["priority"] = level.top
    late = False
    if level.low < level.top:
        about["overdue"] = overdue(now, wish.aging, level.top, level.low)
        late = session.connection().scalar(_LATE[bool(full)], about) is not None
    alone = late or wish.quota > 0
    run = _choose(session, _QUERIES[bool(full), late], about, wish.warm, 1 if alone else most)
    return run._replace(more=run.more or alone or level.low < level.top)


def _choose(session: Session, queries: _Queries, about: dict[str, Any], warm: frozenset[str], most: int) -> Run:
    owners = session.connection().execute(queries.turns, about | {"owners": most}).all()
    if not owners:  # a row that this code did not write has no turn; it is taken all the same
        first: str | None = session.connection().scalar(queries.any, about)
        return Run([first], more=True) if first is not None else Run()
    rounds = 1 if len(owners) == most else most // len(owners)
    own = [
        _of_owner(session, queries, about | {"tenant_id": owner.tenant_id, "owner": owner.owner}, warm, rounds)
        for owner in owners
    ]
    run = list[str]()
    for job in chain.from_iterable(zip_longest(*own)):
        if job is None:  # this owner has no more: who is next, another look must tell
            return Run(run, more=True)
        run.append(job.id)
        if job.attempt:
            return Run(run, more=True)
    return Run(run, more=len(run) == rounds * len(owners))


def _of_owner(
    session: Session, queries: _Queries, about: dict[str, Any], warm: frozenset[str], count: int
) -> list[Row[Any]]:
    """An owner's next jobs: what is warm among the oldest, unless the oldest has waited too long, else the oldest."""
    width = WINDOW if warm else 1
    waiting = list(session.connection().execute(queries.oldest, about | {"window": width + count - 1}))
    warmed = set[str]()
    if warm and len(waiting) > 1:
        warmed.update(session.connection().scalars(_WARM, {"jobs": [job.id for job in waiting], "warm": list(warm)}))
    taken = list[Row[Any]]()
    while waiting and len(taken) < count:
        place = 0
        if warmed and about["now"] - waiting[0].created_at <= PATIENCE:
            place = next((place for place, job in enumerate(waiting[:width]) if job.id in warmed), 0)
        taken.append(waiting.pop(place))
    return taken
