"""``python -m jobs.backup``, which ``aigc backup`` starts: everything that must not be lost, while jobs go on.

The database first, at one moment; then the bytes it names, which never change and are not
collected meanwhile; the manifest last.
"""

import argparse
import errno
import shutil
import sqlite3
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from jobs import backup_format, dumping, workers
from jobs.artifacts import in_words
from jobs.backup_format import FORMAT, Manifest, Piece, Target
from jobs.engine import Engine
from jobs.operating import Refused, run, scratch
from jobs.program import here
from jobs.storage_lock import Check, StoreBusy, keeping

CHECKED_EVERY = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; 1 as well when the backup is complete but some bytes were damaged before."""
    parser = argparse.ArgumentParser(
        prog="aigc backup",
        description="Back up database and files while everything runs. Into a directory that holds a backup,"
        " only what is new is copied.",
    )
    parser.add_argument("to", type=Path, metavar="DIR|FILE.tar", help="a directory, or a tar file to be made")
    to = parser.parse_args(arguments).to

    def work(engine: Engine) -> int:
        made = backup(engine, to)
        counted = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in made.counts.items())
        print(f"Backed up to {to}: {counted}; {made.blob_count} contents, {in_words(made.blob_bytes)}.")
        if made.damaged:
            print(here(_warning(made.damaged)), file=sys.stderr)
        return 1 if made.damaged else 0

    return run(work)


def backup(engine: Engine, to: Path) -> Manifest:
    """Make a backup.

    Raises:
        Refused: With what to do about it.
    """
    to = to.expanduser().absolute()
    _check_place(engine, to)
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        with keeping(engine.db) as check, backup_format.target(to) as target:
            return _write(engine, target, to, check)
    except StoreBusy:
        raise Refused(
            "Another backup, a restore or a long collection is on, or the database was away meanwhile."
            " Start the backup again when that is over; what was there before is unharmed."
        ) from None
    except (OSError, sqlite3.OperationalError) as error:
        if not _is_full(error):
            raise
        raise Refused(
            f"The disk of {to} is full. Make room there or choose another place, then start again:"
            " the backup of before, if there was one, is still whole."
        ) from error


def _write(engine: Engine, target: Target, to: Path, check: Check) -> Manifest:
    stamp = datetime.now(UTC)
    label = f"{stamp:%Y%m%dT%H%M%S}-{uuid4().hex[:8]}"
    ending = "sqlite" if engine.db.is_sqlite else "sql.gz"
    with scratch(target.scratch) as directory:
        dumped, listed = directory / f"database-{label}.{ending}", directory / f"blobs-{label}.txt"
        contents = dumping.dump(engine.db, dumped, listed)
        _check_room(target, listed, to)
        pieces = [_add_file(target, path) for path in (dumped, listed)]
        count, size, damaged = _add_blobs(engine, target, listed, check)
    check()
    manifest = Manifest(
        format=FORMAT,
        software=workers.code_version(),
        created_at=stamp.isoformat(),
        kind="sqlite" if engine.db.is_sqlite else "postgresql",
        revision=contents.revision,
        epoch=contents.epoch,
        database=pieces[0],
        blobs=pieces[1],
        blob_count=count,
        blob_bytes=size,
        counts=contents.counts,
        damaged=damaged,
    )
    target.commit(manifest)
    return manifest


def _add_file(target: Target, path: Path) -> Piece:
    size = path.stat().st_size
    with path.open("rb") as reading:
        return Piece(file=path.name, size=size, sha256=target.add(path.name, reading, size))


def _add_blobs(engine: Engine, target: Target, listed: Path, check: Check) -> tuple[int, int, list[str]]:
    """Copy the bytes; gives how many there are, how large, and which the store does not have as they were."""
    count, total, damaged = 0, 0, list[str]()
    with listed.open("rb") as lines:
        for sha256, size in backup_format.read_list(lines):
            if count % CHECKED_EVERY == 0:
                check()
            count, total = count + 1, total + size
            name = backup_format.blob_name(sha256)
            if not target.has(name, size) and not _copied(engine, target, sha256, size):
                damaged.append(sha256)
    return count, total, damaged


def _copied(engine: Engine, target: Target, sha256: str, size: int) -> bool:
    if engine.store.size(sha256) != size:
        return False
    try:
        with engine.store.open(sha256) as stream:
            return target.add(backup_format.blob_name(sha256), stream, size) == sha256
    except EOFError:
        return False


def _check_place(engine: Engine, to: Path) -> None:
    home = engine.settings.home.resolve()
    if to.resolve().is_relative_to(home):
        raise Refused(
            f"{to} lies inside {home}, the directory that is backed up: both would be lost together."
            " Choose a place outside of it, best on another disk."
        )
    if to.is_file() and to.suffix != ".tar":
        raise Refused(f"{to} is a file. Choose a directory, or a file whose name ends with .tar.")


def _check_room(target: Target, listed: Path, to: Path) -> None:
    with listed.open("rb") as lines:
        found = backup_format.read_list(lines)
        needed = sum(size for sha256, size in found if not target.has(backup_format.blob_name(sha256), size))
    free = shutil.disk_usage(listed.parent).free
    if needed > free:
        raise Refused(
            f"The backup needs {in_words(needed)} more, but the disk of {to} has only {in_words(free)} left."
            " Make room there or choose another place."
        )


def _is_full(error: Exception) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def _warning(damaged: Sequence[str]) -> str:
    return (
        f"Warning: {len(damaged)} contents were missing or damaged in the store before the backup, such as"
        f" {damaged[0]}. All else is in the backup. See what they belong to with: aigc verify --deep"
    )


if __name__ == "__main__":
    sys.exit(main())
