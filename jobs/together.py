"""Several short jobs ended in one transaction, as :func:`jobs.claiming.claim_several` took them in one.

Each keeps its own lease, attempt and history, and each write its own guard; what they share is the commit.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from jobs import graph
from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.lifecycle import Lease

Write = Callable[[Session, datetime], None]


def end_together(engine: Engine, ends: Sequence[tuple[Lease, Write]]) -> list[bool]:
    """End several attempts in one transaction; says for each whether its lease still held.

    Raises:
        Exception: Whatever a write raises but :class:`LeaseLost`; then nothing of all was written.
    """

    def work(session: Session, now: datetime) -> tuple[list[bool], list[Row[Any]]]:
        held = [_holds(write, session, now) for _, write in ends]
        ended = [lease.claim.job_id for (lease, _), holds in zip(ends, held, strict=True) if holds]
        return held, graph.settle(session, ended, now) if ended else []

    held, freed = engine.db.transact(work)
    graph.announce(engine, freed)
    return held


def _holds(write: Write, session: Session, now: datetime) -> bool:
    try:
        write(session, now)
    except LeaseLost:  # by its first statement, which changed nothing: there is nothing to take back
        return False
    return True
