"""Writes of several threads in one transaction."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from jobs.db import Database
from jobs.engine import Engine
from jobs.group_commit import MOST, GroupCommit
from jobs.tables import OwnerTurn

SECONDS = 20.0


def add(owner: str) -> Callable[[Session, datetime], str]:
    """A write of one row."""

    def work(session: Session, now: datetime) -> str:
        session.add(OwnerTurn(lane="training", tenant_id="t", owner=owner, claimed_at=now))
        session.flush()
        return owner

    return work


def owners(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.scalars(select(OwnerTurn.owner)))


class Commits:
    """Counts the transactions that were committed; one that asked the database for nothing is none."""

    def __init__(self, database: Database) -> None:
        self.count = 0
        event.listen(database.engine, "commit", self._note)

    def _note(self, _connection: Any) -> None:
        self.count += 1


@contextmanager
def together(group: GroupCommit, works: list[Callable[[Session, datetime], Any]]) -> Iterator[list[Future[Any]]]:
    """Have works wait behind one that is held up until all of them do; yields what becomes of them."""
    begun, go = threading.Event(), threading.Event()

    def held_up(_session: Session, _now: datetime) -> None:
        begun.set()
        assert go.wait(SECONDS)

    with ThreadPoolExecutor(len(works) + 1) as pool:
        first = pool.submit(group.run, held_up)
        assert begun.wait(SECONDS)
        futures = [pool.submit(group.run, work) for work in works]
        end = time.monotonic() + SECONDS
        while len(group._queue) < len(works):
            assert time.monotonic() < end
            time.sleep(0.001)
        go.set()
        first.result(SECONDS)
        yield futures


@pytest.fixture
def group(engine: Engine) -> GroupCommit:
    return GroupCommit(engine.db.begin, engine.db.now)


def test_who_waits_is_written_with_the_others(engine: Engine, group: GroupCommit) -> None:
    commits = Commits(engine.db)
    with together(group, [add(f"owner {number}") for number in range(8)]) as futures:
        done = {future.result(SECONDS) for future in futures}
    assert commits.count == 1
    assert len(done) == 8
    assert owners(engine.db) == done


def test_no_transaction_grows_without_bound(engine: Engine, group: GroupCommit) -> None:
    commits = Commits(engine.db)
    with together(group, [add(f"owner {number}") for number in range(MOST + 1)]) as futures:
        for future in futures:
            future.result(SECONDS)
    assert commits.count == 2
    assert len(owners(engine.db)) == MOST + 1


def test_a_work_that_fails_fails_alone(engine: Engine, group: GroupCommit) -> None:
    def refused(session: Session, now: datetime) -> None:
        add("half")(session, now)
        raise ValueError("no")

    with together(group, [add("before"), refused, add("same"), add("same"), add("after")]) as futures:
        before, bad, *twins, after = futures
        assert (before.result(SECONDS), after.result(SECONDS)) == ("before", "after")
        with pytest.raises(ValueError, match="no"):
            bad.result(SECONDS)
        assert sorted(type(twin.exception(SECONDS)) is IntegrityError for twin in twins) == [False, True]
    assert owners(engine.db) == {"before", "same", "after"}


def test_what_may_have_been_committed_is_not_done_again() -> None:
    calls: list[str] = []

    @contextmanager
    def begin() -> Iterator[Any]:
        yield None
        if len(calls) > 1:
            raise OperationalError("COMMIT", {}, Exception("the reply was lost"))

    def work(name: str) -> Callable[[Session, datetime], None]:
        return lambda _session, _now: calls.append(name)

    group = GroupCommit(begin, lambda _session: datetime.now(UTC))
    with together(group, [work("a"), work("b")]) as futures:
        for future in futures:
            assert isinstance(future.exception(SECONDS), OperationalError)
    assert sorted(calls) == ["a", "b"]


def test_what_nobody_waits_for_comes_along(engine: Engine, group: GroupCommit) -> None:
    commits = Commits(engine.db)
    group.later(add("later"))
    group.run(add("now"))
    assert commits.count == 1
    assert owners(engine.db) == {"later", "now"}


def test_what_nobody_waits_for_is_written_alone_after_a_moment(engine: Engine, group: GroupCommit) -> None:
    group.later(add("later"))
    end = time.monotonic() + SECONDS
    while not owners(engine.db):
        assert time.monotonic() < end
        time.sleep(0.01)
    group.later(add("later"))  # a second time breaks a rule of the database, and nobody is told
    group.later(add("last"))
    while "last" not in owners(engine.db):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_impatient_database_writes_at_once(engine: Engine) -> None:
    engine.db.later(add("at once"))
    assert owners(engine.db) == {"at once"}


def test_concurrent_transactions_of_a_database_lose_nothing(engine: Engine) -> None:
    counted = select(func.count()).select_from(OwnerTurn)

    def work(session: Session, now: datetime) -> None:
        row = {"lane": "training", "tenant_id": "t", "owner": f"{session.scalar(counted)}", "claimed_at": now}
        session.execute(insert(OwnerTurn).values(row))

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(engine.db.transact, work) for _ in range(3)]:
            future.result(SECONDS)
    assert owners(engine.db) == {"0", "1", "2"}
