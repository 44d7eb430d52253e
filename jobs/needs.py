"""How much memory of a device a training needs: reckoned from its settings, until such a training has run here."""

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from aigc_models.base import Params
from jobs.tables import Attempt, Dataset, Job

CONTEXT = 512 * 2**20  # bytes that CUDA itself takes for a process, whatever it computes
HISTORY = 20

log = logging.getLogger(__name__)

# Settings that change how long a training takes, or what it learns, but not how much memory.
_WEIGHTLESS = frozenset(
    {"seed", "epochs", "steps", "least_steps", "patience", "learning_rate", "weight_decay", "ema_half_life"}
)


_ROW = Attempt.__table__
NOTE_PEAK = update(_ROW).where(_ROW.c.lease_id == bindparam("lease")).values(peak_memory=bindparam("peak"))  # type: ignore[arg-type]


def memory_needed(session: Session, task: str, params: Params, dataset_ids: Mapping[str, str | None]) -> int:
    """Bytes of a device, 0 where nobody can tell: what such a training took here, or else what is reckoned.

    Args:
        session: Only read from.
        task: ``<family>.<operation>``; only trainings are reckoned.
        params: Its settings.
        dataset_ids: What it reads, by the name of the setting.
    """
    if params.lane != "training":
        return 0
    taken = _taken(session, task, params.model_dump(mode="json"))
    if taken:
        return taken  # with nothing added: where it ran once, it must fit again
    chosen = [value for value in dataset_ids.values() if value]
    report = session.scalar(select(Dataset.report).where(Dataset.id == chosen[0])) if chosen else None
    try:
        found = params.estimate(report, 1) if report else None
    except Exception:  # a family's sum, or the report of an earlier version: no reason to refuse a job
        log.exception("The memory of %s could not be reckoned", task)
        return 0
    return round(found.memory_mib * 2**20) + CONTEXT if found else 0


def _taken(session: Session, task: str, params: Mapping[str, Any]) -> int:
    """The most that the last trainings took whose settings are of the same weight."""
    family, _, operation = task.partition(".")
    lately = (
        select(Job.id, Job.params)
        .where(Job.family == family, Job.operation == operation, Job.status == "succeeded")
        .order_by(Job.finished_at.desc())
        .limit(HISTORY)
        .subquery()
    )
    took = select(lately.c.params, Attempt.peak_memory).join(Attempt, Attempt.job_id == lately.c.id)
    wanted = _weight(params)
    rows = session.execute(took.where(Attempt.peak_memory.is_not(None)))
    return max((row.peak_memory for row in rows if _weight(row.params) == wanted), default=0)


def _weight(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name not in _WEIGHTLESS}
