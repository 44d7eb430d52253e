"""Rows that are inserted without the unit of work are like any other."""

import pytest
from sqlalchemy.exc import IntegrityError

from jobs import rows
from jobs.engine import Engine
from jobs.tables import Job
from tests.conftest import Clock
from tests.jobs.acting import Actor


def fresh(clock: Clock) -> Job:
    return Job(
        id="job_1", tenant_id="t", owner="o", name="n", family="f", operation="train", params={"a": 1},
        lane="training", status="queued", created_at=clock(), updated_at=clock(), not_before=clock(),
    )  # fmt: skip


def test_what_was_not_given_has_its_default(engine: Engine, clock: Clock, actor: Actor) -> None:
    with engine.db.begin() as session:
        job = fresh(clock)
        rows.add(session, job)
    stored = actor.job("job_1")
    for column in Job.__table__.columns:
        assert getattr(job, column.key) == getattr(stored, column.key), column.key
    assert (stored.version, stored.checkpoint_step, stored.metrics, stored.expires_at) == (1, -1, {}, None)


def test_the_session_knows_the_row(engine: Engine, clock: Clock, actor: Actor) -> None:
    with engine.db.begin() as session:
        job = fresh(clock)
        rows.add(session, job)
        assert session.get(Job, "job_1") is job
        job.step = 5
    assert actor.job("job_1").step == 5


def test_defaults_are_not_shared(engine: Engine, clock: Clock) -> None:
    with engine.db.begin() as session:
        first, second = fresh(clock), fresh(clock)
        second.id = "job_2"
        for job in (first, second):
            rows.add(session, job)
        assert first.metrics is not second.metrics


def test_the_database_has_the_last_word(engine: Engine, clock: Clock) -> None:
    job = fresh(clock)
    job.status = "unheard of"
    with engine.db.begin() as session, pytest.raises(IntegrityError):
        rows.add(session, job)
