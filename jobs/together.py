"""Several short jobs in one transaction: claimed together, ended together.

Each keeps its own lease, attempt and history, and each write its own guard; what they share is the commit.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from jobs import graph
from jobs.claiming import Claim, WorkerIdentity, claim, claimed, pass_turn, take, wish
from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.lifecycle import Lease
from jobs.picking import pick

Write = Callable[[Session, datetime], None]


def claim_together(engine: Engine, worker: WorkerIdentity, warm: frozenset[str], most: int) -> list[Claim]:
    """Take the jobs whose turn it is, just as :func:`jobs.claiming.claim` would take them one after the other.

    Args:
        engine: Where the jobs are.
        worker: Who asks.
        warm: Keys of the file sets whose models the worker holds in memory.
        most: How many it may take. A job that was tried before is the last one of them.
    """
    if most > 1:
        with engine.db.read() as session:  # looking needs no lock
            some = pick(session, wish(engine, worker, warm), engine.db.now(session)) is not None
        claims = _take_several(engine, worker, warm, most) if some else []
        if claims or not some:
            return claims
    found = claim(engine, worker, warm)
    return [found] if found is not None else []


def _take_several(engine: Engine, worker: WorkerIdentity, warm: frozenset[str], most: int) -> list[Claim]:
    wanted, passed = wish(engine, worker, warm), list[str]()
    jobs: list[Row[Any]] = []
    with engine.db.begin(durable=False) as session:
        _one_at_a_time(engine, session, worker.lane)
        now = engine.db.now(session)
        while len(jobs) < most and not (jobs and jobs[-1].attempt > 1):
            picked = pick(session, wanted, now, passed)
            if picked is None:
                break
            job = take(engine, session, picked, worker, now)
            if job is None:
                passed.append(picked)  # another worker is just taking it
                continue
            jobs.append(job)
            pass_turn(engine, session, job, now + timedelta(microseconds=len(jobs)))
        return claimed(session, jobs, now) if jobs else []


def _one_at_a_time(engine: Engine, session: Session, lane: str) -> None:
    """Two workers that take several hold several turns; on PostgreSQL they could wait for each other for ever."""
    if not engine.db.is_sqlite:
        session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"aigc claims {lane}"))))


def end_together(engine: Engine, ends: Sequence[tuple[Lease, Write]]) -> list[bool]:
    """End several attempts in one transaction; says for each whether its lease still held.

    Raises:
        Exception: Whatever a write raises but :class:`LeaseLost`; then nothing of all was written.
    """

    def work(session: Session, now: datetime) -> tuple[list[bool], list[Row[Any]]]:
        held, freed = [], list[Row[Any]]()
        for lease, write in ends:
            held.append(_holds(write, session, now))
            if held[-1]:
                freed += graph.settle(session, lease.claim.job_id, now)
        return held, freed

    held, freed = engine.db.transact(work)
    graph.announce(engine, freed)
    return held


def _holds(write: Write, session: Session, now: datetime) -> bool:
    try:
        write(session, now)
    except LeaseLost:  # by its first statement, which changed nothing: there is nothing to take back
        return False
    return True
