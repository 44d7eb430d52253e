"""Where a waiting job stands, in the order in which :mod:`jobs.claiming` takes jobs."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.tables import Job, OwnerTurn

CAP = 1_000


def position(session: Session, job: Job) -> int:
    """The place of a queued job in its lane, 1 being next, counted to 1,000.

    Higher priorities come first; at the same priority owners take turns, the one served longest ago first.
    """
    lane = (Job.status == "queued", Job.lane == job.lane, Job.device_kind == job.device_kind)
    ahead = select(Job.id).where(*lane, Job.priority > job.priority).limit(CAP).subquery()
    more_urgent = session.scalar(select(func.count()).select_from(ahead)) or 0
    same = select(Job.tenant_id, Job.owner, Job.created_at, Job.id).where(*lane, Job.priority == job.priority)
    rows = session.execute(same.order_by(Job.created_at, Job.id).limit(CAP)).all()
    mine = (job.tenant_id, job.owner)
    own = sum(
        (row.tenant_id, row.owner) == mine and (row.created_at, row.id) < (job.created_at, job.id) for row in rows
    )
    waiting = Counter((row.tenant_id, row.owner) for row in rows)
    waiting.pop(mine, None)
    turns = _turns(session, job.lane) if waiting else {}
    never = (datetime.min.replace(tzinfo=UTC), *mine)
    others = sum(
        min(count, own + (turns.get(owner, never) < turns.get(mine, never))) for owner, count in waiting.items()
    )
    return min(more_urgent + own + others + 1, CAP)


def _turns(session: Session, lane: str) -> Mapping[tuple[str, str], tuple[datetime, str, str]]:
    rows = session.execute(
        select(OwnerTurn.claimed_at, OwnerTurn.tenant_id, OwnerTurn.owner).where(OwnerTurn.lane == lane)
    )
    return {(tenant, owner): (at, tenant, owner) for at, tenant, owner in rows}
