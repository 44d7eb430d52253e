"""Every revision up, down, and up again with data; the newest equals the tables in the code."""

import tomllib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, select, text

from jobs import aliases, feedback, migrate, name_search, pausing, tallies, tokens, workers
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.lifecycle import Beat
from jobs.principal import Principal
from jobs.settings import Settings
from jobs.tables import Base, JobDependency, SchemaInfo, WebhookDelivery
from tests import servers
from tests.conftest import RecordingDispatcher
from tests.jobs.acting import Actor

# SQLAlchemy does not reflect what is computed in an index of SQLite; PostgreSQL's are compared.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index"),
]

REVISIONS = [script.revision for script in ScriptDirectory.from_config(migrate.config()).walk_revisions()][::-1]
ROOT = Path(__file__).parents[2]


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without any table."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        server: servers.Postgres = request.getfixturevalue("postgres")
        url = server.url(server.copy_of("template0"))
    database = Database(url)
    yield database
    database.dispose()


def tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return set(inspect(connection).get_table_names()) - {"alembic_version"}


def parts(database: Database) -> set[tuple[str, str]]:
    """The columns and indexes of each table."""
    with database.engine.connect() as connection:
        found = inspect(connection)
        return {
            (table, str(part["name"]))
            for table in tables(database)
            for part in (*found.get_columns(table), *found.get_indexes(table))
        }


def rows(database: Database) -> dict[str, int]:
    with database.engine.connect() as connection:
        return {
            table.name: connection.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def differences(connection: Connection) -> list[object]:
    def compared(_part: object, name: str | None, *_: object) -> bool:
        return not str(name).startswith("ix_job_finished_")  # computed: not reflected as it was written

    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": compared})
    return list(compare_metadata(context, Base.metadata))


def fill(database: Database, home: Path) -> None:
    """A row in every table, made by the product's own code."""
    settings = Settings(home=home, database_url="sqlite://", min_free_disk=0)
    engine = Engine(settings, database, LocalStore(home / "artifacts"), RecordingDispatcher())
    actor = Actor(engine, Principal("acme", "ada"))
    model = actor.model()
    actor.train(idempotency_key="k1")
    held = actor.lease()
    held.beat(Beat(step=1, points=[(1, {"loss": 1.0})], lines=["line"]))
    held.checkpoint(1, [actor.store("state.safetensors", b"state")])
    drawn = actor.submit("image_vae.generate", {"model": model}, tags=["kept"], notes="kept, too")
    with database.begin() as session:
        now = database.now(session)
        session.add(JobDependency(job_id=drawn.id, needs_id=held.claim.job_id))
        delivery = {"id": "whd_1", "tenant_id": "acme", "job_id": drawn.id, "seq": 1}
        session.add(WebhookDelivery(**delivery, next_at=now, created_at=now))
    workers.register(engine, "worker", "training", "2 cores", "cpu")
    pausing.pause_queue(engine, actor.principal, "training.cpu")
    aliases.promote(engine, actor.principal, model, "production")
    feedback.give(engine, actor.principal, drawn, model, feedback.Verdict("up", "Where?", "Here."))
    tokens.create(engine, actor.principal, "notebook")
    name_search.extend(engine, size=1, settled=timedelta(0))
    actor.finish(held.claim)
    tallies.fold(engine, settled=timedelta(0))


def test_the_newest_revision_equals_the_tables_in_the_code(empty: Database) -> None:
    assert migrate.upgrade(empty) == migrate.head()
    with empty.engine.connect() as connection:
        assert differences(connection) == []
    assert tables(empty) == set(Base.metadata.tables)


def test_constraints_are_those_of_the_code(empty: Database, tmp_path: Path) -> None:
    """Alembic compares neither checks nor conditions of indexes."""
    partial = f"{empty.engine.dialect.name}_where"
    migrate.upgrade(empty)

    def checks(database: Database) -> dict[str, set[object]]:
        with database.engine.connect() as connection:
            found = inspect(connection)
            return {
                table: {check["name"] for check in found.get_check_constraints(table)}
                | {
                    (index["name"], index["unique"], str(index["dialect_options"].get(partial)))
                    for index in found.get_indexes(table)
                }
                | {unique["name"] for unique in found.get_unique_constraints(table)}
                | {(key["name"], key["options"].get("ondelete")) for key in found.get_foreign_keys(table)}
                for table in Base.metadata.tables
            }

    if empty.is_sqlite:
        other = Database(f"sqlite:///{tmp_path / 'code.db'}")
    else:
        with empty.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("CREATE DATABASE from_code TEMPLATE template0"))
        other = Database(empty.engine.url.set(database="from_code").render_as_string(hide_password=False))
    with other.engine.begin() as connection:
        Base.metadata.create_all(connection)
    assert checks(empty) == checks(other)
    other.dispose()
    if not empty.is_sqlite:
        with empty.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("DROP DATABASE from_code"))


@pytest.mark.parametrize("revision", REVISIONS)
def test_each_revision_goes_up_down_and_up_again(empty: Database, revision: str) -> None:
    migrate.upgrade(empty, revision)
    made = parts(empty)
    migrate.downgrade(empty, "base" if revision == REVISIONS[0] else "-1")
    assert parts(empty) < made
    assert migrate.upgrade(empty, revision) == revision
    assert parts(empty) == made


def test_revisions_keep_the_data(empty: Database, tmp_path: Path) -> None:
    """From the newest down to the first and back: what the first one knows is still there."""
    migrate.upgrade(empty)
    fill(empty, tmp_path / "home")
    before = rows(empty)
    assert min(before.values()) > 0, before
    migrate.downgrade(empty, REVISIONS[0])
    kept = tables(empty)
    migrate.upgrade(empty)
    assert {name: count for name, count in rows(empty).items() if name in kept} == {
        name: count for name, count in before.items() if name in kept
    }


def test_a_database_with_data_can_be_taken_down(empty: Database, tmp_path: Path) -> None:
    migrate.upgrade(empty)
    fill(empty, tmp_path / "home")
    migrate.downgrade(empty, "base")
    assert tables(empty) == set()


def test_every_database_has_an_epoch_of_its_own(empty: Database) -> None:
    def epoch() -> str:
        with empty.read() as session:
            return session.scalars(select(SchemaInfo.epoch)).one()

    migrate.upgrade(empty)
    first = epoch()
    migrate.upgrade(empty)
    assert epoch() == first
    migrate.downgrade(empty, "base")
    migrate.upgrade(empty)
    assert epoch() != first


def test_revisions_are_named_after_what_they_do() -> None:
    for path in (ROOT / "migrations" / "versions").glob("*.py"):
        number, verb, *nouns = path.stem.split("_")
        assert number.isdigit()
        assert len(number) == 4
        assert verb in {"create", "add", "drop", "rename", "change", "move", "fill"}
        assert nouns


def test_a_wheel_carries_them() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["migrations"] == "jobs/_migrations"
