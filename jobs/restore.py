"""``python -m jobs.restore``, which ``aigc restore`` starts: a backup into an empty installation, or over a used one.

The bytes come first, then the database in one transaction, so a restore that is cut off has
changed nothing that counts. Attempts of before lose their leases in that transaction: a worker
that still lives writes nothing any more, and the jobs it ran are queued again.
"""

import argparse
import hashlib
import shutil
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from alembic.script import ScriptDirectory
from sqlalchemy import delete, func, inspect, select, update
from sqlalchemy.orm import Session

from jobs import backup_format, dumping, migrate, workers
from jobs.artifacts import CHUNK, in_words
from jobs.backup_format import Manifest, Piece, Source
from jobs.claiming import EPOCH_CHARACTERS
from jobs.db import Database
from jobs.engine import Engine
from jobs.moves import Move, apply, state_event
from jobs.operating import Refused, run, scratch, sqlite_file
from jobs.program import here
from jobs.storage_lock import StoreBusy, keeping
from jobs.tables import ApiToken, Attempt, Dataset, Job, SchemaInfo, WorkerNode

# Long enough to queue the jobs again, short enough that a reaper does it should this process die before.
UNTIL_RELEASED = timedelta(minutes=5)
REASON = "restore"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="aigc restore", description="Bring a backup back into an empty installation, or over a used one."
    )
    parser.add_argument("backup", type=Path, metavar="DIR|FILE.tar", help="what aigc backup wrote")
    parser.add_argument("--force", action="store_true", help="replace what the database holds now")
    chosen = parser.parse_args(arguments)

    def work(engine: Engine) -> int:
        manifest, queued = restore(engine, chosen.backup, force=chosen.force)
        counted = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in manifest.counts.items())
        print(f"Restored the backup of {manifest.created_at}: {counted}.")
        print(f"{queued} jobs ran when it was made and are queued again.")
        if manifest.damaged:
            damaged = f"{len(manifest.damaged)} contents were damaged before the backup"
            print(here(f"Warning: {damaged}: aigc verify names them."))
        return 0

    return run(work, needs_schema=False)


def restore(engine: Engine, path: Path, *, force: bool = False) -> tuple[Manifest, int]:
    """Restore a backup; gives its manifest and how many running jobs were queued again.

    Raises:
        Refused: With what to do about it; nothing was changed.
    """
    path = path.expanduser().absolute()
    with backup_format.source(path) as source:
        manifest = backup_format.read_manifest(source, path)
        _check_fits(engine, manifest)
        _check_target(engine.db, force)
        _check_whole(source, manifest, path)
        _check_room(engine, source, manifest)
        try:
            with keeping(engine.db):
                _restore_blobs(engine, source, manifest, path)
                return manifest, _restore_database(engine, source, manifest)
        except StoreBusy:
            raise Refused("A backup or another restore is on. Start again when it is over.") from None


def release_running(database: Database, session: Session, *, everyone: bool = False) -> int:
    """Queue the jobs again whose attempts the restore has fenced off; gives their number."""
    now = database.now(session)
    epoch = session.scalars(select(SchemaInfo.epoch)).one()
    fenced = select(Job.id, Job.lease_id, Job.cancel_requested_at).where(Job.status == "running")
    if not everyone:
        fenced = fenced.where(Job.lease_id.startswith(_fence_prefix(epoch)))
    queued = 0
    for row in session.execute(fenced).all():
        if row.cancel_requested_at is not None:
            move = Move("running", "cancelled", events=[state_event("cancelled", reason=REASON)])
        else:
            values = {"releases": Job.releases + 1, "not_before": now}
            move = Move("running", "queued", values, [state_event("queued", reason=REASON)])
        job = apply(session, row.id, move, now, Job.lease_id == row.lease_id)
        if job is not None:
            queued += job.status == "queued"
            ended = update(Attempt).where(Attempt.job_id == row.id, Attempt.number == job.attempt)
            session.execute(ended.values(ended_at=now, outcome="released"))
    return queued


def _check_fits(engine: Engine, manifest: Manifest) -> None:
    kind = "sqlite" if engine.db.is_sqlite else "postgresql"
    if manifest.kind != kind:
        raise Refused(
            f"The backup is one of {manifest.kind}, but this installation uses {kind}."
            " Set AIGC_DATABASE_URL to a database of the same kind."
        )
    known = {revision.revision for revision in ScriptDirectory.from_config(migrate.config()).walk_revisions()}
    if manifest.revision not in known:
        raise Refused(
            f"The backup has schema {manifest.revision} of version {manifest.software}, but this installation knows"
            f" schemas up to {migrate.head()}. Upgrade this installation, then restore."
        )


def _check_target(database: Database, force: bool) -> None:
    if database.is_sqlite and not sqlite_file(database).exists():
        sqlite_file(database).parent.mkdir(parents=True, exist_ok=True)
        return
    with database.engine.connect() as connection:
        present = set(inspect(connection).get_table_names())
        held = {
            name: connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in (("jobs", Job), ("datasets", Dataset), ("tokens", ApiToken))
            if table.__tablename__ in present
        }
    if any(held.values()) and not force:
        told = ", ".join(f"{count} {name}" for name, count in held.items() if count)
        raise Refused(
            f"The database holds {told}, which a restore replaces. Add --force if you mean that,"
            " or set AIGC_HOME or AIGC_DATABASE_URL to an empty place."
        )
    if database.is_sqlite:
        _check_down(database, present)


