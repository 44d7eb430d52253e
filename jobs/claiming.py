"""Taking a job: the row becomes running under a new lease, and the worker learns everything it needs to run it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import uuid4

from sqlalchemy import Row, bindparam, case, func, insert, select
from sqlalchemy.orm import Session

from jobs import curves, pausing, tracing
from jobs.db import Database, UtcDateTime
from jobs.engine import Engine
from jobs.moves import Move, Rule, apply_to_all, state_event
from jobs.picking import NEVER, UNKNOWN, Run, Wish, below_quota, claimable, pick
from jobs.tables import Artifact, Attempt, Dataset, Job, JobInput, ModelVersion, OwnerTurn, SchemaInfo

EPOCH_CHARACTERS = 7
FRESH = 20  # hexadecimal digits
ID_TAIL = 19  # from here on, a job's id is random


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """The slot that asks for work."""

    id: str
    lane: str
    device_kind: str


@dataclass(frozen=True, slots=True)
class Room:
    """What a slot has for a job.

    Attributes:
        memory: Bytes free on its device.
        capacity: Bytes of its device in all.
        devices: Devices that it holds for one job.
    """

    memory: int = UNKNOWN
    capacity: int = UNKNOWN
    devices: int = 1


ANY_ROOM = Room()


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
    """A job that one attempt now holds, with everything needed to run it.

    Attributes:
        adjustments: What recovery changed for this attempt.
        time_limit: Seconds that all attempts may run together, or None.
        time_left: What the attempts before have left of it.
        troubled: Whether an attempt before failed, or was lost with its worker.
        devices: Devices that work on it together.
        traceparent: The trace that it belongs to, if any.
    """

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
    adjustments: Mapping[str, Any] = field(default_factory=dict)
    time_limit: int | None = None
    time_left: float | None = None
    troubled: bool = False
    devices: int = 1
    traceparent: str | None = None


def wish(engine: Engine, worker: WorkerIdentity, warm: frozenset[str], room: Room = ANY_ROOM) -> Wish:
    """What a worker may take."""
    settings = engine.settings
    return Wish(
        worker.lane,
        worker.device_kind,
        timedelta(seconds=settings.aging_seconds),
        settings.max_running_per_owner,
        warm,
        room.memory,
        room.capacity,
        room.devices,
        timedelta(seconds=settings.try_unfit_seconds) if settings.try_unfit_seconds else None,
    )


def claim(engine: Engine, worker: WorkerIdentity, warm: frozenset[str] = frozenset()) -> Claim | None:
    """Take the best job that waits in the worker's lane, or None when there is none."""
    claims = claim_several(engine, worker, warm, 1)
    return claims[0] if claims else None


def claim_several(
    engine: Engine, worker: WorkerIdentity, warm: frozenset[str], most: int, room: Room = ANY_ROOM
) -> list[Claim]:
    """Take the jobs whose turn it is, as :func:`claim` would take them one after the other, in one transaction.

    Args:
        engine: Where the jobs are.
        worker: Who asks.
        warm: Keys of the file sets whose models the worker holds in memory.
        most: How many it may take. A job that was tried before is the last one of them.
        room: What it has for them.
    """
    wanted, passed, run = wish(engine, worker, warm, room), list[str](), None
    # This needs no lock: idle slots and surplus tokens wait for nobody.
    with engine.db.read() as session:
        now = engine.db.now(session)
        if engine.db.is_sqlite:
            run = Run() if _rests(session, worker) else pick(session, wanted, now, most)
        if not (run.jobs if run else _anything(session, worker, now)):
            return []
    while True:
        # A claim that a power cut undoes was never made: the job waits, and its lease fences whoever held it.
        with engine.db.begin(durable=False) as session:
            if run is None:
                hold_lane(engine, session, worker.lane)
                now = engine.db.now(session)
                run = Run() if _rests(session, worker) else pick(session, wanted, now, most, passed)
                if not run.jobs:
                    return []
            now, jobs = engine.db.now(session), list[Row[Any]]()
            while run.jobs:
                taken = take(engine, session, run.jobs, worker, now)
                passed += set(run.jobs) - {job.id for job in taken}  # another worker was faster, or is just taking it
                if not taken:  # all are gone, or a pause has come: look anew
                    break
                jobs += taken
                pass_turns(engine, session, jobs, now)
                if not run.more or len(jobs) >= most or jobs[-1].attempt > 1:
                    break
                run = pick(session, wanted, now, most - len(jobs), passed)
            if jobs:
                return claimed(session, jobs, now)
        run = None


def _rests(session: Session, worker: WorkerIdentity) -> bool:
    """Whether the worker was told to rest, or its queue was."""
    return pausing.is_paused(session, worker.lane, worker.device_kind, worker.id)


