"""The database out into one file and back, at one moment and while others write: SQLite's backup, ``pg_dump``."""

import gzip
import os
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, func, inspect, select, text

from jobs.db import Database
from jobs.operating import Refused, sqlite_file
from jobs.tables import Artifact, Base, Dataset, Job, ModelVersion, SchemaInfo

LOCK_SECONDS = 60.0
LOCK_TRIES = 5
RETRIED = ("deadlock detected", "canceling statement due to lock timeout")
VERSIONS = "alembic_version"
COUNTED = {"jobs": Job, "datasets": Dataset, "model_versions": ModelVersion, "files": Artifact}


@dataclass(frozen=True, slots=True)
class Contents:
    """What a dump holds, as of its moment."""

    revision: str
    epoch: str
    counts: dict[str, int]


def dump(database: Database, to: Path, blobs: Path) -> Contents:
    """Write the database to one new file, and to another the list of the bytes that it names."""
    return _dump_sqlite(database, to, blobs) if database.is_sqlite else _dump_postgres(database, to, blobs)


def copy_sqlite(source: Path, target: Path) -> None:
    """Make one SQLite database the copy of another, in one transaction; both may be in use.

    Raises:
        Refused: Somebody holds a lock for a minute.
    """
    deadline = time.monotonic() + LOCK_SECONDS

    def watch(status: int, _left: int, _total: int) -> None:
        if status & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise Refused(f"The database {target} is locked by another process. Stop it, then start again.")

    with closing(sqlite3.connect(source)) as reading, closing(sqlite3.connect(target)) as writing:
        reading.backup(writing, progress=watch)


def load_postgres(database: Database, dumped: Path, fence: Callable[[str], str]) -> None:
    """Replace our tables by those of a dump, in one transaction; others may be at work.

    Args:
        database: Where to.
        dumped: The file that :func:`dump` wrote.
        fence: Gives the statements to run at the end of the transaction, for the name of the schema.

    Raises:
        Refused: The dump cannot be loaded; nothing was changed.
    """
    program = postgres_program(database, "psql")
    for left in reversed(range(LOCK_TRIES)):
        with database.engine.connect() as connection:
            prologue, schema = _prologue(connection)
            known = set(connection.scalars(text("SELECT name FROM pg_settings")))
        said = _feed(program, database, _script(prologue, dumped, known, fence(schema)))
        if said is None:
            return
        if not left or not any(reason in said for reason in RETRIED):
            raise Refused(f"PostgreSQL did not take the backup, and nothing was changed: {said}")


def postgres_program(database: Database, name: str) -> str:
    """Where a client program of PostgreSQL is: one of the server's own version, else a newer one.

    Raises:
        Refused: There is none.
    """
    with database.engine.connect() as connection:
        wanted = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    installed = {int(path.parts[-3]): str(path) for path in Path("/usr/lib/postgresql").glob(f"[0-9]*/bin/{name}")}
    if on_path := shutil.which(name):
        installed.setdefault(_major(on_path), on_path)
    fitting = sorted(major for major in installed if major >= wanted)
    if not fitting:
        have = f" (found: version {max(installed)})" if installed else ""
        raise Refused(
            f"The program {name} of PostgreSQL {wanted} or newer is needed on this machine{have}."
            f" Install it, such as with: apt install postgresql-client-{wanted}, and put it on the PATH."
        )
    return installed[fitting[0]]


