"""The lock over the store: many may collect garbage at once, but none while a backup or a restore is on.

On PostgreSQL it is an advisory lock of the database, so it holds on every host; on SQLite, which
has one host, a lock on a file beside the database. Both end with whoever holds them.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from jobs.db import Database

LOCK = 7_219_046_312  # any number but that of jobs.migrate, the same in every version
LOOK_SECONDS = 0.1
PATIENCE = 120.0

Check = Callable[[], None]


class StoreBusy(Exception):
    """Somebody else holds the store, or took it meanwhile."""


@contextmanager
def collecting(database: Database) -> Iterator[None]:
    """Remove bytes within this block, beside others who do the same.

    Raises:
        StoreBusy: A backup or a restore is on.
    """
    with _hold(database, alone=False, patience=0.0):
        yield


@contextmanager
def keeping(database: Database, patience: float = PATIENCE) -> Iterator[Check]:
    """Have no bytes removed within this block; yields what raises :class:`StoreBusy` if that is not so any more.

    Raises:
        StoreBusy: Another backup or restore is on, or garbage is still collected after ``patience`` seconds.
    """
    with _hold(database, alone=True, patience=patience) as check:
        yield check


@contextmanager
def _hold(database: Database, *, alone: bool, patience: float) -> Iterator[Check]:
    hold = _hold_file if database.is_sqlite else _hold_advisory
    with hold(database, alone, time.monotonic() + patience) as check:
        yield check


@contextmanager
def _hold_file(database: Database, alone: bool, deadline: float) -> Iterator[Check]:
    path = database.engine.url.database
    if not path or path == ":memory:":
        yield lambda: None
        return
    handle = os.open(f"{path}.storage.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH

    def take() -> bool:
        with suppress(BlockingIOError):
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
            return True
        return False

    try:
        _try_until(take, deadline)
        yield lambda: None
    finally:
        os.close(handle)


@contextmanager
def _hold_advisory(database: Database, alone: bool, deadline: float) -> Iterator[Check]:
    shared = "" if alone else "_shared"
    take, give = text(f"SELECT pg_try_advisory_lock{shared}(:lock)"), f"SELECT pg_advisory_unlock{shared}(:lock)"
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:

        def check() -> None:
            try:
                connection.scalar(text("SELECT 1"))  # the lock lives as long as this connection
            except SQLAlchemyError as error:
                raise StoreBusy from error

        _try_until(lambda: bool(connection.scalar(take, {"lock": LOCK})), deadline)
        try:
            yield check
        finally:
            with suppress(SQLAlchemyError):  # a connection that broke has given the lock back
                connection.execute(text(give), {"lock": LOCK})


def _try_until(take: Callable[[], bool], deadline: float) -> None:
    while not take():
        if time.monotonic() >= deadline:
            raise StoreBusy
        time.sleep(LOOK_SECONDS)
