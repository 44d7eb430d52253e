"""Jobs that wait for others: what they wait for, and what becomes of them when that has ended.

A job is ``blocked`` until everything it needs has succeeded. Whoever ends a job calls :func:`settle` in
the same transaction; :func:`unblock` does the same for what was missed, so nothing waits for ever.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Row, and_, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from aigc_models.base import Fault
from jobs import snapshot
from jobs.engine import Engine
from jobs.moves import Move, apply, state_event
from jobs.principal import Principal
from jobs.states import Label
from jobs.tables import FINAL, Job, JobDependency, JobEvent, JobInput, JobStatus, ModelVersion

BATCH = 1_000
MISSING = "There is no {kind} called {id}. It may have been deleted."
ENDED = "The job {name} has {status}, so nothing can wait for it. Retry it, then wait for the new job."

WAITING_FOR = "Waiting for {name}."
WAITING_FOR_MORE = "Waiting for {name} and {count} more."
NEED_ENDED = "Cancelled because the job it waited for, {name}, ended as {status}."

_DEPENDANTS = (
    select(JobDependency.job_id)
    .distinct()
    .join(Job, Job.id == JobDependency.needs_id)
    .where(JobDependency.needs_id.in_(bindparam("ended", expanding=True)), Job.status.in_(FINAL))
)
_NEEDS: Any = (
    select(
        JobDependency.needs_id, JobDependency.field, Job.name, Job.status, ModelVersion.id.label("model_id")
    )
    .join(Job, Job.id == JobDependency.needs_id)
    .outerjoin(ModelVersion, ModelVersion.job_id == Job.id)
    .where(JobDependency.job_id == bindparam("job_id"))
    .order_by(JobDependency.needs_id)
)  # fmt: skip


def lock(session: Session, principal: Principal, job_ids: Iterable[str]) -> Mapping[str, Job]:
    """The caller's jobs of these ids, held so that none of them ends or is deleted before this transaction does.

    The older ones first, as in :func:`settle`: two transactions never wait for each other.
    """
    return look(session, principal, job_ids, held=True)


def look(session: Session, principal: Principal, job_ids: Iterable[str], *, held: bool = False) -> Mapping[str, Job]:
    """The caller's jobs of these ids as they are now; ``held`` as :func:`lock` says."""
    wanted = {job_id for job_id in job_ids if job_id.isprintable()}  # PostgreSQL refuses text with NUL
    if not wanted:
        return {}
    rows = select(Job).where(Job.id.in_(wanted), Job.tenant_id == principal.tenant_id).order_by(Job.id)
    return {job.id: job for job in session.scalars(rows.with_for_update(read=True) if held else rows)}


def judge(job_ids: Sequence[str], jobs: Mapping[str, Job]) -> tuple[list[str], list[Fault]]:
    """What of ``after`` has to be waited for, and what is wrong with it: jobs that succeeded need no waiting."""
    waits, faults = list[str](), list[Fault]()
    for place, job_id in enumerate(job_ids):
        job = jobs.get(job_id)
        if job is None:
            faults.append(Fault(MISSING, {"kind": "job", "id": job_id}, f"/after/{place}", code="not-found"))
        elif (fault := refusal(job, f"/after/{place}")) is not None:
            faults.append(fault)
        elif job.status not in FINAL and job_id not in waits:
            waits.append(job_id)
    return waits, faults


def refusal(job: Job, pointer: str) -> Fault | None:
    """Why nothing can wait for a job, if that is so."""
    if job.status not in FINAL or job.status == "succeeded":
        return None
    return Fault(ENDED, {"name": job.name, "status": job.status}, pointer, code="needed-job-failed")


def needs(session: Session, job_id: str) -> Sequence[Row[Any]]:
    """What a job waits or waited for: ``needs_id``, ``field``, ``name``, ``status``, ``model_id``."""
    found: Sequence[Row[Any]] = session.execute(_NEEDS, {"job_id": job_id}).all()
    return found


def label(session: Session, job: Job) -> Label:
    """How a job reads that is blocked, or that was cancelled with what it waited for."""
    if job.status == "blocked":
        waits = [need for need in needs(session, job.id) if need.status != "succeeded"]
        if not waits:
            return Label("blocked")  # it is just being queued
        values = {"name": waits[0].name, "id": waits[0].needs_id, "count": len(waits) - 1}
        return Label("blocked", WAITING_FOR if len(waits) == 1 else WAITING_FOR_MORE, values)
    said = session.scalar(select(JobEvent.data).where(JobEvent.job_id == job.id, JobEvent.terminal))
    culprit = (said or {}).get("needed")
    return Label(job.status, NEED_ENDED, culprit) if culprit else Label(job.status)


def hold(session: Session, job_id: str) -> Row[Any] | None:
    """Keep others from moving a blocked or paused job until the transaction ends; None when it is neither any more.

    Done before its needs are read: of two needs that end at once, the later one then sees both ended.
    """
    held = select(Job.id, Job.status, Job.params, Job.snapshot).where(
        Job.id == job_id, Job.status.in_(("blocked", "paused"))
    )
    return session.execute(held.with_for_update()).one_or_none()


