"""What the commands of operators share: the engine to work on, and errors that are sentences with a remedy."""

import errno
import os
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from jobs import migrate
from jobs.db import Database
from jobs.engine import Engine, open_engine
from jobs.errors import AigcError
from jobs.program import here
from jobs.settings import Settings

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Refused(Exception):
    """It cannot be done; the message says what, where and how to mend it."""


def run(work: Callable[[Engine], int], *, needs_schema: bool = True) -> int:
    """Do an operator's work on this machine's installation; gives the exit status."""
    os.umask(0o077)  # what is written may hold anybody's data
    settings = Settings()
    engine = open_engine(settings)
    try:
        if needs_schema:
            _check(engine.db)
        return work(engine)
    except (Refused, migrate.SchemaMismatch, AigcError) as error:
        return _say(str(error))
    except DBAPIError as error:
        return _say(f"The database does not answer as it should: {str(error.orig).strip()}. Check with: aigc doctor")
    except sqlite3.Error as error:
        return _say(f"SQLite cannot go on: {error}. See that the disk has room and works, then start again.")
    except OSError as error:
        return _say(disk_trouble(error))
    finally:
        engine.db.dispose()


@contextmanager
def scratch(directory: Path) -> Iterator[Path]:
    """A working directory of that name, empty at the start, whatever one that was killed left there, and gone after."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def sqlite_file(database: Database) -> Path:
    """Where the embedded database lies."""
    return Path(str(database.engine.url.database))


def disk_trouble(error: OSError) -> str:
    """What to do about a file that cannot be read or written."""
    if error.errno in FULL:
        where = f" at {error.filename}" if error.filename else ""
        return (
            f"The disk is full{where}. Make room or choose another place, then start again; nothing half-done is used."
        )
    return f"{error.strerror or error}: {error.filename or 'no file named'}. Check that it exists and may be used."


def _check(database: Database) -> None:
    if database.is_sqlite and not sqlite_file(database).exists():
        raise Refused(
            f"There is no database at {sqlite_file(database)}."
            " Set AIGC_HOME to the directory of the installation, or AIGC_DATABASE_URL."
        )
    migrate.check(database)


def _say(sentence: str) -> int:
    print(here(f"Error: {sentence}"), file=sys.stderr)
    return 1
