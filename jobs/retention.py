"""Removing what an operator said need not be kept: finished jobs, samples, logs and checkpoints by their age.

Nothing goes that something else needs. Every removal is a line in the audit log, and no
transaction removes more than :data:`BATCH` rows, so that nobody waits for it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, func, inspect, or_, select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import aliased

from jobs.engine import Engine
from jobs.errors import AigcError
from jobs.principal import Principal
from jobs.removal import delete_job
from jobs.tables import (
    FINAL,
    Artifact,
    Dataset,
    Job,
    JobDependency,
    JobEvent,
    JobInput,
    Metric,
    ModelAlias,
    ModelVersion,
    WebhookDelivery,
)

Query = Any  # a Select; its type arguments are not the same in SQLAlchemy 2.0 and 2.1

audit = logging.getLogger("aigc.audit")

BATCH = 1_000
WHO = "retention"
TRIMMED = ("log", "phase", "checkpoint", "sample")  # the states a job went through and its end always stay

_Other = aliased(Job)
_Later = aliased(Artifact)


@dataclass(frozen=True, slots=True)
class Removed:
    """What one rule removed, or would: how many of what, and the setting that asked for it."""

    what: str
    count: int
    setting: str


def apply(engine: Engine, dry_run: bool = False) -> list[Removed]:
    """Follow every rule that is set; gives what was removed, or with ``dry_run`` what would be."""
    settings = engine.settings
    rules: tuple[tuple[str, str, int, Callable[[Engine, datetime, bool], int]], ...] = (
        ("jobs", "retain_jobs_days", settings.retain_jobs_days, _jobs),
        ("samples", "retain_samples_days", settings.retain_samples_days, _samples),
        ("events", "retain_events_days", settings.retain_events_days, _events),
        ("webhook deliveries", "retain_events_days", settings.retain_events_days, _deliveries),
        ("checkpoint files", "keep_checkpoints_days", settings.keep_checkpoints_days, _checkpoints),
    )
    with engine.db.read() as session:
        now = engine.db.now(session)
    return [
        Removed(what, rule(engine, now - timedelta(days=days), dry_run), setting)
        for what, setting, days, rule in rules
        if days
    ]


def _jobs(engine: Engine, before: datetime, dry_run: bool) -> int:
    due = select(Job.id, Job.tenant_id, Job.finished_at).where(Job.finished_at < before, *_unneeded())
    if dry_run:
        return _count(engine, due)
    removed, kept = 0, set[str]()
    while True:  # again and again: what a removed job read may be needed by nobody now
        with engine.db.read() as session:
            left = due.where(Job.id.not_in(sorted(kept))).order_by(Job.finished_at, Job.id)
            found = session.execute(left.limit(BATCH)).all()
        for row in found:
            if _remove_job(engine, row):
                removed += 1
            else:
                kept.add(row.id)
        if not found:
            return removed


def _unneeded() -> tuple[ColumnElement[bool], ...]:
    """What no job reads, waits for or goes on from, no model version or alias stems from, no webhook has to tell."""
    return (
        ~exists().where(ModelVersion.job_id == Job.id, ModelAlias.model_id == ModelVersion.id),
        ~exists().where(ModelVersion.job_id == Job.id, JobInput.model_id == ModelVersion.id),
        ~exists().where(Dataset.job_id == Job.id, JobInput.dataset_id == Dataset.id),
        ~exists().where(Dataset.job_id == Job.id, ModelVersion.dataset_id == Dataset.id),
        ~exists().where(JobDependency.needs_id == Job.id),
        _unresumed(),
        *_told(Job.last_seq),
    )


def _unresumed() -> ColumnElement[bool]:
    return ~exists().where(_Other.retried_from == Job.id, _Other.status.not_in(FINAL))


def _told(seq: Any) -> tuple[ColumnElement[bool], ...]:
    return (
        or_(Job.webhook.is_(None), Job.webhook_seq >= seq),
        ~exists().where(WebhookDelivery.job_id == Job.id, WebhookDelivery.state == "pending"),
    )


def _remove_job(engine: Engine, row: Any) -> bool:
    """Remove one job: what may be many rows first and in batches, the rest at once."""
    mine = (Job.id == row.id, *_unneeded())
    _delete(engine, select(Metric.job_id, Metric.step).join(Job, Job.id == Metric.job_id).where(*mine), Metric)
    _delete(engine, _trimmable(*mine), JobEvent)
    try:
        delete_job(engine, Principal(row.tenant_id, WHO), row.id)
    except (AigcError, IntegrityError) as error:  # somebody has just begun to use what it made
        audit.info("retention kept job=%s tenant=%s: %s", row.id, row.tenant_id, type(error).__name__)
        return False
    audit.info("retention removed job=%s tenant=%s finished=%s", row.id, row.tenant_id, row.finished_at.isoformat())
    return True


def _samples(engine: Engine, before: datetime, dry_run: bool) -> int:
    """Samples, but for the last one of each job, which its page shows."""
    later = exists().where(_Later.job_id == Artifact.job_id, _Later.role == "sample", _Later.step > Artifact.step)
    due = _artifacts("sample", Job.finished_at < before, Artifact.created_at < before, later)
    return _remove_artifacts(engine, due, dry_run)


def _checkpoints(engine: Engine, before: datetime, dry_run: bool) -> int:
    over = (Job.finished_at < before, Job.status.in_(("failed", "cancelled")), _unresumed())
    return _remove_artifacts(engine, _artifacts("checkpoint", *over), dry_run)


def _artifacts(role: str, *guards: ColumnElement[bool]) -> Query:
    named = select(Artifact.id, Artifact.job_id, Artifact.role, Artifact.name)
    return named.join(Job, Job.id == Artifact.job_id).where(Artifact.role == role, *guards)


def _remove_artifacts(engine: Engine, due: Query, dry_run: bool) -> int:
    if dry_run:
        return _count(engine, due)
    removed = 0
    for rows in _batches(engine, due, Artifact):
        for row in rows:
            audit.info("retention removed %s job=%s name=%s", row.role, row.job_id, row.name)
        removed += len(rows)
    return removed


def _events(engine: Engine, before: datetime, dry_run: bool) -> int:
    """Log lines, phases and the like of finished jobs, once a webhook has told of them."""
    due = _trimmable(Job.finished_at < before, *_told(JobEvent.seq))
    return _count(engine, due) if dry_run else _delete(engine, due, JobEvent)


def _trimmable(*guards: ColumnElement[bool]) -> Query:
    events = select(JobEvent.job_id, JobEvent.seq).join(Job, Job.id == JobEvent.job_id)
    return events.where(JobEvent.kind.in_(TRIMMED), *guards)


def _deliveries(engine: Engine, before: datetime, dry_run: bool) -> int:
    due = select(WebhookDelivery.id, WebhookDelivery.job_id)
    due = due.where(WebhookDelivery.finished_at < before, WebhookDelivery.state != "pending")
    return _count(engine, due) if dry_run else _delete(engine, due, WebhookDelivery)


def _delete(engine: Engine, due: Query, table: Any) -> int:
    """Delete rows in batches, with an audit line for each job and batch."""
    removed = 0
    for rows in _batches(engine, due, table):
        for job_id in sorted({row.job_id for row in rows}):
            count = sum(row.job_id == job_id for row in rows)
            audit.info("retention removed %d rows of %s job=%s", count, table.__tablename__, job_id)
        removed += len(rows)
    return removed


def _batches(engine: Engine, due: Query, table: Any) -> Iterator[Sequence[Any]]:
    """Delete what a query finds, at most a batch in a transaction; gives the rows of each batch once they are gone.

    The query's first columns are the table's primary key.
    """
    key = inspect(table).primary_key
    while True:
        with engine.db.begin() as session:
            rows = session.execute(due.limit(BATCH)).all()
            keys = [tuple(row[: len(key)]) for row in rows]
            if keys:
                gone = delete(table).where(tuple_(*key).in_(keys))
                session.execute(gone.execution_options(synchronize_session=False))
        if rows:
            yield rows
        if len(rows) < BATCH:
            return


def _count(engine: Engine, due: Query) -> int:
    with engine.db.read() as session:
        return session.scalar(select(func.count()).select_from(due.subquery())) or 0
