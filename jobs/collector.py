"""Removing what nothing needs any more: bytes, keys, dead workers, abandoned working directories.

How bytes go without a race: their row is marked ``deleting``, then removed together with them in a
transaction that still finds the mark and no reference. Whoever names the same bytes meanwhile takes
the mark away and looks at the store after that (:func:`jobs.results.keep_files`). So either the
collector waits for the row and finds the reference, or the writer waits, misses the bytes and puts
them again: a reference to missing bytes is never committed.
"""

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

from sqlalchemy import delete, exists, func, select, update

from jobs import staging, storage_lock, workers
from jobs.artifacts import Stored
from jobs.engine import Engine
from jobs.idempotency import LIFETIME
from jobs.tables import Artifact, Blob, IdempotencyKey, Job

log = logging.getLogger("aigc.collector")

BATCH = 500
GRACE = timedelta(hours=1)
ORPHAN_AGE = timedelta(hours=24)
UPLOADS = "uploads"  # where the web server receives files, below the staging directory
UNUSED = ~exists().where(Artifact.sha256 == Blob.sha256)


@dataclass(frozen=True, slots=True)
class Freed:
    """What was removed, or would be."""

    files: int = 0
    size: int = 0

    def __add__(self, other: "Freed") -> "Freed":
        return Freed(self.files + other.files, self.size + other.size)


def prune(engine: Engine) -> None:
    """Everything that is cheap enough for once a minute."""
    with engine.db.begin() as session:
        now = engine.db.now(session)
        session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - LIFETIME))
        workers.forget_dead(session, now)
    with suppress(storage_lock.StoreBusy):  # a backup or a restore; there is a next time
        collect_blobs(engine)


def sweep(engine: Engine) -> None:
    """Everything that walks through directories, for once an hour."""
    collect_staging(engine)
    with suppress(storage_lock.StoreBusy):
        collect_torn(engine)
        collect_orphans(engine)


def collect_blobs(engine: Engine) -> Freed:
    """Remove bytes that no artifact names, an hour after they were last named: one batch of them.

    Raises:
        StoreBusy: A backup or a restore is on.
    """
    freed = Freed()
    with storage_lock.collecting(engine.db):
        _mark(engine)
        with engine.db.read() as session:
            marked = select(Blob.sha256).where(Blob.state == "deleting", UNUSED).limit(BATCH)
            doomed = session.scalars(marked).all()
        for sha256 in doomed:
            freed += _remove(engine, sha256)
    return freed


def collectable(engine: Engine) -> Freed:
    """What :func:`collect_blobs` would remove, batch after batch."""
    with engine.db.read() as session:
        old = (Blob.created_at < engine.db.now(session) - GRACE) | (Blob.state == "deleting")
        found = session.execute(select(func.count(), func.sum(Blob.size)).where(UNUSED, old)).one()
    return Freed(found[0], int(found[1] or 0))


def collect_orphans(engine: Engine) -> Freed:
    """Remove bytes that were put a day ago and never named in SQL.

    They get a marked row first, so that naming them meanwhile is as safe as for all others.

    Raises:
        StoreBusy: A backup or a restore is on.
    """
    freed = Freed()
    for some in orphans(engine):
        with storage_lock.collecting(engine.db):
            with engine.db.begin() as session:
                now = engine.db.now(session)
                rows = [{"sha256": o.sha256, "size": o.size, "state": "deleting", "created_at": now} for o in some]
                session.execute(engine.db.insert(Blob).on_conflict_do_nothing(), rows)
            for orphan in some:
                freed += _remove(engine, orphan.sha256)
    return freed


def orphans(engine: Engine) -> Iterator[Sequence[Stored]]:
    """Bytes that were put a day ago and have no row, a batch at a time."""
    with engine.db.read() as session:
        before = engine.db.now(session) - ORPHAN_AGE
    old = (stored for stored in engine.store.listing() if stored.modified < before)
    while some := list(islice(old, BATCH)):
        with engine.db.read() as session:
            known = set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_([one.sha256 for one in some]))))
        if unknown := [one for one in some if one.sha256 not in known]:
            yield unknown


def collect_torn(engine: Engine) -> int:
    """Remove what writers that died a day ago had not finished; gives the number of files."""
    with engine.db.read() as session:
        before = engine.db.now(session) - ORPHAN_AGE
    return engine.store.sweep(before)


def collect_staging(engine: Engine) -> int:
    """Remove day-old working directories of attempts that are over, and uploads cut off; gives their number."""
    with engine.db.read() as session:
        now = engine.db.now(session)
        running = session.execute(select(Job.id, Job.attempt, Job.lease_id).where(Job.status == "running"))
        current = {staging.directory(engine.settings, row.id, row.attempt, str(row.lease_id)) for row in running}
    root, removed = engine.settings.staging, 0
    for path in (*root.glob("*"), *root.glob(f"{UPLOADS}/*")):
        if path in current or path.name == UPLOADS or not _is_older(path, now - ORPHAN_AGE):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed += 1
    return removed


def _mark(engine: Engine) -> None:
    """Mark a batch of what nothing names. The guards stand twice: only the outer ones are looked at again
    by PostgreSQL when a row was changed while this statement waited for it.
    """
    with engine.db.begin() as session:
        due = (UNUSED, Blob.state == "live", Blob.created_at < engine.db.now(session) - GRACE)
        some = select(Blob.sha256).where(*due).limit(BATCH)
        marked = update(Blob).where(Blob.sha256.in_(some), *due).values(state="deleting")
        session.execute(marked.execution_options(synchronize_session=False))


def _remove(engine: Engine, sha256: str) -> Freed:
    with engine.db.begin() as session:
        gone = delete(Blob).where(Blob.sha256 == sha256, Blob.state == "deleting", UNUSED)
        row = session.execute(gone.returning(Blob.size)).one_or_none()
        if row is None:
            return Freed()
        engine.store.delete(sha256)
    log.info("Removed bytes that nothing names: %s (%d bytes)", sha256, row.size)
    return Freed(1, row.size)


def _is_older(path: Path, than: datetime) -> bool:
    try:
        return path.stat().st_mtime < than.timestamp()
    except FileNotFoundError:  # its owner has just removed it
        return False