def _check_down(database: Database, present: set[str]) -> None:
    """With SQLite nobody may be at work: whoever holds the database open elsewhere is not told of a restore."""
    if "worker_node" not in present:
        return
    with database.read() as session:
        now = database.now(session)
        heard = WorkerNode.heartbeat_at > now - workers.LIVE
        nodes = session.execute(select(WorkerNode.role, WorkerNode.pid, WorkerNode.host).where(heard))
        living = ", ".join(f"{node.role} {node.pid} on {node.host}" for node in nodes)
    if living:
        raise Refused(
            f"The stack still runs on this database: {living}. Stop it (Ctrl-C where aigc up runs), then restore."
            f" If it was killed just now, wait {workers.LIVE.seconds} seconds."
        )


def _check_whole(source: Source, manifest: Manifest, path: Path) -> None:
    for piece in (manifest.database, manifest.blobs):
        if source.size(piece.file) != piece.size or _sum(source, piece) != piece.sha256:
            raise Refused(_damaged(path, piece.file))
    with source.open(manifest.blobs.file) as lines:
        for sha256, size in backup_format.read_list(lines):
            name = backup_format.blob_name(sha256)
            if source.size(name) != size and sha256 not in manifest.damaged:
                raise Refused(_damaged(path, name))


def _check_room(engine: Engine, source: Source, manifest: Manifest) -> None:
    with source.open(manifest.blobs.file) as lines:
        found = backup_format.read_list(lines)
        missing = (size for sha256, size in found if engine.store.size(sha256) != size)
        # A bucket's files pass through this disk one at a time.
        needed = max(missing, default=0) if engine.settings.store_url else sum(missing)
    needed += manifest.database.size
    engine.settings.home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(engine.settings.home).free
    if needed > free:
        raise Refused(
            f"The restore needs {in_words(needed)}, but the disk of {engine.settings.home.resolve()} has only"
            f" {in_words(free)} left. Make room, or set AIGC_HOME to another place."
        )


def _restore_blobs(engine: Engine, source: Source, manifest: Manifest, path: Path) -> None:
    with source.open(manifest.blobs.file) as lines:
        for sha256, size in backup_format.read_list(lines):
            if engine.store.size(sha256) == size or sha256 in manifest.damaged:
                continue
            name = backup_format.blob_name(sha256)
            with source.open(name) as stream:
                if engine.store.receive(stream, size) != (sha256, size):
                    raise Refused(_damaged(path, name))


def _restore_database(engine: Engine, source: Source, manifest: Manifest) -> int:
    epoch = uuid4().hex
    beside = sqlite_file(engine.db).parent if engine.db.is_sqlite else engine.settings.home
    with scratch(beside / ".aigc-restore") as directory:
        dumped = directory / manifest.database.file
        with source.open(manifest.database.file) as reading, dumped.open("wb") as writing:
            shutil.copyfileobj(reading, writing, CHUNK)
        if engine.db.is_sqlite:
            queued = _prepare_sqlite(dumped, epoch)
            dumping.copy_sqlite(dumped, sqlite_file(engine.db))
            return queued
        dumping.load_postgres(engine.db, dumped, partial(_fence, epoch))
    migrate.upgrade(engine.db)
    with engine.db.begin() as session:
        return release_running(engine.db, session)


def _prepare_sqlite(copied: Path, epoch: str) -> int:
    """Give the copy its new epoch, this version's schema and no running job, before it takes its place."""
    database = Database(f"sqlite:///{copied}")
    try:
        migrate.upgrade(database)
        with database.begin() as session:
            session.execute(update(SchemaInfo).values(epoch=epoch))
            session.execute(delete(WorkerNode))
            return release_running(database, session, everyone=True)
    finally:
        database.dispose()


def _fence(epoch: str, schema: str) -> str:
    """Take the leases away without moving a job: that is done as soon as the schema is this version's."""
    lease = f"'{_fence_prefix(epoch)}' || substr(md5(random()::text || id), 1, 24)"
    until = f"clock_timestamp() + interval '{UNTIL_RELEASED.total_seconds():.0f} seconds'"
    return (
        f"UPDATE \"{schema}\".schema_info SET epoch = '{epoch}';\n"  # noqa: S608 - nothing of it comes from outside
        f"UPDATE \"{schema}\".job SET lease_id = {lease}, lease_until = {until} WHERE status = 'running';"
    )


def _fence_prefix(epoch: str) -> str:
    """What the lease of nobody begins with."""
    return f"{epoch[:EPOCH_CHARACTERS]}restore-"


def _sum(source: Source, piece: Piece) -> str:
    digest = hashlib.sha256()
    with source.open(piece.file) as stream:
        for chunk in iter(partial(_read, stream), b""):
            digest.update(chunk)
    return digest.hexdigest()


def _read(stream: BinaryIO) -> bytes:
    return stream.read(CHUNK)


def _damaged(path: Path, name: str) -> str:
    return f"The backup at {path} is damaged: {name} is missing or not as it was. Use another; nothing was changed."


if __name__ == "__main__":
    sys.exit(main())
