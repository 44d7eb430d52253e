"""``python -m jobs.migrate``: bring the database to this version's schema. Any number may run at once.

On PostgreSQL an advisory lock lets one at a time through, on SQLite a lock on a file beside the
database. A table that is in use is waited for two seconds at a time, so that traffic is never
queued behind a migration for long.
"""

import argparse
import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import OperationalError

import jobs
from jobs.db import Database
from jobs.settings import Settings
from jobs.tables import SchemaInfo

LOCK = 7_219_046_311  # any number, the same in every version
LOCK_TIMEOUT = "2s"
TRIES = 30
PAUSE = 1.0
# The oldest schema this code can work on; raised by the release that drops what the one before stopped using.
COMPATIBLE = 1


class SchemaMismatch(RuntimeError):
    """The database's schema does not fit this version of the software."""


def config() -> Config:
    """Alembic's configuration, from the installed wheel or from a checkout."""
    package = Path(jobs.__file__).resolve().parent
    places = (package / "_migrations", package.parent / "migrations")
    found = Config()
    found.set_main_option("script_location", str(next(place for place in places if place.is_dir())).replace("%", "%%"))
    return found


def upgrade(database: Database, revision: str = "head") -> str:
    """Upgrade (or stay) and give the revision the database is at."""
    with _one_at_a_time(database):
        for left in reversed(range(TRIES)):
            try:
                return _run(database, revision)
            except OperationalError as error:
                if not left or not _is_lock_timeout(error):
                    raise
                time.sleep(PAUSE)
    raise AssertionError("unreachable")


def downgrade(database: Database, revision: str) -> None:
    """Go back to an older revision."""
    with _one_at_a_time(database), _connection(database) as connection:
        command.downgrade(_on(connection), revision)
        connection.commit()


def current(database: Database) -> str | None:
    """The revision the database is at, None before the first."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The newest revision this version knows."""
    newest = ScriptDirectory.from_config(config()).get_current_head()
    assert newest is not None
    return newest


def check(database: Database) -> None:
    """See that this version can work on the database. A newer schema is fine as long as it says so.

    Raises:
        SchemaMismatch: With what to do about it.
    """
    with database.engine.connect() as connection:
        made = inspect(connection).has_table(SchemaInfo.__tablename__)
        least = connection.scalar(select(SchemaInfo.min_compatible)) if made else None
    if least is None:
        raise SchemaMismatch("The database has no tables yet. Run: aigc migrate")
    if least > int(head()[:4]):
        raise SchemaMismatch("The database belongs to a newer version of the software. Upgrade this installation.")
    at = current(database)
    if at is not None and int(at[:4]) < COMPATIBLE:
        raise SchemaMismatch("The database belongs to an older version of the software. Run: aigc migrate")


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m jobs.migrate", description="Upgrade the database's schema.")
    parser.add_argument("--to", default="head", help="revision to upgrade to")
    arguments = parser.parse_args()
    settings = Settings()
    if not settings.database_url:
        settings.home.mkdir(parents=True, exist_ok=True)
    database = Database(settings.sql_url)
    try:
        revision = upgrade(database, arguments.to)
    except OperationalError as error:
        print(f"The database cannot be upgraded: {error.orig}", file=sys.stderr)
        return 1
    finally:
        database.dispose()
    print(f"ready schema {revision}", flush=True)
    return 0


def _run(database: Database, revision: str) -> str:
    with _connection(database) as connection:
        command.upgrade(_on(connection), revision)
        connection.commit()
    at = current(database)
    assert at is not None
    return at


def _on(connection: Connection) -> Config:
    found = config()
    found.attributes["connection"] = connection
    return found


@contextlib.contextmanager
def _connection(database: Database) -> Iterator[Connection]:
    with database.engine.connect() as connection:
        if database.is_sqlite:
            # Batch operations rebuild tables; with foreign keys on, that would delete what points at them.
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        else:
            connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.commit()
        try:
            yield connection
        finally:
            connection.rollback()
            connection.invalidate()  # the settings above must not reach the pool


@contextlib.contextmanager
def _one_at_a_time(database: Database) -> Iterator[None]:
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        return
    path = database.engine.url.database
    if not path or path == ":memory:":
        yield
        return
    handle = os.open(f"{path}.migrate.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _is_lock_timeout(error: OperationalError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "55P03"


if __name__ == "__main__":
    sys.exit(main())
