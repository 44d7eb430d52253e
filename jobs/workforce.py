"""How many jobs wait and run in each queue, who serves it, and whether it is paused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aigc_models import registry
from jobs.dispatch import DEVICE_KINDS, LANES
from jobs.filtering import IMPORTS
from jobs.pausing import Pauses
from jobs.tables import STATUSES, Job, WorkerNode

COUNT_CAP = 10_000  # counting further would read the whole table for a number nobody reads


@dataclass(frozen=True, slots=True)
class QueueState:
    """One lane's queue on one kind of device."""

    name: str
    lane: str
    device_kind: str
    queued: int
    running: int
    workers: int
    paused: bool = False


def queues(session: Session, nodes: Sequence[WorkerNode], pauses: Pauses) -> list[QueueState]:
    """Every lane's queue; the counts are of all tenants, as they share the workers."""
    return [
        QueueState(
            f"{lane}.{kind}",
            lane,
            kind,
            count_jobs(session, Job.status == "queued", Job.lane == lane, Job.device_kind == kind),
            count_jobs(session, Job.status == "running", Job.lane == lane, Job.device_kind == kind),
            sum((node.lane, node.device_kind) == (lane, kind) for node in nodes),
            pauses.of_queue(lane, kind),
        )
        for lane in LANES
        for kind in DEVICE_KINDS
    ]


def busy(session: Session) -> set[str]:
    """Ids of the workers that run a job, of whatever tenant."""
    running = select(Job.worker_id).where(Job.status == "running", Job.worker_id.is_not(None))
    return {worker for worker in session.scalars(running) if worker}


def count_jobs(session: Session, *where: Any, most: int = COUNT_CAP) -> int:
    """How many jobs are like that, counted to 10,000 or another number."""
    some = select(Job.id).where(*where).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def by_status(session: Session, tenant_id: str, most: int, *, imports: bool) -> dict[str, int]:
    """A tenant's jobs by status, with imports of datasets or without, each counted to a number; one question."""
    counts = [_counted(most, Job.tenant_id == tenant_id, Job.status == status) for status in STATUSES]
    if not imports:
        counts += [_counted(most, *_imports_of(tenant_id), Job.status == status) for status in STATUSES]
    found = list(session.execute(select(*counts)).one())
    whole, apart = found[: len(STATUSES)], found[len(STATUSES) :] or [0] * len(STATUSES)
    return {
        status: count if count >= most else count - less
        for status, count, less in zip(STATUSES, whole, apart, strict=True)
    }


def _imports_of(tenant_id: str) -> tuple[Any, ...]:
    """A tenant's imports. They are few, so they are counted apart: all others would be looked up row by row.

    They are found by their operations. The tenant is no help there, so no database may begin with its index, in which
    SQLite would go through all jobs of a status.
    """
    operations = registry.families()[IMPORTS].operations
    return Job.family == IMPORTS, Job.operation.in_(operations), Job.tenant_id.concat("") == tenant_id


def _counted(most: int, *where: Any) -> Any:
    return select(func.count()).select_from(select(Job.id).where(*where).limit(most).subquery()).scalar_subquery()
