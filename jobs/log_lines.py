"""The newest lines of a job's log: all of them, or only warnings, or only those with a text."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from jobs.engine import Engine
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.tables import JobEvent

LEVELS = ("info", "warning", "error")
USUAL = "info"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of this level or above, with this text; what is empty does not filter."""

    level: str = ""
    q: str = ""


@dataclass(frozen=True, slots=True)
class Lines:
    """Some lines in order; ``more`` says whether there are older ones."""

    rows: Sequence[JobEvent]
    more: bool


def newest(engine: Engine, principal: Principal, job_id: str, wanted: Wanted, limit: int) -> Lines:
    """The newest lines that are wanted, whatever the case of their letters.

    Raises:
        JobNotFound: The caller has no such job.
    """
    Repository(engine, principal).job(job_id)
    rows = select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.kind == "log")
    if wanted.level in LEVELS and wanted.level != USUAL:
        level = func.coalesce(JobEvent.data["level"].as_string(), USUAL)
        rows = rows.where(level.in_(LEVELS[LEVELS.index(wanted.level) :]))
    if wanted.q:
        rows = rows.where(JobEvent.data["message"].as_string().icontains(wanted.q, autoescape=True))
    with engine.db.read() as session:
        found = session.scalars(rows.order_by(JobEvent.seq.desc()).limit(limit + 1)).all()
    return Lines(list(reversed(found[:limit])), len(found) > limit)
