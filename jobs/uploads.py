"""From an uploaded file to a dataset: the bytes are stored, an ordinary job checks and converts them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aigc_models.base import Params
from aigc_models.data.kinds import import_task
from aigc_models.data.starters import STARTERS
from jobs import results
from jobs.artifacts import NewFile, in_words, media_type
from jobs.engine import Engine
from jobs.errors import BlobMissing, EmptyFile, FileTooLarge, NotFound, SourceDeleted
from jobs.idempotency import fingerprint, recall, remember
from jobs.ids import new_id
from jobs.naming import file_name, plain, slug
from jobs.principal import Principal
from jobs.submit import Draft, announce, insert_job, validate
from jobs.tables import FINAL, Artifact, Dataset, Job

LONGEST_LICENCE = 255
PUTS = 5  # the collector removes bytes that nothing names, and may do so just before these are named


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a user sent, lying on this machine.

    Attributes:
        path: Where it lies; it is copied.
        filename: What it was called there.
        name: What the dataset is called; the file's name without its ending if left out.
        kind: Kind of dataset.
        licence: Licence of the data.
        notes: Anything worth knowing about it.
        params: Settings of the import.
        idempotency_key: The same key within 24 hours gives the same dataset.
    """

    path: Path
    filename: str
    name: str | None = None
    kind: str = "images"
    licence: str = ""
    notes: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    idempotency_key: str | None = None


def receive(engine: Engine, principal: Principal, upload: Upload) -> tuple[Dataset, Job]:
    """Store an upload and queue the job that makes a dataset of it.

    Raises:
        EmptyFile: It has 0 bytes.
        FileTooLarge: It is larger than the operator allows.
        StorageFull: There is no room for it.
        InvalidParams: With one fault for each wrong setting of the import.
        IdempotencyKeyReused: The key belongs to another upload.
    """
    filename = file_name(upload.filename)
    size = upload.path.stat().st_size
    if size == 0:
        raise EmptyFile(name=filename)
    if size > engine.settings.max_upload:
        raise FileTooLarge(limit=in_words(engine.settings.max_upload))
    params = validate(import_task(upload.kind), upload.params)
    return _keep(engine, principal, upload, params, _put(engine, upload.path, filename))


def receive_starter(engine: Engine, principal: Principal, starter_name: str) -> tuple[Dataset, Job]:
    """Queue the import of a bundled dataset; one that is there already, or being checked, is given instead.

    Raises:
        NotFound: There is no such starter.
        StorageFull: There is no room for it.
    """
    starter = STARTERS.get(starter_name)
    if starter is None:
        raise NotFound(kind="starter", id=starter_name)
    upload = Upload(starter.path, starter.filename, starter.name, starter.kind, starter.licence, starter.notes)
    file = _put(engine, starter.path, starter.filename)
    with engine.db.read() as session:
        found = _same(session, principal, slug(starter.name), file.sha256)
    return found or _keep(engine, principal, upload, validate(import_task(starter.kind), starter.params), file)


def revise(engine: Engine, principal: Principal, dataset_id: str, changes: Mapping[str, Any]) -> tuple[Dataset, Job]:
    """Queue another import of a dataset's uploaded file, as its next version; settings not given stay as they were.

    Raises:
        NotFound: The caller has no such dataset.
        SourceDeleted: Its uploaded file was deleted.
        InvalidParams: With one fault for each wrong setting of the import.
    """
    with engine.db.read() as session:
        mine = select(Dataset).where(Dataset.id == dataset_id, Dataset.tenant_id == principal.tenant_id)
        row = session.scalar(mine)
        if row is None:
            raise NotFound(kind="dataset", id=dataset_id)
        source = select(Artifact).where(Artifact.job_id == row.job_id, Artifact.role == "upload")
        file, job = session.scalar(source), session.get_one(Job, row.job_id)
    if file is None:
        raise SourceDeleted(name=row.name)
    params = validate(import_task(row.kind), {**job.params, **changes})
    upload = Upload(Path(), file.name, row.name, row.kind, row.licence, row.notes)
    try:
        made = _queue(engine, principal, upload, params, NewFile(file.name, file.sha256, file.size, file.media_type))
    except BlobMissing:  # deleted while we looked
        raise SourceDeleted(name=row.name) from None
    return made


def _put(engine: Engine, path: Path, filename: str) -> NewFile:
    sha256, size = engine.store.put(path)
    return NewFile(filename, sha256, size, media_type(filename))


def _keep(engine: Engine, principal: Principal, upload: Upload, params: Params, file: NewFile) -> tuple[Dataset, Job]:
    """Queue the import, with the bytes put again where the collector came between."""
    for _ in range(PUTS - 1):
        try:
            return _queue(engine, principal, upload, params, file)
        except BlobMissing:
            file = _put(engine, upload.path, file.name)
    return _queue(engine, principal, upload, params, file)


def _queue(engine: Engine, principal: Principal, upload: Upload, params: Params, file: NewFile) -> tuple[Dataset, Job]:
    name = slug(upload.name or PurePosixPath(file.name).stem)
    key, settings = upload.idempotency_key, params.model_dump(mode="json")
    print_ = fingerprint(sha256=file.sha256, name=name, kind=upload.kind, params=settings)

    def work(session: Session, now: datetime) -> tuple[Dataset, Job, bool]:
        known = recall(session, principal, key, print_, now) if key is not None else None
        if known is not None:
            return session.scalars(select(Dataset).where(Dataset.job_id == known.id)).one(), known, False
        draft = Draft(task=import_task(upload.kind), params=params, name=f"{name}-import")
        job = insert_job(session, engine, principal, draft, now)
        dataset = _dataset(session, principal, upload, job, name)
        dataset.source_name, dataset.source_sha256, dataset.source_size = file.name, file.sha256, file.size
        session.add(dataset)
        place = results.Place(principal.tenant_id, job.id, "upload")
        session.flush()
        results.keep_files(engine, session, place, [file], now)
        if key is not None:
            remember(session, principal, key, print_, job)
        return dataset, job, True

    dataset, job, fresh = engine.db.transact(work)
    if fresh:
        announce(engine, job)
    return dataset, job


def _dataset(session: Session, principal: Principal, upload: Upload, job: Job, name: str) -> Dataset:
    same = select(func.max(Dataset.number)).where(Dataset.tenant_id == principal.tenant_id, Dataset.name == name)
    return Dataset(
        id=new_id("ds"),
        tenant_id=principal.tenant_id,
        owner=principal.owner,
        name=name,
        number=(session.scalar(same) or 0) + 1,
        kind=upload.kind,
        job_id=job.id,
        licence=plain(upload.licence)[:LONGEST_LICENCE],
        notes=plain(upload.notes),
        created_at=job.created_at,
    )


def _same(session: Session, principal: Principal, name: str, sha256: str) -> tuple[Dataset, Job] | None:
    made = select(Dataset, Job).join(Job, Job.id == Dataset.job_id)
    made = made.where(
        Dataset.tenant_id == principal.tenant_id,
        Dataset.source_sha256 == sha256,
        Dataset.name == name,
        Dataset.ready_at.is_not(None) | Job.status.not_in(FINAL),
    )
    row = session.execute(made.order_by(Dataset.number).limit(1)).one_or_none()
    return (row[0], row[1]) if row is not None else None
