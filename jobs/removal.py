"""Deleting jobs, datasets and model versions that nothing else stands on; the collector removes the bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from aigc_models.base import Fault
from jobs import aliases
from jobs.engine import Engine
from jobs.errors import (
    AigcError,
    DatasetInUse,
    JobNeeded,
    JobNotFound,
    JobStillRunning,
    ModelHasAlias,
    ModelInUse,
    NotFound,
)
from jobs.principal import Principal
from jobs.tables import FINAL, Dataset, Job, JobDependency, JobInput, ModelVersion

MOST_NAMED = 100


def delete_job(engine: Engine, principal: Principal, job_id: str) -> None:
    """Delete a finished job with its files, and the model version or dataset it made.

    Raises:
        JobNotFound: The caller has no such job.
        JobStillRunning: It is not finished.
        JobNeeded: Another job still waits for it.
        ModelInUse: Another job reads the model version it made.
        ModelHasAlias: An alias stands for it.
        DatasetInUse: Another job reads the dataset it made.
    """
    with engine.db.begin() as session:
        _delete_if_over(session, principal, job_id)


def refusals(engine: Engine, principal: Principal, job_ids: Sequence[str]) -> Mapping[str, AigcError]:
    """What :func:`delete_job` would refuse if these were deleted one after the other; nothing is deleted."""
    refused: dict[str, AigcError] = {}
    with engine.db.begin() as session:
        for job_id in job_ids:
            trial = session.begin_nested()
            try:
                _delete_if_over(session, principal, job_id)
            except AigcError as error:
                trial.rollback()
                refused[job_id] = error
        session.rollback()
    return refused


def delete_dataset(engine: Engine, principal: Principal, dataset_id: str) -> None:
    """Delete a dataset that no job reads, with the job that imported it.

    Raises:
        NotFound: The caller has no such dataset.
        DatasetInUse: A job reads it.
        JobStillRunning: It is still being checked.
    """
    with engine.db.read() as session:
        made = select(Dataset.job_id).where(Dataset.id == dataset_id, Dataset.tenant_id == principal.tenant_id)
        job_id = session.scalar(made)
    if job_id is None:
        raise NotFound(kind="dataset", id=dataset_id)
    delete_job(engine, principal, job_id)


def delete_model(engine: Engine, principal: Principal, model_id: str) -> None:
    """Delete a model version that no job reads, with the job that trained it.

    Raises:
        NotFound: The caller has no such model version.
        ModelInUse: A job reads it.
        ModelHasAlias: An alias stands for it.
    """
    with engine.db.read() as session:
        made = select(ModelVersion.job_id).where(
            ModelVersion.id == model_id, ModelVersion.tenant_id == principal.tenant_id
        )
        job_id = session.scalar(made)
    if job_id is None:
        raise NotFound(kind="model version", id=model_id)
    delete_job(engine, principal, job_id)


def _delete_if_over(session: Session, principal: Principal, job_id: str) -> None:
    row = select(Job).where(Job.id == job_id, Job.tenant_id == principal.tenant_id).with_for_update()
    job = session.scalar(row)
    if job is None:
        raise JobNotFound(kind="job", id=job_id)
    if job.status not in FINAL:
        raise JobStillRunning(status=job.status)
    _delete(session, job.id)


def _delete(session: Session, job_id: str) -> None:
    _let_go(session, job_id)
    for version in session.scalars(select(ModelVersion).where(ModelVersion.job_id == job_id)):
        _refuse_if_read(session, JobInput.model_id == version.id, ModelInUse, version.name)
        if names := aliases.of_models(session, [version.id]).get(version.id):
            raise ModelHasAlias(alias=names[0], name=version.name)
        session.delete(version)
    for dataset in session.scalars(select(Dataset).where(Dataset.job_id == job_id)):
        _refuse_if_read(session, JobInput.dataset_id == dataset.id, DatasetInUse, dataset.name)
        session.delete(dataset)
    session.flush()
    session.execute(delete(Job).where(Job.id == job_id))


def _let_go(session: Session, job_id: str) -> None:
    """Nothing may wait for it; that others once did is kept in their snapshots."""
    waits = select(Job.id, Job.name).join(JobDependency, Job.id == JobDependency.job_id)
    waits = waits.where(JobDependency.needs_id == job_id, Job.status.in_(("blocked", "paused")))
    _refuse(session, waits, JobNeeded, "The job {name} waits for it. Cancel that first.")
    session.execute(delete(JobDependency).where(JobDependency.needs_id == job_id))


def _refuse_if_read(session: Session, reads: Any, error: type[AigcError], name: str) -> None:
    readers = select(Job.id, Job.name).join(JobInput, Job.id == JobInput.job_id).where(reads)
    _refuse(session, readers, error, "It is used by the job {name}. Delete that first.", name=name)


def _refuse(session: Session, jobs: Any, error: type[AigcError], sentence: str, **values: Any) -> None:
    """Refuse if there are such jobs, naming them."""
    count = session.scalar(select(func.count()).select_from(jobs.subquery())) or 0
    if count:
        named = session.execute(jobs.order_by(Job.id).limit(MOST_NAMED)).all()
        faults = [Fault(sentence, {"name": job.name}, where={"job": job.id}, code=error.code) for job in named]
        users = [{"id": job.id, "name": job.name} for job in named]
        raise error(faults=faults, count=count, users=users, **values)
