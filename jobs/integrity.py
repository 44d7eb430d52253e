"""What must be true of the rows, whatever died: each check finds the rows that break it and knows what to do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, exists, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from jobs.claiming import EPOCH_CHARACTERS
from jobs.db import Database
from jobs.tables import (
    FINAL,
    Artifact,
    Attempt,
    Dataset,
    Job,
    JobDependency,
    JobEvent,
    ModelAlias,
    ModelVersion,
    SchemaInfo,
)

Query = Any  # a Select; its type arguments are not the same in SQLAlchemy 2.0 and 2.1

MOST = 100  # of one kind; more would only hide the others
SETTLE = timedelta(minutes=2)  # what the scheduler sees to by itself is no finding before that


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or only worth knowing (``wrong`` is false).

    Attributes:
        check: Machine name of the check.
        subject: What it is about: a job, a dataset, bytes.
        detail: What was found.
        remedy: What to do.
        wrong: Whether it breaks a promise.
    """

    check: str
    subject: str
    detail: str
    remedy: str
    wrong: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """A query for rows that must not be there. The first column names the subject, others fill ``detail``."""

    name: str
    rows: Callable[[datetime], Query]
    detail: str
    remedy: str


_SCHEDULER = "See that a scheduler runs (aigc doctor); it takes such jobs up by itself."
_REPORT = "Restore a backup, and report this as a bug with the job's page."
_End = aliased(JobEvent)


def _overdue(now: datetime) -> Query:
    return select(Job.id, Job.lease_until).where(Job.status == "running", Job.lease_until < now - SETTLE)


def _foreign_leases(_now: datetime) -> Query:
    epoch = select(func.substr(SchemaInfo.epoch, 1, EPOCH_CHARACTERS)).scalar_subquery()
    return select(Job.id).where(Job.status == "running", func.substr(Job.lease_id, 1, EPOCH_CHARACTERS) != epoch)


def _unattended(_now: datetime) -> Query:
    mine = exists().where(Attempt.job_id == Job.id, Attempt.lease_id == Job.lease_id, Attempt.ended_at.is_(None))
    return select(Job.id, Job.attempt).where(Job.status == "running", ~mine)


def _open_attempts(_now: datetime) -> Query:
    held = and_(Job.status == "running", Job.lease_id == Attempt.lease_id)
    over = select(Attempt.job_id, Attempt.number).join(Job, Job.id == Attempt.job_id)
    return over.where(Attempt.ended_at.is_(None), ~held)


def _endless(_now: datetime) -> Query:
    return select(Job.id, Job.status).where(
        Job.status.in_(FINAL), ~exists().where(_End.job_id == Job.id, _End.terminal)
    )


def _ended_early(_now: datetime) -> Query:
    return select(Job.id, Job.status).where(
        Job.status.not_in(FINAL), exists().where(_End.job_id == Job.id, _End.terminal)
    )


def _ended_twice(_now: datetime) -> Query:
    ends = select(JobEvent.job_id, func.count()).where(JobEvent.terminal)
    return ends.group_by(JobEvent.job_id).having(func.count() > 1)


def _events_ahead(_now: datetime) -> Query:
    newest = select(JobEvent.job_id, func.max(JobEvent.seq), Job.last_seq).join(Job, Job.id == JobEvent.job_id)
    return newest.group_by(JobEvent.job_id, Job.last_seq).having(func.max(JobEvent.seq) > Job.last_seq)


def _stray_models(_now: datetime) -> Query:
    made = select(ModelVersion.id, Job.id, Job.status).join(Job, Job.id == ModelVersion.job_id)
    return made.where(Job.status != "succeeded")


def _empty_models(_now: datetime) -> Query:
    return select(ModelVersion.id, ModelVersion.job_id).where(~_has_output(ModelVersion.job_id, "model/"))


def _stray_aliases(_now: datetime) -> Query:
    named = select(ModelAlias.alias, ModelAlias.name, ModelVersion.id).join(ModelVersion)
    same = and_(ModelVersion.name == ModelAlias.name, ModelVersion.tenant_id == ModelAlias.tenant_id)
    return named.where(~same)


def _stray_datasets(_now: datetime) -> Query:
    made = select(Dataset.id, Job.id, Job.status).join(Job, Job.id == Dataset.job_id)
    return made.where(Dataset.ready_at.is_not(None), Job.status != "succeeded")


