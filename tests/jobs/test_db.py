"""Sessions and times, the same on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from jobs.db import RACES, Database
from jobs.tables import OwnerTurn, WorkerNode
from jobs.workers import register
from tests.jobs.acting import Actor


def node(actor: Actor, started: datetime) -> WorkerNode:
    id_ = register(actor.engine, "worker", "training", "cpu", "cpu")
    with actor.engine.db.begin() as session:
        session.get_one(WorkerNode, id_).started_at = started
    row: WorkerNode = actor.row(WorkerNode, id_)
    return row


def test_times_come_back_aware_and_in_utc(actor: Actor) -> None:
    moment = datetime(2026, 5, 1, 12, 30, 15, 123456, tzinfo=timezone(timedelta(hours=8)))
    back = node(actor, moment).started_at
    assert back == moment
    assert back.tzinfo is UTC


def test_naive_times_are_refused(actor: Actor) -> None:
    with pytest.raises(StatementError, match="naive datetime"):
        node(actor, datetime(2026, 5, 1))  # noqa: DTZ001 - the point of the test


def test_a_block_that_fails_leaves_nothing(actor: Actor) -> None:
    def half() -> None:
        with actor.engine.db.begin() as session:
            session.add(OwnerTurn(lane="training", tenant_id="t", owner="o", claimed_at=actor.engine.db.now(session)))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    with actor.engine.db.read() as session:
        assert session.scalar(select(func.count()).select_from(OwnerTurn)) == 0


def test_a_transaction_that_lost_a_race_is_repeated(actor: Actor) -> None:
    calls: list[datetime] = []

    def work(session: Session, now: datetime) -> str:
        calls.append(now)
        if len(calls) < RACES:
            raise IntegrityError("", {}, RuntimeError("a neighbour was faster"))
        return "done"

    assert actor.engine.db.transact(work) == "done"
    assert len(calls) == RACES


def test_a_transaction_that_always_loses_gives_up(actor: Actor) -> None:
    calls: list[datetime] = []

    def work(session: Session, now: datetime) -> None:
        calls.append(now)
        raise IntegrityError("", {}, RuntimeError("a real fault"))

    with pytest.raises(IntegrityError):
        actor.engine.db.transact(work)
    assert len(calls) == RACES


def test_the_clock_is_the_databases_own(database_url: str) -> None:
    database = Database(database_url)
    with database.read() as session:
        first = database.now(session)
        second = database.now(session)  # moves on inside a transaction, unlike now() of SQL
    assert second > first
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=5)
    database.dispose()


def test_the_embedded_database_is_durable_and_checks_references(actor: Actor) -> None:
    if not actor.engine.db.is_sqlite:
        return
    with actor.engine.db.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}


def test_what_need_not_survive_a_power_cut_does_not_wait_for_the_disk(actor: Actor) -> None:
    """The same connection is used for both kinds in turn, so each must say which it is."""
    database = actor.engine.db
    asked, hasty, durable = (
        ("PRAGMA synchronous", 1, 2) if database.is_sqlite else ("SHOW synchronous_commit", "on", "on")
    )
    seen = []
    for how in (True, False, True, False):
        with database.begin(durable=how) as session:
            seen.append(session.scalar(text(asked)))
    assert seen == [durable, hasty, durable, hasty]
