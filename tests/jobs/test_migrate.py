"""Migrating as a process: several at once, on a used database, from an installed package."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import select, update

from jobs import migrate
from jobs.db import Database
from jobs.tables import SchemaInfo
from tests import servers

ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'aigc.db'}"
    server: servers.Postgres = request.getfixturevalue("postgres")
    return server.url(server.copy_of("template0"))


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url)
    yield opened
    opened.dispose()


def start(url: str, *arguments: str, cwd: Path = ROOT, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.migrate", *arguments],
        env={**os.environ, "AIGC_DATABASE_URL": url, **environment},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_several_at_once_make_one_schema(url: str, database: Database) -> None:
    processes = [start(url) for _ in range(3)]
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, f"ready schema {migrate.head()}\n"), errors
    with database.read() as session:
        assert len(session.scalars(select(SchemaInfo)).all()) == 1
    migrate.check(database)


def test_the_home_directory_is_made_for_the_embedded_database(tmp_path: Path) -> None:
    process = start("", AIGC_HOME=str(tmp_path / "new" / "home"))
    assert process.communicate(timeout=120)[0].startswith("ready")
    assert (tmp_path / "new" / "home" / "aigc.db").exists()


def test_a_database_that_is_away_is_told_in_one_sentence() -> None:
    process = start("postgresql+psycopg://nobody@127.0.0.1:1/none")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert errors.startswith("The database cannot be upgraded:")
    assert "Traceback" not in errors


def test_a_table_in_use_is_waited_for(
    postgres: servers.Postgres, postgres_template: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try gives up after its lock time-out, so that others get through; one of them succeeds."""
    name = postgres.copy_of(postgres_template)
    database = Database(postgres.url(name))
    monkeypatch.setattr(migrate, "LOCK_TIMEOUT", "50ms")
    released = threading.Event()
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            holder.rollback()
            released.set()

    monkeypatch.setattr("jobs.migrate.time.sleep", pause)
    with psycopg.connect(host=str(postgres.directory), user="postgres", dbname=name) as holder:
        holder.execute("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        assert migrate.upgrade(database) == migrate.head()
    assert released.is_set()
    assert pauses == [migrate.PAUSE] * 2
    database.dispose()


def test_a_schema_that_does_not_fit_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(migrate.SchemaMismatch, match="no tables yet"):
        migrate.check(database)
    migrate.upgrade(database)
    migrate.check(database)
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "COMPATIBLE", 9999)
        with pytest.raises(migrate.SchemaMismatch, match="older version"):
            migrate.check(database)
    with database.begin() as session:
        session.execute(update(SchemaInfo).values(min_compatible=9999))
    with pytest.raises(migrate.SchemaMismatch, match="newer version"):
        migrate.check(database)


def test_it_works_from_an_installed_package(tmp_path: Path) -> None:
    """In a wheel the revisions lie beside the code, not beside the package."""
    site = tmp_path / "site"
    for package in ("jobs", "aigc_models"):
        shutil.copytree(ROOT / package, site / package, ignore=shutil.ignore_patterns("__pycache__", "starter_files"))
    shutil.copytree(ROOT / "migrations", site / "jobs" / "_migrations")
    (site / "migrations").mkdir()  # some other package's
    process = start(f"sqlite:///{tmp_path / 'aigc.db'}", cwd=site, PYTHONPATH=str(site))
    out, errors = process.communicate(timeout=120)
    assert out == f"ready schema {migrate.head()}\n", errors