def _dump_sqlite(database: Database, to: Path, blobs: Path) -> Contents:
    copy_sqlite(sqlite_file(database), to)
    with closing(sqlite3.connect(to)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it
    copied = create_engine(f"sqlite:///{to}")
    try:
        with copied.connect() as connection:
            return _contents(connection, blobs)
    finally:
        copied.dispose()


def _dump_postgres(database: Database, to: Path, blobs: Path) -> Contents:
    program = postgres_program(database, "pg_dump")
    with database.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))  # as long as the dump lasts
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        contents = _contents(connection, blobs)
        tables, schema = _our_tables(connection)
        options = [f"--table={schema}.{table}" for table in tables]
        command = [
            program, "--format=plain", "--compress=1", "--no-owner", "--no-privileges",
            f"--snapshot={snapshot}", f"--file={to}", *options, f"--dbname={_address(database)}",
        ]  # fmt: skip
        done = subprocess.run(command, env=_secrets(database), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Refused(f"pg_dump could not write the database ({said}). See that there is room, then start again.")
    return contents


def _contents(connection: Connection, blobs: Path) -> Contents:
    named = select(Artifact.sha256, Artifact.size).distinct().order_by(Artifact.sha256)
    with blobs.open("w", encoding="ascii") as writing:
        rows = connection.execution_options(yield_per=1_000).execute(named)
        writing.writelines(f"{row.sha256} {row.size}\n" for row in rows)
    counts = {name: connection.scalar(select(func.count()).select_from(table)) or 0 for name, table in COUNTED.items()}
    revision = MigrationContext.configure(connection).get_current_revision()
    epoch = connection.scalar(select(SchemaInfo.epoch))
    assert revision is not None
    assert epoch is not None
    return Contents(revision, epoch, counts)


def _our_tables(connection: Connection) -> tuple[list[str], str]:
    """Our tables that are there, the one most transactions begin with first, and their schema."""
    present = set(inspect(connection).get_table_names())
    ours = [table.name for table in Base.metadata.sorted_tables] + [VERSIONS]
    ours.sort(key=lambda name: name != Job.__tablename__)
    return [name for name in ours if name in present], str(connection.scalar(text("SELECT current_schema()")))


def _prologue(connection: Connection) -> tuple[str, str]:
    tables, schema = _our_tables(connection)
    names = ", ".join(f'"{schema}"."{name}"' for name in tables)
    begin = "BEGIN;\nSET LOCAL lock_timeout = '15s';\n"
    if names:
        begin += f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE;\nDROP TABLE {names} CASCADE;\n"
    return begin, schema


def _script(prologue: str, dumped: Path, known: set[str], fence: str) -> Iterator[bytes]:
    """What ``psql`` is to run. Without its last line nothing is committed, whenever this process dies."""
    yield prologue.encode()
    with gzip.open(dumped, "rb") as lines:
        yield from _without_unknown_settings(lines, known)
    yield f"{fence}\nCOMMIT;\n".encode()


def _without_unknown_settings(lines: Iterable[bytes], known: set[str]) -> Iterator[bytes]:
    """Leave out what a newer ``pg_dump`` sets at the top and this server does not know."""
    preamble = True
    for line in lines:
        preamble = preamble and not line.startswith((b"CREATE ", b"COPY "))
        setting = re.match(rb"SET (\w+) =", line) if preamble else None
        if setting is None or setting[1].decode() in known:
            yield line


def _feed(program: str, database: Database, script: Iterator[bytes]) -> str | None:
    """Have ``psql`` run a script; gives what it complained of, or None."""
    command = [program, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-", f"--dbname={_address(database)}"]
    with TemporaryFile() as errors:
        process = subprocess.Popen(
            command, env=_secrets(database), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        )
        assert process.stdin is not None
        try:
            _write(process.stdin, script)
        except BaseException:
            process.kill()  # before it sees an end of what it reads
            raise
        finally:
            status = process.wait()
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    return None if status == 0 else " ".join(lines[:2]) or f"psql ended with {status}"


def _write(pipe: IO[bytes], script: Iterator[bytes]) -> None:
    try:
        with pipe:
            pipe.writelines(script)
    except BrokenPipeError:  # it has stopped at an error, and says which
        return


def _address(database: Database) -> str:
    """The address for PostgreSQL's own programs, without the password: every user of a machine sees arguments."""
    return database.engine.url.set(drivername="postgresql", password=None).render_as_string()


def _secrets(database: Database) -> dict[str, str]:
    password = database.engine.url.password
    return {**os.environ, "PGCONNECT_TIMEOUT": "10"} | ({"PGPASSWORD": str(password)} if password else {})


def _major(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\s(\d+)", told)
    return int(found[1]) if found else 0
