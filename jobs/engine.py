"""The handful of things every entry point needs, built once per process and after the last fork."""

from dataclasses import dataclass

from jobs.artifacts import ArtifactStore, LocalStore
from jobs.db import Database
from jobs.dispatch import CeleryDispatcher, Dispatcher
from jobs.settings import Settings


@dataclass(frozen=True)
class Engine:
    """What reads, writes, stores and announces jobs."""

    settings: Settings
    db: Database
    store: ArtifactStore
    dispatcher: Dispatcher


def open_engine(settings: Settings, patient: bool = False) -> Engine:
    """Build the parts; nothing connects before it is used.

    Args:
        settings: What the operator set.
        patient: Whether writes that nobody waits for may wait for company, as they do where many submit.
    """
    return Engine(
        settings=settings,
        db=Database(settings.sql_url, patient=patient),
        store=LocalStore(settings.artifacts, settings.min_free_disk),
        dispatcher=CeleryDispatcher(settings),
    )
