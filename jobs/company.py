"""Which waiting jobs share a call of the model that a claimed job uses, and taking them along.

They are those that could be next anyway: of the highest priority that waits, owners in turn, and within an owner as
near to the front as a job whose model is warm may be. Each is claimed as ever, under a lease of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, zip_longest
from typing import Any

from sqlalchemy import and_, bindparam, select, tuple_
from sqlalchemy.orm import Session

from aigc_models import registry
from aigc_models.base import FEW_ITEMS
from jobs import claiming
from jobs.claiming import Claim, WorkerIdentity
from jobs.engine import Engine
from jobs.picking import NEVER, PATIENCE, WINDOW, claimable
from jobs.tables import Job, JobInput, OwnerTurn

LOOK = 512  # jobs of the queue's front that are looked at
ALONE = "alone"  # the adjustment of a job that must not share a call any more
Owner = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Room:
    """How many items one call may hold.

    Attributes:
        items: In all, those of the job that is claimed already too.
        beside: The same where others wait, whose models are not this one.
    """

    items: int
    beside: int


@dataclass(slots=True)
class _Line:
    """What one owner has waiting, the oldest first."""

    front: datetime
    fits_first: bool
    fitting: list[str] = field(default_factory=list)
    passed: int = 0


def items_of(task: str, params: Mapping[str, Any], adjustments: Mapping[str, Any]) -> int | None:
    """How many items a job brings into a call that it shares with others; None where it must run by itself."""
    if adjustments:  # something went wrong with it before
        return None
    items = registry.task(task).items(params)
    return items if items is not None and items <= FEW_ITEMS else None


def items_of_claim(claim: Claim) -> int | None:
    """The same for a job that is claimed; it reads one model and nothing else."""
    fresh = claim.checkpoint is None and claim.time_limit is None and not claim.troubled
    if not fresh or set(claim.inputs) != {"model"} or not claim.inputs["model"].key.startswith("mdl_"):
        return None
    return items_of(f"{claim.family}.{claim.operation}", claim.params, claim.adjustments)


def claim_company(engine: Engine, worker: WorkerIdentity, head: Claim, room: Room, taken: int) -> list[Claim]:
    """Take the jobs that share a call with one that is claimed; none where none waits, which costs a look.

    Args:
        engine: Where the jobs are.
        worker: Whose the head is.
        head: A job for which :func:`items_of_claim` gives a number.
        room: How many items fit.
        taken: How many of them are there already, the head's too.
    """
    room = Room(room.items - taken, room.beside - taken)
    if items_of_claim(head) is None or room.items <= 0:
        return []
    with engine.db.read() as session:
        chosen = _choose(session, worker, head, room, engine.db.now(session))
    if not chosen:
        return []
    with engine.db.begin(durable=False) as session:
        claiming.hold_lane(engine, session, worker.lane)
        now = engine.db.now(session)
        # Where owners have a quota, each claim changes what the next one may take.
        parts = [[job_id] for job_id in chosen] if engine.settings.max_running_per_owner else [chosen]
        jobs = [job for part in parts for job in claiming.take(engine, session, part, worker, now)]
        if not jobs:
            return []
        claiming.pass_turns(engine, session, jobs, now)
        return claiming.claimed(session, jobs, now)


def _choose(session: Session, worker: WorkerIdentity, head: Claim, room: Room, now: datetime) -> list[str]:
    about = {"lane": worker.lane, "device_kind": worker.device_kind, "now": now}
    top = session.connection().scalar(_TOP, about)
    if top is None:
        return []
    about |= {"priority": top, "model": head.inputs["model"].key, "family": head.family, "operation": head.operation}
    rows = session.connection().execute(_FRONT, about | {"look": LOOK}).all()
    lines = _lines(rows)
    if not any(line.fitting for line in lines.values()):
        return []
    found = session.connection().execute(_TURNS, about | {"owners": list(lines)})
    turns = {(row.tenant_id, row.owner): row.claimed_at for row in found}
    order = sorted(lines, key=lambda owner: (turns.get(owner, NEVER), owner))
    willing = [lines[owner] for owner in order if lines[owner].fits_first or now - lines[owner].front <= PATIENCE]
    ids = [job for job in chain.from_iterable(zip_longest(*(line.fitting for line in willing))) if job is not None]
    others = any(not row.fits for row in rows)
    return _filled(session, head, ids, room.beside if others else room.items)


def _lines(rows: Sequence[Any]) -> dict[Owner, _Line]:
    """What each owner has at the front of the queue; behind so many other jobs of its owner, none may pass them."""
    lines: dict[Owner, _Line] = {}
    for row in rows:
        line = lines.setdefault((row.tenant_id, row.owner), _Line(row.created_at, bool(row.fits)))
        if not row.fits:
            line.passed += 1
        elif line.passed < WINDOW:
            line.fitting.append(row.id)
    return lines


def _filled(session: Session, head: Claim, ids: Sequence[str], most: int) -> list[str]:
    """As many of the jobs, in their order, as there is room for."""
    left, chosen = most, list[str]()
    given = session.connection().execute(_SETTINGS, {"ids": list(ids[: max(left, 0)])}) if left > 0 else ()
    settings = {row.id: row for row in given}
    for job_id in ids:
        row = settings.get(job_id)
        items = items_of(f"{head.family}.{head.operation}", row.params, row.adjustments) if row is not None else None
        if items is not None and items <= left:
            chosen.append(job_id)
            left -= items
    return chosen


_FREE = claimable(bindparam("lane"), bindparam("device_kind"), bindparam("now"))
_TOP = select(Job.priority).where(*_FREE).order_by(Job.priority.desc()).limit(1)
_FITS = and_(
    JobInput.job_id.is_not(None),
    Job.family == bindparam("family"),
    Job.operation == bindparam("operation"),
    Job.app_failures == 0,
    Job.worker_losses == 0,
    Job.checkpoint_step < 0,
    Job.time_limit_seconds.is_(None),
)
_FRONT = (
    select(Job.id, Job.tenant_id, Job.owner, Job.created_at, _FITS.label("fits"))
    .outerjoin(JobInput, and_(JobInput.job_id == Job.id, JobInput.model_id == bindparam("model")))
    .where(*_FREE, Job.priority == bindparam("priority"))
    .order_by(Job.created_at, Job.id)
    .limit(bindparam("look"))
)
_TURNS = select(OwnerTurn.tenant_id, OwnerTurn.owner, OwnerTurn.claimed_at).where(
    OwnerTurn.lane == bindparam("lane"),
    tuple_(OwnerTurn.tenant_id, OwnerTurn.owner).in_(bindparam("owners", expanding=True)),
)
_SETTINGS = select(Job.id, Job.params, Job.adjustments).where(Job.id.in_(bindparam("ids", expanding=True)))
