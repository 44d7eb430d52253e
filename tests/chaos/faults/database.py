"""The database: gone and back, silent after a COMMIT, locked by a client that stands still."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from tests.chaos.field import Field, NotNow

HOLD = """
import sys
from sqlalchemy import text
from jobs.db import Database
database = Database(sys.argv[1])
with database.begin() as session:
    if not database.is_sqlite:
        session.execute(text("SELECT id FROM job WHERE status = 'running' FOR UPDATE SKIP LOCKED"))
    print("holding", flush=True)
    sys.stdin.read()
"""
# On SQLite everybody waits for the one who writes, so that one must not stand still for long: a known limit.
HELD_SECONDS = {"sqlite": 2.0, "postgresql": 12.0}


def crash_database(field: Field) -> None:
    """PostgreSQL is stopped as in a power cut, and starts again a little later; attempts go on where they were."""
    server = field.stack.postgres
    assert server is not None
    field.take("database")
    server.crash()

    def come_back() -> None:
        server.start()
        field.give_back("database")

    field.heal(field.rng.uniform(0.1, 4), come_back)


def lose_commit_reply(field: Field) -> None:
    """The answer to a COMMIT of the second worker is lost: it must find out by itself what has happened."""
    relay = field.stack.relays[1]
    before = relay.lost
    field.take("reply")
    relay.lose_next_reply()
    since = time.monotonic()

    def lost() -> bool:
        if relay.lost > before:
            field.injected.update(["lose_commit_reply"])
        elif time.monotonic() < since + 20:
            return False
        field.give_back("reply")
        return True

    field.expect("lost_reply_unseen", float("inf"), lost)


def hold_database(field: Field) -> None:
    """A client stands still inside a transaction that holds locks; in the end it is killed."""
    if "database" in field.taken:
        raise NotNow("database")
    field.take("holder")
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, field.engine.settings.sql_url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert holder.stdout is not None
    said = holder.stdout.readline()
    if not said:
        holder.wait()
        field.give_back("holder")
        raise NotNow("database")
    os.kill(holder.pid, signal.SIGSTOP)

    def end() -> None:
        with contextlib.suppress(ProcessLookupError):
            holder.kill()
        holder.communicate()
        field.give_back("holder")

    field.heal(HELD_SECONDS[field.engine.db.engine.dialect.name], end)
