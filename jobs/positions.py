"""Where a waiting job stands, in the order in which :mod:`jobs.picking` takes jobs."""

import heapq
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from typing import Any, NamedTuple

from sqlalchemy import bindparam, case, exists, func, or_, select
from sqlalchemy.orm import Session

from jobs.picking import overdue
from jobs.tables import Job, OwnerTurn

CAP = 1_000

Owner = tuple[str, str]


class Waiting(NamedTuple):
    """What decides when a queued job is taken, and how long it will take; the oldest sorts first."""

    created_at: datetime
    id: str
    tenant_id: str
    owner: str
    priority: int
    family: str
    operation: str


_COLUMNS = tuple(getattr(Job, name) for name in Waiting._fields)


_HERE = (
    Job.status == "queued",
    Job.lane == bindparam("lane"),
    Job.device_kind == bindparam("device_kind"),
)
_OTHER_OWNER = exists().where(
    OwnerTurn.lane == bindparam("lane"),
    or_(OwnerTurn.tenant_id != bindparam("tenant_id"), OwnerTurn.owner != bindparam("owner")),
    exists().where(*_HERE, Job.tenant_id == OwnerTurn.tenant_id, Job.owner == OwnerTurn.owner),
)
_LEVEL = select(Job.priority).where(*_HERE).limit(1)
_MIXED = or_(
    _OTHER_OWNER,
    _LEVEL.order_by(Job.priority.desc()).scalar_subquery() != bindparam("priority"),
    _LEVEL.order_by(Job.priority).scalar_subquery() != bindparam("priority"),
)
_OLDER, _AS_OLD = (
    select(func.count()).select_from(
        select(Job.id).where(*_HERE, Job.priority == bindparam("priority"), *older).limit(CAP).subquery()
    )
    for older in (
        [Job.created_at < bindparam("created_at")],
        [Job.created_at == bindparam("created_at"), Job.id < bindparam("id")],
    )
)
_BEFORE = select(case((_MIXED, None), else_=_OLDER.scalar_subquery() + _AS_OLD.scalar_subquery()))


def by_age(session: Session, job: Job) -> int | None:
    """A waiting job's place, 1 being next, to 1,000, where only age decides: all are of one owner and one priority.

    None where they are not; then :class:`Line` tells. Indexes answer this, however long the queue is.
    """
    about = {name: getattr(job, name) for name in (*Waiting._fields, "lane", "device_kind")}
    found: int | None = session.connection().execute(_BEFORE, about).scalar_one()
    return None if found is None else min(CAP, found + 1)


class Line:
    """A lane's queue on one kind of device, in the order in which it will be taken, counted to 1,000.

    Higher priorities come first, except before what has waited too long; at the same priority owners
    take turns, the one served longest ago first. Which models are warm when the time comes nobody
    knows, so that is left out. Read once, it tells the place of every job in it.
    """

    def __init__(self, session: Session, lane: str, device_kind: str, aging: timedelta, now: datetime) -> None:
        self._aging, self._now, self._turns = aging, now, _turns(session, lane)
        waits = (Job.status == "queued", Job.lane == lane, Job.device_kind == device_kind)
        first: Any = select(*_COLUMNS).where(*waits)
        self._first = first.order_by(Job.priority.desc(), Job.created_at, Job.id).limit(CAP)
        self._rows = [Waiting(*row) for row in session.execute(self._first)]
        whole = self._rows if len(self._rows) < CAP else []
        self._order = list(in_order(whole, self._turns, aging, now))
        self._places = {row.id: place for place, row in enumerate(self._order)}
        self._of_owners: dict[Owner, tuple[Sequence[Waiting], Mapping[str, int]]] = {}
        self._reading = threading.Lock()  # readers share a line, and what one of them has read of it

    def before(self, session: Session, job: Job) -> Sequence[Waiting]:
        """What will be taken before a job; everything, where the job does not wait here any more."""
        if len(self._rows) < CAP:
            return self._order[: self._places.get(job.id, len(self._order))]
        owner = (job.tenant_id, job.owner)
        with self._reading:
            if owner not in self._of_owners:
                self._of_owners[owner] = self._with_all_of(session, owner)
        order, places = self._of_owners[owner]
        return order[: places.get(job.id, CAP)]

    def _with_all_of(self, session: Session, owner: Owner) -> tuple[Sequence[Waiting], Mapping[str, int]]:
        """The first of a longer line, with as many of one owner among them."""
        rows = self._rows
        if any((row.tenant_id, row.owner) != owner for row in rows):
            mine = session.execute(self._first.where(Job.tenant_id == owner[0], Job.owner == owner[1]))
            rows = list({*rows, *(Waiting(*row) for row in mine)})
        order = list(islice(in_order(rows, self._turns, self._aging, self._now), CAP))
        return order, {row.id: place for place, row in enumerate(order)}


def in_order(
    rows: Sequence[Waiting], turns: Mapping[Owner, datetime], aging: timedelta, now: datetime
) -> Iterator[Waiting]:
    """Waiting jobs as workers will take them if nothing changes."""
    if not rows:
        return
    priorities = {row.priority for row in rows}
    top = max(priorities)
    late = overdue(now, aging, top, min(priorities))
    levels: dict[int, dict[Owner, deque[Waiting]]] = {}
    for row in sorted(rows):
        level = top if row.created_at <= late else row.priority  # without lower ones it is the top anyway
        levels.setdefault(level, {}).setdefault((row.tenant_id, row.owner), deque()).append(row)
    never = datetime.min.replace(tzinfo=UTC)
    owners = {owner for queues in levels.values() for owner in queues}
    served = {owner: place for place, owner in enumerate(sorted(owners, key=lambda one: (turns.get(one, never), one)))}
    clock = count(len(owners))
    for level in sorted(levels, reverse=True):
        queues = levels[level]
        line = [(served[owner], owner) for owner in queues]
        heapq.heapify(line)
        while line:
            _, owner = line[0]
            yield queues[owner].popleft()
            served[owner] = next(clock)
            if queues[owner]:
                heapq.heapreplace(line, (served[owner], owner))
            else:
                heapq.heappop(line)


def _turns(session: Session, lane: str) -> Mapping[Owner, datetime]:
    rows = session.execute(
        select(OwnerTurn.claimed_at, OwnerTurn.tenant_id, OwnerTurn.owner).where(OwnerTurn.lane == lane)
    )
    return {(tenant, owner): at for at, tenant, owner in rows}
