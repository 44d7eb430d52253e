"""A worker that is killed around the writing of its results: nothing torn, nothing left behind, the job finishes."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from jobs import collector, maintenance
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.tables import Artifact, Blob
from jobs.verify import verify
from tests.conftest import Clock
from tests.jobs.acting import Actor

ROOT = Path(__file__).parents[2]
DAY = 24 * 3600

WORKER = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
from sqlalchemy import event
from sqlalchemy.orm import Session
from jobs import lifecycle
from jobs.engine import open_engine
from jobs.principal import Principal
from jobs.settings import Settings
from tests.conftest import RecordingDispatcher
from tests.jobs.acting import Actor

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

actor = Actor(replace(open_engine(Settings()), dispatcher=RecordingDispatcher()), Principal("acme", "ada"), "wrk_torn")
claim = actor.claim()
rename, point = Path.rename, sys.argv[1]
if point == "before rename":
    Path.rename = die
elif point == "after rename":
    Path.rename = lambda path, target: (rename(path, target), die())
files = [actor.store("model/weights.safetensors", b"weights of the attempt that died " * 1000)]
if point == "before commit":
    event.listen(Session, "before_commit", die)
elif point == "after commit":
    event.listen(Session, "after_commit", die)
lifecycle.Lease(actor.engine, claim).succeed({}, files)
"""


@pytest.fixture
def actor(engine: Engine, principal: Principal, clock: Clock) -> Actor:
    clock.now = datetime.now(UTC)  # the child goes by the real one
    return Actor(engine, principal)


def die_at(actor: Actor, point: str) -> None:
    settings = actor.engine.settings
    environment = {**os.environ, "AIGC_HOME": str(settings.home), "AIGC_DATABASE_URL": settings.database_url}
    environment["AIGC_MIN_FREE_DISK"] = "0"
    command = [sys.executable, "-c", WORKER, point]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr


def stored(actor: Actor) -> set[str]:
    return {found.sha256 for found in actor.engine.store.listing()}


def rows(actor: Actor) -> set[str]:
    with actor.engine.db.read() as session:
        return set(session.scalars(select(Blob.sha256)))


def torn(actor: Actor) -> list[Path]:
    return list((actor.engine.settings.artifacts / "sha256" / ".incoming").iterdir())


@pytest.mark.parametrize(
    ("point", "left"), [("before rename", (1, 0)), ("after rename", (0, 1)), ("before commit", (0, 1))]
)
def test_killed_before_the_results_are_committed(actor: Actor, clock: Clock, point: str, left: tuple[int, int]) -> None:
    job = actor.train()
    die_at(actor, point)
    assert (len(torn(actor)), len(stored(actor) - rows(actor))) == left
    assert actor.job(job.id).status == "running"
    assert verify(actor.engine, deep=True).findings == []
    clock.advance(60)
    assert maintenance.reap(actor.engine) == 1
    actor.finish(actor.claim(expected=job.id))
    assert actor.job(job.id).status == "succeeded"
    assert [attempt.outcome for attempt in actor.attempts(job.id)] == ["lost", "succeeded"]
    clock.advance(DAY + 3600)
    collector.sweep(actor.engine)
    assert torn(actor) == []
    assert stored(actor) == rows(actor)
    assert verify(actor.engine, deep=True).findings == []


def test_killed_after_the_results_are_committed(actor: Actor, clock: Clock) -> None:
    job = actor.train()
    die_at(actor, "after commit")
    assert actor.job(job.id).status == "succeeded"
    clock.advance(60)
    assert maintenance.reap(actor.engine) == 0
    with actor.engine.db.read() as session:
        assert session.scalars(select(Artifact.role).where(Artifact.job_id == job.id)).all() == ["output"]
    assert verify(actor.engine, deep=True).findings == []
