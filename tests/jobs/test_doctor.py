import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs import doctor, migrate
from jobs.db import Database
from jobs.engine import open_engine
from jobs.settings import Settings
from jobs.workers import register
from tests.conftest import RecordingDispatcher
from tests.jobs.acting import Actor
from tests.servers import Valkey

ROOT = Path(__file__).parents[2]


def diagnose(**environment: str) -> tuple[int, dict[str, dict[str, Any]]]:
    command = [sys.executable, "-m", "jobs.doctor"]
    ended = subprocess.run(
        command, env={**os.environ, **environment}, cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return ended.returncode, {line["name"]: line for line in lines}


def test_what_is_missing_is_named_with_its_remedy(tmp_path: Path) -> None:
    home = str(tmp_path)
    status, found = diagnose(AIGC_HOME=home, AIGC_DATABASE_URL="", AIGC_REDIS_URL="redis://:secret@127.0.0.1:1/0")
    assert status == 1
    assert {name: line["ok"] for name, line in found.items()} == {
        "database": False, "broker": False, "disk": True, "store": True, "workers": False,
    }  # fmt: skip
    assert found["database"]["fix"] == "Run: aigc migrate"
    assert "secret" not in found["broker"]["detail"]
    assert found["disk"]["fix"] == ""
    assert not (tmp_path / "aigc.db").exists()  # looking changes nothing


def test_a_sound_installation(tmp_path: Path, valkey: Valkey) -> None:
    settings = Settings(home=tmp_path, redis_url=valkey.url, min_free_disk=0)
    engine = open_engine(settings)
    migrate.upgrade(engine.db)
    register(engine, "worker", "training", "2 cores", "cpu")
    register(engine, "scheduler", None, None, None)
    status, found = diagnose(AIGC_HOME=str(tmp_path), AIGC_REDIS_URL=valkey.url, AIGC_MIN_FREE_DISK="0")
    engine.db.dispose()
    assert (status, all(line["ok"] for line in found.values())) == (0, True), found
    assert found["workers"]["detail"] == "training.cpu; schedulers: 1"


def test_no_room_and_no_scheduler(actor: Actor, dispatcher: RecordingDispatcher) -> None:
    assert not doctor.disk(actor.with_settings(min_free_disk=10**18).engine).ok
    register(actor.engine, "worker", "training", "2 cores", "cpu")
    assert not doctor.live_workers(actor.engine).ok
    assert doctor.database(actor.engine).ok
    assert doctor.broker(actor.engine).ok
    dispatcher.up = False
    assert not doctor.broker(actor.engine).ok


@pytest.mark.parametrize("url", ["postgresql+psycopg://nobody@127.0.0.1:1/none"])
def test_a_database_that_is_away(actor: Actor, url: str) -> None:
    database = Database(url)
    engine = replace(actor.engine, db=database)
    assert doctor.database(engine).detail.startswith("postgresql does not answer")
    assert not doctor.live_workers(engine).ok
    database.dispose()
