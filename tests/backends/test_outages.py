"""PostgreSQL that loses answers, freezes clients' locks, or goes away and comes back."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, OperationalError

from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.lifecycle import Beat, Failure, Lease
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.settings import Settings
from jobs.tables import Job
from jobs.versions import read_together
from tests import servers
from tests.backends.proxy import Relay
from tests.conftest import Clock, RecordingDispatcher
from tests.jobs.acting import Actor

SECONDS = 30.0


def make(home: Path, database: Database) -> Actor:
    settings = Settings(home=home, database_url="postgresql://", min_free_disk=0)
    engine = Engine(settings, database, LocalStore(home / "artifacts"), RecordingDispatcher())
    return Actor(engine, Principal("acme", "ada"))


@pytest.fixture
def actor(postgres: servers.Postgres, postgres_template: str, emptied_postgres: str, home: Path) -> Iterator[Actor]:
    database = Database(emptied_postgres, Clock())
    yield make(home, database)
    database.dispose()


@pytest.fixture
def relay(postgres: servers.Postgres, home: Path) -> Iterator[Relay]:
    directory = home / "relay"
    directory.mkdir()
    between = Relay(directory, postgres.directory)
    yield between
    between.close()


@pytest.fixture
def unsure(
    actor: Actor, relay: Relay, postgres: servers.Postgres, postgres_template: str, home: Path
) -> Iterator[Actor]:
    """The same database over a line that can lose an answer."""
    database = Database(postgres.url(postgres_template, home / "relay"), Clock())
    yield replace(actor, engine=replace(actor.engine, db=database))
    database.dispose()


def test_a_success_whose_reply_was_lost_is_not_done_twice(actor: Actor, unsure: Actor, relay: Relay) -> None:
    files = [actor.store("model/weights.safetensors", b"weights")]
    for _ in range(5):
        job = actor.train()
        lease = Lease(unsure.engine, unsure.claim(expected=job.id))
        relay.lose_next_reply()
        with pytest.raises(DBAPIError):
            lease.succeed({"fid": 1.0}, files)
        assert actor.job(job.id).status == "succeeded"  # it had happened
        lease.succeed({"fid": 1.0}, files)
        assert len(actor.events(job.id, "end")) == 1
        assert len(Repository(actor.engine, actor.principal).models_made_by([job.id])) == 1
    assert relay.lost == 5


def test_other_ends_whose_reply_was_lost_are_not_done_twice(actor: Actor, unsure: Actor, relay: Relay) -> None:
    first, second = actor.train(), actor.train()
    failing = Lease(unsure.engine, unsure.claim(expected=first.id))
    relay.lose_next_reply()
    with pytest.raises(DBAPIError):
        failing.fail(Failure("internal"))
    failing.fail(Failure("internal"))
    assert actor.job(first.id).app_failures == 1
    leaving = Lease(unsure.engine, unsure.claim(expected=second.id))
    relay.lose_next_reply()
    with pytest.raises(DBAPIError):
        leaving.release("drain")
    leaving.release("drain")
    assert actor.job(second.id).releases == 1


def test_a_submit_whose_reply_was_lost_is_found_by_its_key(actor: Actor, unsure: Actor, relay: Relay) -> None:
    params = {"dataset": actor.dataset().id}
    relay.lose_next_reply()
    with pytest.raises(DBAPIError):
        unsure.submit("image_vae.train", params, idempotency_key="k1")
    again = unsure.submit("image_vae.train", params, idempotency_key="k1")
    with actor.engine.db.read() as session:
        assert session.scalars(select(Job.id).where(Job.family == "image_vae")).all() == [again.id]


def test_a_checkpoint_whose_reply_was_lost_is_there_once(actor: Actor, unsure: Actor, relay: Relay) -> None:
    actor.train()
    lease = Lease(unsure.engine, unsure.claim())
    file = actor.store("state.safetensors", b"state")
    relay.lose_next_reply()
    with pytest.raises(DBAPIError):
        lease.checkpoint(4, [file])
    lease.checkpoint(4, [file])
    assert len(actor.events(lease.claim.job_id, "checkpoint")) == 1


def test_a_database_that_comes_back_is_used_again(home: Path) -> None:
    with servers.postgres() as server:
        database = Database(server.url(server.copy_of("template0")))
        migrate.upgrade(database)
        actor = make(home, database)
        job = actor.train()
        lease = actor.lease()
        versions, asked = read_together(database), [("acme", job.id)] * 8
        with ThreadPoolExecutor(len(asked)) as pool:
            running = {versions.of(one) for one in asked}
            server.crash()
            polls = [pool.submit(versions.of, one) for one in asked]
            assert all(isinstance(poll.exception(SECONDS), OperationalError) for poll in polls)
        for call in (lease.beat, actor.train, lambda: Repository(actor.engine, actor.principal).job(job.id)):
            with pytest.raises(OperationalError):
                call()
        server.start()
        assert {versions.of(one) for one in asked} == running
        lease.beat(Beat(step=3, total=9))  # the lease is as good as before
        actor.finish(lease.claim)
        assert actor.job(job.id).status == "succeeded"
        database.dispose()


def test_a_line_that_broke_while_nobody_read_is_noticed_by_the_next_read(
    actor: Actor, unsure: Actor, relay: Relay
) -> None:
    job, versions = actor.train(), read_together(unsure.engine.db)
    before = versions.of(("acme", job.id))
    assert before is not None
    relay.cut()
    actor.claim(expected=job.id)
    assert (versions.of(("acme", job.id)) or 0) > before


def test_a_client_frozen_in_a_transaction_loses_its_locks(actor: Actor) -> None:
    with actor.engine.db.engine.connect() as connection:
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "5s"
        assert connection.scalar(text("SHOW timezone")) == "UTC"