def _empty_datasets(_now: datetime) -> Query:
    return select(Dataset.id, Dataset.job_id).where(
        Dataset.ready_at.is_not(None), ~_has_output(Dataset.job_id, "dataset/")
    )


def _lost_uploads(_now: datetime) -> Query:
    upload = exists().where(Artifact.job_id == Dataset.job_id, Artifact.sha256 == Dataset.source_sha256)
    return select(Dataset.id, Dataset.source_name).where(Dataset.source_dropped_at.is_(None), ~upload)


def _lost_checkpoints(_now: datetime) -> Query:
    kept = exists().where(
        Artifact.job_id == Job.id, Artifact.role == "checkpoint", Artifact.step == Job.checkpoint_step
    )
    return select(Job.id, Job.checkpoint_step).where(Job.status.not_in(FINAL), Job.checkpoint_step >= 0, ~kept)


def _stuck(now: datetime) -> Query:
    needed = aliased(Job)
    waits = exists().where(JobDependency.job_id == Job.id)
    open_ = exists().where(
        JobDependency.job_id == Job.id, needed.id == JobDependency.needs_id, needed.status.not_in(FINAL)
    )
    return select(Job.id).where(Job.status == "blocked", Job.updated_at < now - SETTLE, or_(~waits, ~open_))


def _has_output(job_id: Any, prefix: str) -> Any:
    return exists().where(Artifact.job_id == job_id, Artifact.role == "output", Artifact.name.startswith(prefix))


CHECKS = (
    Check("lease-overdue", _overdue, "runs, but its lease ended at {1} and nobody took it up", _SCHEDULER),
    Check("lease-of-another-epoch", _foreign_leases, "runs under a lease from before a restore", _SCHEDULER),
    Check("running-without-attempt", _unattended, "runs, but attempt {1} does not hold it", _REPORT),
    Check("attempt-left-open", _open_attempts, "attempt {1} is not ended, but does not hold the job", _REPORT),
    Check("no-end", _endless, "is {1}, but its history has no end", _REPORT),
    Check("end-before-the-end", _ended_early, "is {1}, but its history has an end", _REPORT),
    Check("two-ends", _ended_twice, "ended {1} times", _REPORT),
    Check("events-ahead", _events_ahead, "has event {1}, but counts to {2}", _REPORT),
    Check("model-without-success", _stray_models, "was registered by {1}, which is {2}", _REPORT),
    Check(
        "model-without-files", _empty_models, "has no files of {1}", "Restore a backup, or delete this model version."
    ),
    Check(
        "alias-astray", _stray_aliases, "of {1} stands for {2}, which is no version of it", "Promote a version anew."
    ),
    Check("dataset-without-success", _stray_datasets, "is ready, but its import {1} is {2}", _REPORT),
    Check("dataset-without-files", _empty_datasets, "is ready, but has no files of {1}", "Upload the data again."),
    Check("upload-lost", _lost_uploads, "does not have its upload {1} any more", "Restore a backup if you need it."),
    Check("checkpoint-lost", _lost_checkpoints, "counts on a checkpoint of step {1}, which is not there", _REPORT),
    Check("blocked-for-ever", _stuck, "is blocked, but all it waits for is over", _SCHEDULER),
)


def logical(database: Database) -> Iterator[Finding]:
    """Everything that the rows alone show to be wrong."""
    yield from _engine_check(database)
    for check in CHECKS:
        with database.read() as session:
            rows = session.execute(check.rows(database.now(session)).limit(MOST)).all()
        for row in rows:
            yield Finding(check.name, str(row[0]), check.detail.format(*row), check.remedy)


def _engine_check(database: Database) -> Iterator[Finding]:
    """What SQLite itself finds wrong with its file; PostgreSQL has tools of its own (``pg_amcheck``)."""
    if not database.is_sqlite:
        return
    remedy = "Stop everything and restore a backup; the disk may be failing."
    with database.read() as session:
        yield from _pragma(session, "quick_check", remedy)
        for row in session.execute(text("PRAGMA foreign_key_check")).all()[:MOST]:
            yield Finding("dangling-row", f"{row[0]} row {row[1]}", f"points to a row of {row[2]} that is gone", remedy)


def _pragma(session: Session, name: str, remedy: str) -> Iterator[Finding]:
    for (said,) in session.execute(text(f"PRAGMA {name}")):
        if said != "ok":
            yield Finding("database-damaged", "database", str(said), remedy)
