"""The lock that keeps collectors out while a backup or a restore is on: many of the ones, one of the others."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from jobs.db import Database
from jobs.storage_lock import StoreBusy, collecting, keeping

ROOT = Path(__file__).parents[2]

HOLD = """
import sys
from jobs.db import Database
from jobs.storage_lock import collecting, keeping
with {kind}(Database(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def holder(database_url: str) -> Iterator["Holder"]:
    made = Holder(database_url)
    yield made
    made.kill()


class Holder:
    """Another process that holds the lock."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._process: subprocess.Popen[str] | None = None

    def hold(self, kind: str) -> None:
        command = [sys.executable, "-c", HOLD.format(kind=kind), self._url]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "held\n"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def test_collectors_do_not_wait_for_each_other(database: Database, holder: Holder) -> None:
    holder.hold("collecting")
    with collecting(database), collecting(database):
        pass


def test_a_backup_keeps_collectors_and_other_backups_out(database: Database, holder: Holder) -> None:
    holder.hold("keeping")
    with pytest.raises(StoreBusy), collecting(database):
        pass
    with pytest.raises(StoreBusy), keeping(database, patience=0):
        pass


def test_a_backup_waits_for_collectors(database: Database, holder: Holder) -> None:
    holder.hold("collecting")
    with pytest.raises(StoreBusy), keeping(database, patience=0.3):
        pass
    holder.kill()  # its lock ends with it
    with keeping(database) as check:
        check()


def test_a_backup_whose_connection_broke_is_told(database: Database) -> None:
    if database.is_sqlite:
        return  # a lock on a file does not break
    with keeping(database) as check:
        with database.begin() as session:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            session.execute(text(f"{others} AND pid <> pg_backend_pid()"))
        with pytest.raises(StoreBusy):
            check()
