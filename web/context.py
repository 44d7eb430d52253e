"""What a request works with: the engine, the caller, and the reads the caller may do."""

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask, current_app, g

from jobs.engine import Engine
from jobs.group_read import GroupRead
from jobs.moment import Moment
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.settings import Settings
from jobs.tokens import verify_together
from jobs.versions import Versions, read_together
from web.waiting import Budget


@dataclass
class Process:
    """What the requests of one process share.

    Attributes:
        settings: What the operator set.
        engine: Database, store and dispatcher.
        streams: Threads that event streams may hold.
        waits: Threads that long polls may hold.
        stopping: Whether the server is shutting down; streams and long polls then end.
        moment: What requests read of the whole installation, for about a second.
        told: The ETags that waiting jobs had some seconds ago.
        versions: The versions that jobs have now, read for all who ask at the same time.
        tokens: The callers behind tokens, as well.
    """

    settings: Settings
    engine: Engine
    streams: Budget
    waits: Budget
    stopping: Callable[[], bool] = field(default=lambda: False)
    moment: Moment = field(default_factory=Moment)
    told: Moment = field(default_factory=Moment)
    versions: Versions = field(init=False)
    tokens: GroupRead[str, Principal] = field(init=False)

    def __post_init__(self) -> None:
        self.versions = read_together(self.engine.db)
        self.tokens = verify_together(self.engine)


def init_app(app: Flask, settings: Settings, engine: Engine) -> None:
    """Attach the process's parts to the application."""
    threads = settings.web_threads
    app.extensions["aigc"] = Process(
        settings, engine, streams=Budget(max(1, threads // 2)), waits=Budget(max(1, threads // 4))
    )


def process() -> Process:
    """The parts all requests share."""
    shared: Process = current_app.extensions["aigc"]
    return shared


def settings() -> Settings:
    """What the operator set."""
    return process().settings


def engine() -> Engine:
    """Database, store and dispatcher."""
    return process().engine


def principal() -> Principal:
    """Who asks. Set by :mod:`web.auth` before any view runs."""
    who: Principal = g.principal
    return who


def repository() -> Repository:
    """The reads the caller may do: only the caller's tenant is visible through it."""
    if "repository" not in g:
        g.repository = Repository(engine(), principal(), process().moment)
    found: Repository = g.repository
    return found


def request_id() -> str:
    """The id of this request, for the reply, the log and the error page."""
    return str(g.get("request_id", ""))
