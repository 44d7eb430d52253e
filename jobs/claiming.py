"""Which queued job a free worker takes: priority, then owners in turn, then what is warm already, then age."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Row, case, exists, func, insert, or_, select
from sqlalchemy.orm import Session

from jobs import curves
from jobs.engine import Engine
from jobs.moves import Move, apply, state_event
from jobs.tables import Artifact, Attempt, Dataset, Job, JobInput, ModelVersion, OwnerTurn, SchemaInfo

WINDOW = 32
# A job that has waited this long is not passed any more by one whose model is warm.
PATIENCE = timedelta(seconds=60)
EPOCH_CHARACTERS = 7


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """The slot that asks for work."""

    id: str
    lane: str
    device_kind: str


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a set, by its name there."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class FileSet:
    """Files that belong together and never change.

    Attributes:
        key: Stable name of the set, fit for a directory: the id of a dataset or model version,
            or the job's id with the step of a checkpoint or with ``-upload``.
        files: The files; their names are relative to what the set is.
    """

    key: str
    files: Sequence[StoredFile]


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that one attempt now holds, with everything needed to run it."""

    job_id: str
    tenant_id: str
    attempt: int
    lease_id: str
    family: str
    operation: str
    params: dict[str, Any]
    inputs: Mapping[str, FileSet] = field(default_factory=dict)
    checkpoint: FileSet | None = None
    resumed_step: int | None = None
    lane: str = "training"
    device_kind: str = "cpu"


def claim(engine: Engine, worker: WorkerIdentity, warm: frozenset[str] = frozenset()) -> Claim | None:
    """Take the best job that waits in the worker's lane, or None when there is none.

    Args:
        engine: Where the jobs are.
        worker: Who asks.
        warm: Keys of the file sets whose models the worker holds in memory.
    """
    passed: list[str] = []
    while True:
        # Looking needs no lock: idle slots and surplus tokens never wait for the one writer of SQLite.
        with engine.db.read() as session:
            picked = _pick(session, worker, warm, engine.db.now(session), passed)
        if picked is None:
            return None
        with engine.db.begin() as session:
            job = _take(engine, session, picked, worker)
            if job is not None:
                return _claimed(session, job)
        passed.append(picked)  # another worker was faster, or is just taking it


def claimable(lane: str, device_kind: str, now: datetime) -> tuple[ColumnElement[bool], ...]:
    """What a job must be like to be taken in a lane."""
    return (
        Job.status == "queued",
        Job.lane == lane,
        Job.device_kind == device_kind,
        Job.not_before <= now,
        Job.cancel_requested_at.is_(None),
        or_(Job.expires_at.is_(None), Job.expires_at > now),
    )


def _pick(
    session: Session, worker: WorkerIdentity, warm: frozenset[str], now: datetime, passed: Sequence[str]
) -> str | None:
    free = (*claimable(worker.lane, worker.device_kind, now), Job.id.not_in(passed))
    priority = session.scalar(select(Job.priority).where(*free).order_by(Job.priority.desc()).limit(1))
    if priority is None:
        return None
    turn = session.execute(_turn(worker.lane, (*free, Job.priority == priority))).one_or_none()
    best = select(Job.id, Job.created_at).where(*free, Job.priority == priority)
    if turn is not None:
        best = best.where(Job.tenant_id == turn.tenant_id, Job.owner == turn.owner)
    window = session.execute(best.order_by(Job.created_at, Job.id).limit(WINDOW if warm else 1)).all()
    if not window:
        return None
    oldest: str = window[0].id
    if not warm or now - window[0].created_at > PATIENCE:
        return oldest
    return _warm(session, [row.id for row in window], warm) or oldest


def _turn(lane: str, free: Sequence[ColumnElement[bool]]) -> Any:
    """The owner with a claimable job whose last claim is the oldest; one index look-up for each owner."""
    waits = exists().where(Job.tenant_id == OwnerTurn.tenant_id, Job.owner == OwnerTurn.owner, *free)
    owners = select(OwnerTurn.tenant_id, OwnerTurn.owner).where(OwnerTurn.lane == lane, waits)
    return owners.order_by(OwnerTurn.claimed_at, OwnerTurn.tenant_id, OwnerTurn.owner).limit(1)


def _warm(session: Session, jobs: Sequence[str], warm: frozenset[str]) -> str | None:
    reads = select(JobInput.job_id).where(JobInput.job_id.in_(jobs), JobInput.model_id.in_(warm))
    found = set(session.scalars(reads))
    return next((job for job in jobs if job in found), None)


