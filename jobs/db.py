"""Engine and sessions, on SQLite and PostgreSQL alike.

Writes go through :meth:`Database.begin`, which on SQLite starts ``BEGIN IMMEDIATE``: with the
default deferred transactions two processes can claim the same job. Reads use :meth:`Database.read`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar, TypeVarTuple

from sqlalchemy import DateTime, Dialect, Engine, Row, Select, create_engine, event, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.types import TypeDecorator

from jobs.group_commit import GroupCommit
from jobs.standing import StandingConnection

BUSY_TIMEOUT_MS = 30_000
# A client that is frozen inside a transaction gives its locks back after five seconds; ours last milliseconds.
POSTGRES_OPTIONS = "-c idle_in_transaction_session_timeout=5s -c timezone=UTC"
# A half-open connection is noticed in seconds, not in the kernel's two hours.
POSTGRES_KEEPALIVE = {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 15_000}
CONNECTIONS = 32  # of a process to PostgreSQL, at most
RACES = 5
DEADLOCK = "40P01"  # PostgreSQL's code for what it ended because two waited for each other

T = TypeVar("T")
Columns = TypeVarTuple("Columns")


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, always aware and in UTC; SQLite alone would give it back naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime has no place in the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give an aware UTC time."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Database:
    """Connections to one database. Make it after a fork, never before.

    Args:
        url: SQLAlchemy address.
        clock: Replaces the database's clock in tests, so that leases expire without waiting.
        patient: Whether :meth:`later` may wait a moment for company.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] | None = None, patient: bool = False) -> None:
        self.engine = _engine(url)
        self._clock = clock
        self._write = sessionmaker(self.engine, expire_on_commit=False)
        self._read = sessionmaker(self.engine.execution_options(**self._reading()), expire_on_commit=False)
        hasty = self.engine.execution_options(aigc_hasty=True)
        self._hasty = sessionmaker(hasty, expire_on_commit=False)
        self._standing = StandingConnection(self.engine)
        self._patient = patient
        self._group = GroupCommit(self.begin, self.now)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the embedded database."""
        return self.engine.dialect.name == "sqlite"

    def _reading(self) -> dict[str, Any]:
        """How connections read. On PostgreSQL each statement is a transaction of its own.

        It sees there what it would see between BEGIN and COMMIT (read committed), without two more round trips.
        """
        return {"aigc_read_only": True} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}

    @contextmanager
    def begin(self, durable: bool = True) -> Iterator[Session]:
        """A short writing transaction: committed at the end of the block, rolled back by an exception.

        Args:
            durable: Whether it must survive a power cut. On SQLite, one that need not does not wait for the
                disk; a crash of the program loses nothing either way, and what is committed later never survives
                without it. PostgreSQL has no such mode: without the wait, its own crash would lose the commit.
        """
        with (self._write if durable else self._hasty).begin() as session:
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only reads; it never waits for a writer, and on SQLite sees one state throughout."""
        with self._read.begin() as session:
            yield session

    def glance(self, statement: Select[*Columns], values: Mapping[str, Any]) -> Sequence[Row[*Columns]]:
        """The rows of one small statement that is asked again and again.

        On PostgreSQL over a connection that is kept for that, which takes a third of the time of a transaction.
        """
        if self.is_sqlite:
            with self.read() as session:
                return session.connection().execute(statement, values).all()
        return self._standing.rows(statement, values)

    def transact(self, work: Callable[[Session, datetime], T]) -> T:
        """Run a short writing transaction, again from its start when a neighbour was in its way.

        That is: it wrote the same unique value first, or each held a row that the other wanted. On SQLite, which
        has one writer at a time, the transactions of several threads are committed together.
        """
        for _ in range(RACES - 1):
            try:
                return self._once(work)
            except IntegrityError:
                continue
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != DEADLOCK:
                    raise
        return self._once(work)

    def later(self, work: Callable[[Session, datetime], object]) -> None:
        """Write what nobody waits for, and what may be lost: along with the next transaction, or soon."""
        if self._patient:
            self._group.later(work)
        else:
            self._once(work)

    def now(self, session: Session) -> datetime:
        """The database's clock, the only one leases are reckoned by (the host's, on SQLite)."""
        if self._clock is not None:
            return self._clock()
        if self.is_sqlite:
            return datetime.now(UTC)
        moment: datetime = session.execute(text("select clock_timestamp()")).scalar_one()
        return moment.astimezone(UTC)

    def _once(self, work: Callable[[Session, datetime], T]) -> T:
        if self.is_sqlite:
            done: T = self._group.run(work)
            return done
        with self.begin() as session:
            return work(session, self.now(session))

    def insert(self, table: type[DeclarativeBase]) -> Any:
        """An INSERT that knows ``on_conflict_do_update`` and ``on_conflict_do_nothing`` on this database."""
        rows: Any = table.__table__
        if self.is_sqlite:
            from sqlalchemy.dialects.sqlite import insert
        else:  # two megabytes that an embedded installation can do without
            from sqlalchemy.dialects.postgresql import insert  # type: ignore[assignment]
        return insert(rows)

    def dispose(self) -> None:
        """Close all connections."""
        self._standing.close()
        self.engine.dispose()


def _engine(url: str) -> Engine:
    if url.startswith("sqlite"):
        engine = create_engine(url, pool_size=8, max_overflow=56, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
        event.listen(engine, "connect", _sqlite_pragmas)
        event.listen(engine, "begin", _sqlite_begin)
        return engine
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=CONNECTIONS,  # all are kept: to make one anew costs more than what most requests ask
        max_overflow=0,
        connect_args={"connect_timeout": 5, "options": POSTGRES_OPTIONS, **POSTGRES_KEEPALIVE},
    )


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event below says how transactions start
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_size_limit=67108864",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Any) -> None:
    options = connection.get_execution_options()
    reads, hasty = options.get("aigc_read_only"), options.get("aigc_hasty", False)
    if not reads and connection.info.get("hasty", False) != hasty:
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if hasty else 'FULL'}")
        connection.info["hasty"] = hasty
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
