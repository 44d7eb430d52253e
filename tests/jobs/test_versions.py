"""Versions of jobs that many threads ask for, while others change them, on both databases."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Select, select, text, update
from sqlalchemy.exc import DBAPIError

from jobs.db import Database
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.tables import Job
from jobs.versions import read_together
from tests.web.crowd import crowd

SECONDS, ROUNDS = 20.0, 12


@pytest.fixture
def elsewhere(engine: Engine) -> Iterator[Database]:
    """The same database, as another process has it."""
    database = Database(engine.settings.database_url)
    yield database
    database.dispose()


def test_a_job_is_known_to_its_tenant_only(engine: Engine) -> None:
    mine, theirs = (crowd(engine, Principal(tenant, "ada"), 2) for tenant in ("acme", "other"))
    versions = read_together(engine.db)
    assert [versions.of(("acme", job)) for job in (*mine, *theirs, "none")] == [7, 7, None, None, None]
    assert versions.of(("other", theirs[0])) == 7


def test_everybody_sees_what_was_committed_before_he_asked(
    engine: Engine, elsewhere: Database, principal: Principal
) -> None:
    """Some write by another connection and ask at once, others only ask: no version is missed, none goes back."""
    jobs, versions = crowd(engine, principal, 4, open_every=1), read_together(engine.db)
    start, done = threading.Barrier(2 * len(jobs)), threading.Event()

    def write_and_ask(job: str) -> list[int | None]:
        start.wait(SECONDS)
        seen = []
        for number in range(ROUNDS):
            with elsewhere.begin(durable=False) as session:
                session.execute(update(Job).where(Job.id == job).values(version=100 + number))
            seen.append(versions.of((principal.tenant_id, job)))
        return seen

    def only_ask(job: str) -> list[int]:
        start.wait(SECONDS)
        seen = list[int]()
        while not done.is_set():
            seen.append(versions.of((principal.tenant_id, job)) or 0)
        return seen

    with ThreadPoolExecutor(2 * len(jobs)) as pool:
        writing = [pool.submit(write_and_ask, job) for job in jobs]
        asking = [pool.submit(only_ask, job) for job in jobs]
        try:
            told = [one.result(SECONDS) for one in writing]
        finally:
            done.set()
        assert told == [list(range(100, 100 + ROUNDS))] * len(jobs)
        for one in asking:
            seen = one.result(SECONDS)
            assert seen == sorted(seen)


def test_a_fault_of_a_glance_is_told_and_the_next_one_works(engine: Engine) -> None:
    wrong: Select[tuple[int]] = select(text("1 FROM nowhere"))
    for _ in range(2):
        with pytest.raises(DBAPIError):
            engine.db.glance(wrong, {})
        assert [tuple(row) for row in engine.db.glance(select(text("1")), {})] == [(1,)]
