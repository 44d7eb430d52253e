"""What a job leaves behind: files, and for some operations a model version or a dataset."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from aigc_models import registry
from aigc_models.base import Makes
from jobs.artifacts import NewFile
from jobs.engine import Engine
from jobs.errors import BlobMissing, IncompleteResult
from jobs.ids import new_id
from jobs.naming import slug
from jobs.tables import Artifact, Blob, Dataset, JobInput, ModelVersion

MODEL, DATASET = "model/", "dataset/"
REPORT = "dataset/dataset.json"
LARGEST_REPORT = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Place:
    """Whose files they are and what for."""

    tenant_id: str
    job_id: str
    role: str
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a successful attempt hands over."""

    makes: Makes
    metrics: Mapping[str, Any]
    files: Sequence[NewFile]


def keep_files(engine: Engine, session: Session, place: Place, files: Sequence[NewFile], now: datetime) -> None:
    """Record files as artifacts; a file of the same role and name is replaced. Raises as :func:`keep_all_files`."""
    keep_all_files(engine, session, [(place, files)], now)


def keep_all_files(
    engine: Engine, session: Session, placed: Sequence[tuple[Place, Sequence[NewFile]]], now: datetime
) -> None:
    """The same for the files of several jobs, with the statements of one.

    Raises:
        BlobMissing: The store does not hold the bytes, or not all. The row is written first: the
            collector deletes bytes only in a transaction that still finds the row unreferenced.
    """
    blobs = {file.sha256: file.size for _, files in placed for file in files}
    if not blobs:
        return
    adding = engine.db.insert(Blob)
    session.execute(
        adding.on_conflict_do_update(index_elements=["sha256"], set_={"state": "live", "created_at": now}),
        [{"sha256": sha, "size": blobs[sha], "state": "live", "created_at": now} for sha in sorted(blobs)],
    )
    held = engine.store.sizes(blobs)
    for sha256, size in blobs.items():
        if held[sha256] != size:
            raise BlobMissing(sha256)
    naming = engine.db.insert(Artifact)
    fresh = naming.excluded
    session.execute(
        naming.on_conflict_do_update(
            index_elements=["job_id", "role", "name"],
            set_={name: fresh[name] for name in ("sha256", "size", "media_type", "step", "created_at")},
        ),
        [_row(place, file, now) for place, files in placed for file in files],
    )


def drop_checkpoints(session: Session, job_id: str, keep_step: int | None = None) -> None:
    """Forget the checkpoints of a job but one; the collector removes their bytes."""
    old = delete(Artifact).where(Artifact.job_id == job_id, Artifact.role == "checkpoint")
    session.execute(old if keep_step is None else old.where(Artifact.step != keep_step))


def makes(family: str, operation: str) -> Makes:
    """What an operation makes: model, dataset or files."""
    return registry.task(f"{family}.{operation}").makes


def check_complete(engine: Engine, made: Result) -> dict[str, Any]:
    """See that a result has its parts, and read the report of a dataset (empty for the others).

    Raises:
        IncompleteResult: A training wrote no ``model/``, or an import no ``dataset/dataset.json``.
        BlobMissing: The report's bytes are gone.
    """
    if made.makes == "model" and not any(file.name.startswith(MODEL) for file in made.files):
        raise IncompleteResult("no file under model/")
    if made.makes != "dataset":
        return {}
    found = next((file for file in made.files if file.name == REPORT), None)
    if found is None or found.size > LARGEST_REPORT:
        raise IncompleteResult(f"no readable {REPORT}")
    try:
        with engine.store.open(found.sha256) as stream:
            report = json.loads(stream.read())
    except FileNotFoundError:
        raise BlobMissing(found.sha256) from None
    except ValueError:
        raise IncompleteResult(f"{REPORT} is not JSON") from None
    if not isinstance(report, dict):
        raise IncompleteResult(f"{REPORT} holds no object")
    return report


def register_model(session: Session, job: Row[Any], metrics: Mapping[str, Any], now: datetime) -> str:
    """Add a model version named after its job and numbered within that name; gives its id."""
    name = slug(job.name)
    same = select(func.max(ModelVersion.number)).where(
        ModelVersion.tenant_id == job.tenant_id, ModelVersion.name == name
    )
    version = ModelVersion(
        id=new_id("mdl"),
        tenant_id=job.tenant_id,
        owner=job.owner,
        name=name,
        number=(session.scalar(same) or 0) + 1,
        family=job.family,
        job_id=job.id,
        dataset_id=_dataset_read(session, job.id),
        metrics=dict(metrics),
        created_at=now,
    )
    session.add(version)
    session.flush()
    return version.id


def complete_dataset(session: Session, job_id: str, report: Mapping[str, Any], now: datetime) -> str | None:
    """Make the dataset of an import ready; gives its id."""
    ready = update(Dataset).where(Dataset.job_id == job_id).values(ready_at=now, report=dict(report))
    return session.execute(ready.returning(Dataset.id)).scalar_one_or_none()


def stepped_name(name: str, step: int) -> str:
    """The name a sample is kept under, one for each step: ``samples.png`` -> ``samples-000300.png``."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}-{step:06d}{path.suffix}"))


def _dataset_read(session: Session, job_id: str) -> str | None:
    reads = select(JobInput.dataset_id).where(JobInput.job_id == job_id, JobInput.dataset_id.is_not(None))
    return session.scalars(reads.order_by(JobInput.field)).first()


def _row(place: Place, file: NewFile, now: datetime) -> dict[str, Any]:
    name = PurePosixPath(file.name)
    if name.is_absolute() or ".." in name.parts or not name.parts or "\0" in file.name:
        raise ValueError(f"{file.name!r} cannot name an artifact")
    return {
        "id": new_id("art"),
        "tenant_id": place.tenant_id,
        "job_id": place.job_id,
        "role": place.role,
        "name": file.name,
        "step": place.step,
        "sha256": file.sha256,
        "size": file.size,
        "media_type": file.media_type,
        "created_at": now,
    }
