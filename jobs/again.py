"""An earlier job's settings once more: as a retry of a finished one, or as a duplicate of any."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from aigc_models import registry
from aigc_models.base import Params
from jobs import webhooks
from jobs.engine import Engine
from jobs.errors import JobStillRunning
from jobs.naming import wish
from jobs.principal import Principal
from jobs.submit import Submission
from jobs.tables import FINAL, Job


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from the earlier job; settings that are not named stay."""

    params: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None


def retry(
    engine: Engine, principal: Principal, job: Job, *, from_checkpoint: bool = False, devices: int | None = None
) -> Submission:
    """A finished job's settings, from the start or from its last checkpoint, which fits any number of devices.

    Raises:
        JobStillRunning: It is not finished.
    """
    if job.status not in FINAL:
        raise JobStillRunning(status=job.status)
    return Submission(
        task=f"{job.family}.{job.operation}",
        params=job.params if devices is None else {**job.params, "devices": devices},
        name=job.name,
        retried_from=job.id,
        from_checkpoint=from_checkpoint,
        after=_unfinished(engine, principal, job),
        webhook=webhooks.of(job.webhook),
        time_limit=_time_limit(job),
        tags=job.tags or (),
    )


def duplicate(engine: Engine, principal: Principal, job: Job, changes: Changes = Changes()) -> Submission:
    """A job's settings with some changes, whatever became of it."""
    task = f"{job.family}.{job.operation}"
    kind = registry.tasks().get(task, Params)
    return Submission(
        task=task,
        params=kind.over(job.params, changes.params),
        name=changes.name or given_name(job),
        after=_unfinished(engine, principal, job),
        webhook=webhooks.of(job.webhook),
        time_limit=_time_limit(job),
        tags=job.tags or (),
    )


def given_name(job: Job) -> str | None:
    """A job's name, unless it ends with what was asked for, which may be something else the next time."""
    kind = registry.tasks().get(f"{job.family}.{job.operation}", Params)
    wanted = wish(job.params, kind.named_by)
    return None if wanted and job.name.endswith(f"-{wanted}") else job.name


def _time_limit(job: Job) -> timedelta | None:
    return timedelta(seconds=job.time_limit_seconds) if job.time_limit_seconds else None


def _unfinished(engine: Engine, principal: Principal, job: Job) -> tuple[str, ...]:
    """What the earlier job was to wait for and what has not ended yet; the rest is past."""
    after = job.snapshot.get("after", [])
    if not after:
        return ()
    with engine.db.read() as session:
        rows = select(Job.id).where(Job.id.in_(after), Job.tenant_id == principal.tenant_id, Job.status.not_in(FINAL))
        return tuple(sorted(session.scalars(rows)))
