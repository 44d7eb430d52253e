"""The scheduler as a process: killed, doubled, with its broker or database away."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import func
from sqlalchemy import select as query

from jobs import migrate, tables
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.dispatch import CeleryDispatcher
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.scheduler import Chore
from jobs.settings import Settings
from tests import servers
from tests.jobs.acting import Actor
from tests.servers import Valkey

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
QUICK = {"lease_seconds": 1.0, "reap_seconds": 0.05, "redispatch_seconds": 0.5, "heartbeat_seconds": 0.2}

T = TypeVar("T")


def until(look: Callable[[], T]) -> T:
    """Look until something is there."""
    end = time.monotonic() + SECONDS
    while not (found := look()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return found


class Scheduler:
    """One process."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jobs.scheduler"],
            env={**os.environ, **environment},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ready(self) -> "Scheduler":
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], SECONDS)[0]
        assert self.process.stdout.readline().startswith(b"ready")
        return self

    def end(self, number: signal.Signals) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, errors.decode()


@pytest.fixture
def real(database_url: str, home: Path, valkey: Valkey) -> Iterator[Actor]:
    """An engine with the database's own clock and a real broker."""
    settings = Settings(home=home, database_url=database_url, redis_url=valkey.url, min_free_disk=0)
    settings = settings.model_copy(update=QUICK)
    dispatcher = CeleryDispatcher(settings)
    engine = Engine(settings, Database(database_url), LocalStore(settings.artifacts), dispatcher)
    yield Actor(engine, Principal("acme", "ada"))
    dispatcher.close()
    engine.db.dispose()


@pytest.fixture
def environment(real: Actor) -> dict[str, str]:
    settings = real.engine.settings
    given = {name: getattr(settings, name) for name in ("home", "database_url", "redis_url", *QUICK)}
    return {f"AIGC_{name.upper()}": str(value) for name, value in given.items()}


@pytest.fixture
def schedulers(environment: dict[str, str]) -> Iterator[Callable[..., list[Scheduler]]]:
    started: list[Scheduler] = []

    def start(count: int = 1) -> list[Scheduler]:
        fresh = [Scheduler(environment) for _ in range(count)]
        started.extend(fresh)
        return [scheduler.ready() for scheduler in fresh]

    yield start
    for scheduler in started:
        if scheduler.process.poll() is None:
            scheduler.end(signal.SIGKILL)
        for pipe in (scheduler.process.stdout, scheduler.process.stderr):
            assert pipe is not None
            pipe.close()


def nodes(actor: Actor) -> int:
    with actor.engine.db.read() as session:
        return session.scalar(query(func.count()).select_from(tables.WorkerNode)) or 0


def test_it_signs_on_and_off(real: Actor, schedulers: Callable[..., list[Scheduler]]) -> None:
    (scheduler,) = schedulers()
    assert nodes(real) == 1
    status, errors = scheduler.end(signal.SIGTERM)
    assert (status, nodes(real)) == (0, 0), errors


def test_a_wiped_broker_is_told_again(real: Actor, valkey: Valkey, schedulers: Callable[..., list[Scheduler]]) -> None:
    real.train()
    schedulers()
    valkey.kill()
    valkey.start()
    until(lambda: real.engine.dispatcher.waiting("training", "cpu"))


def test_killed_and_doubled_schedulers_do_everything_once(
    real: Actor, schedulers: Callable[..., list[Scheduler]]
) -> None:
    lost = [real.train() for _ in range(4)]
    poison = real.train()
    late = real.train(expires_in=timedelta(seconds=0), params={"seed": 9})
    for _ in range(5):
        real.claim()
    with real.engine.db.begin() as session:
        session.get_one(tables.Job, poison.id).worker_losses = 2
    (first,) = schedulers()
    first.end(signal.SIGKILL)
    schedulers(count=3)
    until(lambda: real.job(poison.id).status == "failed" and real.job(late.id).status == "failed")
    until(lambda: all(real.job(job.id).status == "queued" for job in lost))
    for job in lost:
        row = real.job(job.id)
        assert (row.worker_losses, row.attempt) == (1, 1)
        assert [attempt.outcome for attempt in real.attempts(job.id)] == ["lost"]
        requeued = [event for event in real.events(job.id, "state") if event.data.get("code") == "worker_lost"]
        assert len(requeued) == 1
    for job in (poison, late):
        assert len(real.events(job.id, "end")) == 1


def test_it_ends_with_its_parent_when_asked_to(real: Actor, environment: dict[str, str], home: Path) -> None:
    script = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-m", "jobs.scheduler"], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, **environment, "AIGC_PARENT_DEATH": "1"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.communicate()
    until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2])


def test_without_tables_it_says_what_to_do(tmp_path: Path) -> None:
    environment = {**os.environ, "AIGC_DATABASE_URL": f"sqlite:///{tmp_path / 'empty.db'}"}
    ended = subprocess.run(
        [sys.executable, "-m", "jobs.scheduler"], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "Run: aigc migrate" in ended.stderr


def test_it_waits_for_a_database_that_is_away(home: Path) -> None:
    with servers.postgres() as server:
        url = server.url(server.copy_of("template0"))
        database = Database(url)
        migrate.upgrade(database)
        database.dispose()
        server.crash()
        waiting = Scheduler({"AIGC_HOME": str(home), "AIGC_DATABASE_URL": url})
        assert waiting.process.stderr is not None
        while b"does not answer; trying again" not in (line := waiting.process.stderr.readline()):
            assert line, "it gave up"
        server.start()
        status, _ = waiting.ready().end(signal.SIGTERM)
        assert status == 0
        assert waiting.process.stdout is not None
        waiting.process.stdout.close()


def test_a_chore_that_fails_is_tried_again_at_its_next_time() -> None:
    calls: list[int] = []

    def work() -> None:
        calls.append(1)
        raise ValueError

    chore = Chore("work", work, 2.0)
    for now in (0.0, 1.0, 1.9, 2.0):
        chore.run(now)
    assert len(calls) == 2
    assert replace(chore).seconds == 2.0