def next_move(session: Session, job: Any, now: datetime, **said: Any) -> Move:
    """Where a blocked or paused job goes by what it needs: queued, cancelled with it, or (still) blocked.

    Args:
        session: What is filled in for a job to be queued is written here, too, so make the move.
        job: The row, which :func:`hold` keeps.
        now: The database's clock.
        said: More for the event's data.
    """
    source, found = cast(JobStatus, job.status), needs(session, job.id)
    target, culprit = _target(found)
    if culprit is not None:
        needed = {"id": culprit.needs_id, "name": culprit.name, "status": culprit.status}
        return Move(source, target, events=[state_event(target, needed=needed)])
    values = {"not_before": now} | _filled(session, job, found) if target == "queued" else {}
    return Move(source, target, values, [state_event(target, **said)])


def _target(found: Sequence[Row[Any]]) -> tuple[JobStatus, Row[Any] | None]:
    """Where a job with these needs belongs, and the need that cancels it."""
    culprit = next((need for need in found if need.status in ("failed", "cancelled")), None)
    if culprit is not None:
        return "cancelled", culprit
    return ("queued" if all(need.status == "succeeded" for need in found) else "blocked"), None


def settle(session: Session, ended: Sequence[str], now: datetime) -> list[Row[Any]]:
    """Move on the jobs that waited for those that have ended, and with cancelled ones those that waited for them.

    Returns:
        The jobs that are queued now: :func:`announce` them after the commit.
    """
    return _walk(session, _dependants(session, ended), now)


def unblock(engine: Engine) -> int:
    """Settle what no ending transaction has: a need that ended while the job was being written; gives the number."""
    with engine.db.read() as session:
        due = session.scalars(_due().order_by(Job.id).limit(BATCH)).all()
    moved = 0
    for job_id in due:
        with engine.db.begin() as session:
            now = engine.db.now(session)
            freed = _walk(session, [job_id], now)
            moved += session.scalar(select(Job.status).where(Job.id == job_id)) in ("queued", "cancelled")
        announce(engine, freed)
    return moved


def announce(engine: Engine, freed: Iterable[Row[Any]]) -> None:
    """Wake workers for jobs that :func:`settle` has queued; the scheduler announces again what nobody came for."""
    for job in freed:
        engine.dispatcher.announce(job.lane, job.device_kind)


def _walk(session: Session, waiting: list[str], now: datetime) -> list[Row[Any]]:
    # Ids sort by age and a job needs only older ones, so everyone locks rows in the same order.
    heapq.heapify(waiting)
    freed = []
    while waiting:
        job = _settle_one(session, heapq.heappop(waiting), now)
        if job is None:
            continue
        if job.status == "queued":
            freed.append(job)
        else:
            for dependant in _dependants(session, [job.id]):
                heapq.heappush(waiting, dependant)
    return freed


def _dependants(session: Session, ended: Sequence[str]) -> list[str]:
    return list(session.connection().execute(_DEPENDANTS, {"ended": ended}).scalars())


def _settle_one(session: Session, job_id: str, now: datetime) -> Row[Any] | None:
    job = hold(session, job_id)
    if job is None:
        return None
    target, _ = _target(needs(session, job_id))
    if target == "blocked" or (job.status == "paused" and target == "queued"):
        return None  # it still waits, or for a person
    return apply(session, job_id, next_move(session, job, now), now)


def _due() -> Any:
    needed = and_(JobDependency.job_id == Job.id, JobDependency.needs_id == _NEEDED.c.id)
    unmet = exists().where(needed, _NEEDED.c.status != "succeeded")
    doomed = exists().where(needed, _NEEDED.c.status.in_(("failed", "cancelled")))
    return select(Job.id).where(
        or_(and_(Job.status == "blocked", ~unmet), and_(Job.status.in_(("blocked", "paused")), doomed))
    )


_NEEDED = Job.__table__.alias("needed")


def _filled(session: Session, job: Any, found: Sequence[Row[Any]]) -> dict[str, Any]:
    """Put the model versions that trainings made in the place of the trainings: settings, lineage, snapshot."""
    made = {need.needs_id: need.model_id for need in found if need.field is not None}
    if not made:
        return {}
    params, kept = dict(job.params), dict(job.snapshot)
    contents = dict(kept.get("inputs", {}))
    open_ = select(JobInput).where(
        JobInput.job_id == job.id, JobInput.model_id.is_(None), JobInput.dataset_id.is_(None)
    )
    for row in session.scalars(open_):
        version = session.get_one(ModelVersion, made[params[row.field]])
        row.model_id = params[row.field] = version.id
        contents[row.field] = snapshot.of_model(session, version)
    session.flush()
    return {"params": params, "snapshot": kept | {"inputs": contents}}