def _anything(session: Session, worker: WorkerIdentity, now: datetime) -> bool:
    """Whether a look is worth it."""
    about = {"lane": worker.lane, "device_kind": worker.device_kind, "now": now}
    return session.connection().scalar(_ANYTHING, about) is not None


def hold_lane(engine: Engine, session: Session, lane: str) -> None:
    """Let one worker at a time look and take in a lane; SQLite has one writer anyway.

    Two that take several hold several turns, and could wait for each other for ever. Of many that look at the same time
    all but one find the same job gone, again and again: 64 slots that were free at once took 9 jobs a second. And turns
    that were looked at a moment ago may have passed, so that owners were served unevenly.
    """
    if not engine.db.is_sqlite:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"aigc claims {lane}"))))


_ANYTHING = select(Job.id).where(*claimable(bindparam("lane"), bindparam("device_kind"), bindparam("now"))).limit(1)
_INPUTS = (
    select(
        JobInput.job_id,
        JobInput.field,
        JobInput.dataset_id,
        Dataset.job_id.label("imported_by"),
        JobInput.model_id,
        ModelVersion.job_id.label("trained_by"),
    )
    .outerjoin(Dataset, Dataset.id == JobInput.dataset_id)
    .outerjoin(ModelVersion, ModelVersion.id == JobInput.model_id)
    .where(JobInput.job_id.in_(bindparam("jobs", expanding=True)))
)
_UPLOADS = (
    select(Artifact.job_id, Artifact.name, Artifact.sha256, Artifact.size)
    .where(Artifact.job_id.in_(bindparam("jobs", expanding=True)), Artifact.role == "upload")
    .order_by(Artifact.name)
)
_FILES = (
    select(Artifact.name, Artifact.sha256, Artifact.size)
    .where(Artifact.job_id == bindparam("job_id"), Artifact.role == bindparam("role"))
    .order_by(Artifact.name)
)


def take(engine: Engine, session: Session, ids: Sequence[str], worker: WorkerIdentity, now: datetime) -> list[Row[Any]]:
    """Make waiting jobs this worker's, in this order; those are left out which another one was faster to take.

    Where owners have a quota, each job needs a call of its own.
    """
    quota = engine.settings.max_running_per_owner
    if not engine.db.is_sqlite:
        # A row that another worker is just taking is skipped, not waited for.
        free = select(Job.id, Job.tenant_id, Job.owner).where(Job.id.in_(ids), Job.status == "queued")
        owners = {row.id: row for row in session.execute(free.with_for_update(skip_locked=True))}
        ids = [job_id for job_id in ids if job_id in owners]
        if quota and ids:
            _hold_turn(engine, session, worker.lane, owners[ids[0]])
    values = {
        "lease_until": now + timedelta(seconds=engine.settings.lease_seconds),
        "worker_id": worker.id,
        "progress_at": now,
        "phase": "preparing",
        "failure": None,
    }
    bound = {"its_lane": worker.lane, "its_kind": worker.device_kind, "now": now, "fresh": uuid4().hex[:FRESH]}
    bound["its_id"] = worker.id
    event = state_event("running", worker=worker.id)
    rule = _bounded(worker.lane, quota) if quota else _TAKING
    move = Move("queued", "running", values, [event], rule=rule, bound=bound)
    jobs = apply_to_all(session, ids, move, now)
    for job in jobs:
        if job.attempt > 1:
            curves.forget_after(session, job.id, job.checkpoint_step)
    return jobs


def _hold_turn(engine: Engine, session: Session, lane: str, owner: Any) -> None:
    """Let no other worker count this owner's running jobs before this claim is committed (SQLite has one writer)."""
    turn = engine.db.insert(OwnerTurn).values(lane=lane, tenant_id=owner.tenant_id, owner=owner.owner, claimed_at=NEVER)
    unchanged = {"claimed_at": OwnerTurn.claimed_at}
    session.execute(turn.on_conflict_do_update(index_elements=["lane", "tenant_id", "owner"], set_=unchanged))


def pass_turns(engine: Engine, session: Session, jobs: Sequence[Row[Any]], now: datetime) -> None:
    """Note that the owners of these jobs were served, one after the other; those who were not are next."""
    served = {(job.tenant_id, job.owner): place for place, job in enumerate(jobs)}
    turns = [
        {
            "lane": jobs[0].lane,
            "tenant_id": tenant,
            "owner": owner,
            "claimed_at": now + timedelta(microseconds=place),
        }
        for (tenant, owner), place in served.items()
    ]
    session.connection().execute(_turn(engine.db), turns)


@lru_cache(maxsize=2)
def _turn(db: Database) -> Any:
    noting = db.insert(OwnerTurn)
    key, served = ["lane", "tenant_id", "owner"], {"claimed_at": noting.excluded.claimed_at}
    return noting.on_conflict_do_update(index_elements=key, set_=served)


