"""The handful of things every entry point needs, built once per process and after the last fork."""

from dataclasses import dataclass, field

from jobs.artifacts import ArtifactStore, LocalStore
from jobs.db import Database
from jobs.dispatch import CeleryDispatcher, Dispatcher
from jobs.settings import Settings
from jobs.tracing import Off, Tracing, open_tracing


@dataclass(frozen=True)
class Engine:
    """What reads, writes, stores and announces jobs."""

    settings: Settings
    db: Database
    store: ArtifactStore
    dispatcher: Dispatcher
    tracing: Tracing = field(default_factory=Off)


def open_engine(
    settings: Settings, role: str = "command", *, patient: bool = False, store_patience: float | None = None
) -> Engine:
    """Build the parts; nothing connects before it is used.

    Args:
        settings: What the operator set.
        role: What this process is, for traces.
        patient: Whether writes that nobody waits for may wait for company, as they do where many submit.
        store_patience: Seconds for which a store that does not answer is tried; a few if not given.
    """
    return Engine(
        settings=settings,
        db=Database(settings.sql_url, patient=patient),
        store=open_store(settings, store_patience),
        dispatcher=CeleryDispatcher(settings),
        tracing=open_tracing(settings, role),
    )


def open_store(settings: Settings, patience: float | None = None) -> ArtifactStore:
    """Where files are kept: a bucket if the operator named one, else a directory."""
    if not settings.store_url:
        return LocalStore(settings.artifacts, settings.min_free_disk)
    from jobs.object_store import PATIENCE, ObjectStore  # with what an embedded installation can do without

    return ObjectStore(settings, PATIENCE if patience is None else patience)
