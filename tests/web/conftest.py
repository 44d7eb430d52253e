"""A real application on a real, migrated database; only the broker's wake-ups are noted instead of sent."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.settings import Settings
from tests.web.acting import ActingWorker
from web import create_app


@dataclass
class NotedDispatcher:
    """Takes every announcement down; nobody listens."""

    announced: list[str] = field(default_factory=list)

    def announce(self, lane: str, device_kind: str) -> bool:
        self.announced.append(f"{lane}.{device_kind}")
        return True

    def waiting(self, lane: str, device_kind: str) -> int | None:
        return self.announced.count(f"{lane}.{device_kind}")

    def alive(self) -> bool:
        return True


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: migrating anew would cost every test 100 ms."""
    path = tmp_path_factory.mktemp("database") / "aigc.db"
    database = Database(f"sqlite:///{path}")
    migrate.upgrade(database)
    database.dispose()
    return path


@pytest.fixture
def settings(tmp_path: Path, empty_database: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copy(empty_database, home / "aigc.db")
    return Settings(home=home, min_free_disk=0, web_threads=8, max_upload=4 * 2**20)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    database = Database(settings.sql_url)
    yield Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    database.dispose()


class ReadingClient(FlaskClient):
    """Reads replies to their end at once, so that files behind them are closed, as a server does."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return super().open(*args, **{"buffered": True, **kwargs})


@pytest.fixture
def app(settings: Settings, engine: Engine) -> Flask:
    made = create_app(settings, engine)
    made.test_client_class = ReadingClient
    return made


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def worker(engine: Engine) -> ActingWorker:
    """Plays the worker: claims, reports and ends jobs through the engine, as the real one does."""
    return ActingWorker(engine)