_NOW = bindparam("now", type_=UtcDateTime)
_EPOCH = select(func.substr(SchemaInfo.epoch, 1, EPOCH_CHARACTERS)).where(SchemaInfo.id == 1).scalar_subquery()
_RESUMED = case((Job.checkpoint_step >= 0, Job.checkpoint_step), else_=0)
_TAKING = Rule(
    guards=(
        *claimable(bindparam("its_lane"), bindparam("its_kind"), _NOW),
        pausing.may_take(bindparam("its_lane"), bindparam("its_kind"), bindparam("its_id")),
    ),
    computed={
        "attempt": Job.attempt + 1,
        # Fresh for every claim; the end of the job's random id makes it one of its own within a claim of several.
        "lease_id": _EPOCH.op("||")(bindparam("fresh")).op("||")(func.substr(Job.id, ID_TAIL)),
        "started_at": func.coalesce(Job.started_at, _NOW),
        # A later attempt's progress goes back to where it resumes.
        "step": case((Job.attempt > 0, _RESUMED), else_=Job.step),
    },
)


@lru_cache(maxsize=8)
def _bounded(lane: str, quota: int) -> Rule:
    """The same for a lane in which an owner may only run so many jobs at a time."""
    return Rule([*_TAKING.guards, below_quota(lane, quota)], _TAKING.computed)


def _resumed(job: Row[Any]) -> int | None:
    return job.checkpoint_step if job.checkpoint_step >= 0 else None


def claimed(session: Session, jobs: Sequence[Row[Any]], now: datetime) -> list[Claim]:
    """Open the attempts of jobs that were just taken, and collect everything that is needed to run them."""
    attempts = [
        {
            "job_id": job.id,
            "number": job.attempt,
            "lease_id": job.lease_id,
            "worker_id": job.worker_id,
            "started_at": now,
            "resumed_step": _resumed(job),
        }
        for job in jobs
    ]
    session.connection().execute(_BEGIN_ATTEMPT, attempts)
    inputs = _inputs(session, [job.id for job in jobs])
    return [_claim(session, job, inputs.get(job.id, {})) for job in jobs]


_BEGIN_ATTEMPT = insert(Attempt.__table__)  # type: ignore[arg-type]


def _claim(session: Session, job: Row[Any], inputs: Mapping[str, FileSet]) -> Claim:
    resumed = _resumed(job)
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
        adjustments=dict(job.adjustments),
        time_limit=job.time_limit_seconds,
        time_left=_time_left(session, job) if job.time_limit_seconds is not None else None,
        devices=job.devices,
        traceparent=job.snapshot.get(tracing.HEADER),
        troubled=bool(job.app_failures or job.worker_losses),
    )


def _time_left(session: Session, job: Row[Any]) -> float:
    """Seconds of the limit that the ended attempts did not use; what a job waits between them does not count."""
    ended = select(Attempt.started_at, Attempt.ended_at).where(Attempt.job_id == job.id, Attempt.number < job.attempt)
    used = sum((row.ended_at - row.started_at).total_seconds() for row in session.execute(ended) if row.ended_at)
    return max(0.0, float(job.time_limit_seconds - used))


def _inputs(session: Session, jobs: Sequence[str]) -> dict[str, dict[str, FileSet]]:
    """What each job reads: datasets and model versions, or the file that was uploaded with it."""
    found: dict[str, dict[str, FileSet]] = {}
    sets: dict[str, FileSet] = {}
    for row in session.connection().execute(_INPUTS, {"jobs": jobs}).all():
        key, made_by, prefix = row.model_id, row.trained_by, "model/"
        if row.dataset_id is not None:
            key, made_by, prefix = row.dataset_id, row.imported_by, "dataset/"
        if key is None:
            continue
        if key not in sets:
            sets[key] = _files(session, key, made_by, "output", prefix)
        found.setdefault(row.job_id, {})[row.field] = sets[key]
    bare = [job_id for job_id in jobs if job_id not in found]
    uploads: dict[str, list[StoredFile]] = {}
    for file in session.connection().execute(_UPLOADS, {"jobs": bare}) if bare else ():
        uploads.setdefault(file.job_id, []).append(StoredFile(file.name, file.sha256, file.size))
    return found | {job_id: {"upload": FileSet(f"{job_id}-upload", files)} for job_id, files in uploads.items()}


def _files(session: Session, key: str, job_id: str, role: str, prefix: str = "") -> FileSet:
    rows = session.connection().execute(_FILES, {"job_id": job_id, "role": role})
    files = [
        StoredFile(row.name.removeprefix(prefix), row.sha256, row.size) for row in rows if row.name.startswith(prefix)
    ]
    return FileSet(key, files)
