"""What every test may ask for: real servers, a migrated database on each backend, an engine with a clock to turn."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.settings import Settings
from jobs.tables import Base, SchemaInfo
from tests import objects, servers

TEMPLATE = "migrated"


@dataclass
class Clock:
    """A database clock that only moves when a test says so."""

    now: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class RecordingDispatcher:
    """A broker that can be switched off; nobody takes what it holds."""

    announced: list[str] = field(default_factory=list)
    up: bool = True

    def announce(self, lane: str, device_kind: str) -> bool:
        if self.up:
            self.announced.append(f"{lane}.{device_kind}")
        return self.up

    def waiting(self, lane: str, device_kind: str) -> int | None:
        return self.announced.count(f"{lane}.{device_kind}") if self.up else None

    def alive(self) -> bool:
        return self.up


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """A running PostgreSQL; on a machine without one the test is skipped, but not where everything must be tested."""
    try:
        server = servers.Postgres()
    except servers.ServerMissing as error:
        missing(str(error))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def valkey() -> Iterator[servers.Valkey]:
    """A running Valkey of the test's own."""
    try:
        server = servers.Valkey()
    except servers.ServerMissing as error:
        missing(str(error))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def object_server() -> Iterator[objects.ObjectServer]:
    """A running S3-compatible store."""
    try:
        server = objects.ObjectServer()
    except servers.ServerMissing as error:
        missing(str(error))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: servers.Postgres) -> str:
    """A migrated PostgreSQL database to copy."""
    name = postgres.copy_of("template0")
    database = Database(postgres.url(name))
    migrate.upgrade(database)
    database.dispose()
    return name


@pytest.fixture
def emptied_postgres(postgres: servers.Postgres, postgres_template: str) -> str:
    """Address of a migrated, empty PostgreSQL database; deleting a few rows is cheaper than copying a database."""
    url = postgres.url(postgres_template)
    with psycopg.connect(host=str(postgres.directory), user="postgres", dbname=postgres_template) as connection:
        for table in reversed(Base.metadata.sorted_tables):
            if table.name != SchemaInfo.__tablename__:
                connection.execute(f'DELETE FROM "{table.name}"'.encode())
    return url


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory for all state, in memory where there is some: these tests wait for a disk hundreds of times."""
    with tempfile.TemporaryDirectory(prefix="aigc", dir=servers.fast_directory(), ignore_cleanup_errors=True) as path:
        yield Path(path)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, home: Path) -> str:
    """Address of a migrated, empty database; every test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        path = home / "aigc.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("emptied_postgres")
    return url


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dispatcher() -> RecordingDispatcher:
    return RecordingDispatcher()


@pytest.fixture
def principal() -> Principal:
    return Principal(tenant_id="acme", owner="ada")


@pytest.fixture
def settings(home: Path, database_url: str) -> Settings:
    return Settings(home=home, database_url=database_url, min_free_disk=0)


@pytest.fixture
def engine(settings: Settings, clock: Clock, dispatcher: RecordingDispatcher) -> Iterator[Engine]:
    """The engine on a real database, with a clock that tests turn and a broker that only takes notes."""
    database = Database(settings.database_url, clock)
    yield Engine(settings, database, LocalStore(settings.artifacts), dispatcher)
    database.dispose()


def missing(what: str) -> NoReturn:
    """Skip a test for want of a server; where everything must be tested, fail it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