def _take(engine: Engine, session: Session, job_id: str, worker: WorkerIdentity) -> Row[Any] | None:
    now = engine.db.now(session)
    if not engine.db.is_sqlite:
        # A row that another worker is just taking is skipped, not waited for.
        free = select(Job.id).where(Job.id == job_id, Job.status == "queued").with_for_update(skip_locked=True)
        if session.scalar(free) is None:
            return None
    move = Move("queued", "running", _taking(engine, worker, now), [state_event("running", worker=worker.id)])
    job = apply(session, job_id, move, now, *claimable(worker.lane, worker.device_kind, now))
    if job is None:
        return None
    if job.attempt > 1:
        curves.forget_after(session, job.id, job.checkpoint_step)
    session.execute(
        insert(Attempt.__table__).values(  # type: ignore[arg-type]
            job_id=job.id,
            number=job.attempt,
            lease_id=job.lease_id,
            worker_id=worker.id,
            started_at=now,
            resumed_step=_resumed(job),
        )
    )
    turn = engine.db.insert(OwnerTurn).values(
        lane=worker.lane, tenant_id=job.tenant_id, owner=job.owner, claimed_at=now
    )
    session.execute(turn.on_conflict_do_update(index_elements=["lane", "tenant_id", "owner"], set_={"claimed_at": now}))
    return job


def _taking(engine: Engine, worker: WorkerIdentity, now: datetime) -> dict[str, Any]:
    """What a claim writes. A later attempt's progress goes back to where it resumes."""
    epoch = select(func.substr(SchemaInfo.epoch, 1, EPOCH_CHARACTERS)).where(SchemaInfo.id == 1).scalar_subquery()
    resumed = case((Job.checkpoint_step >= 0, Job.checkpoint_step), else_=0)
    return {
        "attempt": Job.attempt + 1,
        "lease_id": epoch.op("||")(uuid4().hex),
        "lease_until": now + timedelta(seconds=engine.settings.lease_seconds),
        "worker_id": worker.id,
        "started_at": func.coalesce(Job.started_at, now),
        "progress_at": now,
        "phase": "preparing",
        "step": case((Job.attempt > 0, resumed), else_=Job.step),
        "failure": None,
    }


def _resumed(job: Row[Any]) -> int | None:
    return job.checkpoint_step if job.checkpoint_step >= 0 else None


def _claimed(session: Session, job: Row[Any]) -> Claim:
    resumed = _resumed(job)
    inputs = _inputs(session, job.id)
    if not inputs:
        upload = _files(session, f"{job.id}-upload", job.id, "upload")
        inputs = {"upload": upload} if upload.files else {}
    return Claim(
        job_id=job.id,
        tenant_id=job.tenant_id,
        attempt=job.attempt,
        lease_id=job.lease_id,
        family=job.family,
        operation=job.operation,
        params=dict(job.params),
        inputs=inputs,
        checkpoint=_files(session, f"{job.id}-{resumed}", job.id, "checkpoint") if resumed is not None else None,
        resumed_step=resumed,
        lane=job.lane,
        device_kind=job.device_kind,
    )


def _inputs(session: Session, job_id: str) -> dict[str, FileSet]:
    found: dict[str, FileSet] = {}
    reads = select(JobInput.field, JobInput.dataset_id, Dataset.job_id, JobInput.model_id, ModelVersion.job_id)
    reads = reads.outerjoin(Dataset, Dataset.id == JobInput.dataset_id)
    reads = reads.outerjoin(ModelVersion, ModelVersion.id == JobInput.model_id).where(JobInput.job_id == job_id)
    for name, dataset_id, imported_by, model_id, trained_by in session.execute(reads):
        if dataset_id is not None:
            found[name] = _files(session, dataset_id, imported_by, "output", "dataset/")
        elif model_id is not None:
            found[name] = _files(session, model_id, trained_by, "output", "model/")
    return found


def _files(session: Session, key: str, job_id: str, role: str, prefix: str = "") -> FileSet:
    rows = select(Artifact.name, Artifact.sha256, Artifact.size).where(Artifact.job_id == job_id)
    rows = rows.where(Artifact.role == role, Artifact.name.startswith(prefix, autoescape=True)).order_by(Artifact.name)
    files = [StoredFile(name.removeprefix(prefix), sha, size) for name, sha, size in session.execute(rows)]
    return FileSet(key, files)
