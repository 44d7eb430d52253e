"""Removing what nothing needs any more: bytes, keys, dead workers, abandoned working directories."""

import logging
import shutil
from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select, update

from jobs import workers
from jobs.engine import Engine
from jobs.idempotency import LIFETIME
from jobs.tables import Artifact, Blob, IdempotencyKey, Job

log = logging.getLogger("aigc.collector")

BATCH = 500
GRACE = timedelta(minutes=10)
ORPHAN_AGE = timedelta(hours=24)


def prune(engine: Engine) -> None:
    """Everything that is cheap enough for once a minute."""
    with engine.db.begin() as session:
        now = engine.db.now(session)
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - LIFETIME))
        workers.forget_dead(session, now)
    collect_blobs(engine)


def sweep(engine: Engine) -> None:
    """Everything that walks through directories, for once an hour."""
    collect_orphans(engine)
    collect_staging(engine)


def collect_blobs(engine: Engine) -> int:
    """Remove bytes that no artifact names, ten minutes after they were last named; gives their number.

    First they are marked, then each is removed in a transaction of its own that still finds the
    mark. Whoever names the same bytes meanwhile takes the mark away and looks at the store after
    that (:func:`jobs.results.keep_files`), so a reference to missing bytes cannot be committed.
    """
    unused = ~exists().where(Artifact.sha256 == Blob.sha256)
    with engine.db.begin() as session:
        now = engine.db.now(session)
        old = select(Blob.sha256).where(unused, Blob.state == "live", Blob.created_at < now - GRACE).limit(BATCH)
        marked = update(Blob).where(Blob.sha256.in_(old), unused).values(state="deleting")
        session.execute(marked.execution_options(synchronize_session=False))
    with engine.db.read() as session:
        doomed = session.scalars(select(Blob.sha256).where(Blob.state == "deleting").limit(BATCH)).all()
    removed = 0
    for sha256 in doomed:
        with engine.db.begin() as session:
            gone = delete(Blob).where(Blob.sha256 == sha256, Blob.state == "deleting", unused)
            if session.execute(gone.returning(Blob.sha256)).one_or_none() is not None:
                engine.store.delete(sha256)
                removed += 1
    return removed


def collect_orphans(engine: Engine) -> int:
    """Remove bytes that were put a day ago and never named in SQL; gives their number."""
    with engine.db.read() as session:
        before = engine.db.now(session) - ORPHAN_AGE
    removed = engine.store.sweep(before)
    old = [stored.sha256 for stored in engine.store.listing() if stored.modified < before]
    for start in range(0, len(old), BATCH):
        some = old[start : start + BATCH]
        with engine.db.read() as session:
            known = set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_(some))))
        for sha256 in set(some) - known:
            engine.store.delete(sha256)
            removed += 1
    return removed


def collect_staging(engine: Engine) -> int:
    """Remove day-old working directories of attempts that are over; gives their number."""
    with engine.db.read() as session:
        now = engine.db.now(session)
        running = set(session.scalars(select(Job.id).where(Job.status == "running")))
    removed = 0
    for directory in engine.settings.staging.glob("*"):
        with suppress(FileNotFoundError):
            age = now - datetime.fromtimestamp(directory.stat().st_mtime, tz=now.tzinfo)
            if age > ORPHAN_AGE and directory.name.partition(".")[0] not in running:
                shutil.rmtree(directory, ignore_errors=True)
                removed += 1
    return removed
