"""Looks twice a second whether a lease has run out that nobody has reaped, while somebody could have."""

import threading
import time
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs.engine import Engine, open_engine
from jobs.tables import Job
from tests.chaos.stack import Stack

SECONDS = 0.5


class Monitor:
    """A thread with connections of its own, so that it sees the database as anybody would."""

    def __init__(self, stack: Stack) -> None:
        self.most_overdue = 0.0
        self._stack = stack
        self._engine: Engine = open_engine(stack.settings)
        self._stop = threading.Event()
        self._back_at = 0.0
        self._thread = threading.Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> "Monitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)
        self._engine.db.dispose()

    def _run(self) -> None:
        while not self._stop.wait(SECONDS):
            try:
                now, first = self._oldest()
            except SQLAlchemyError:
                self._back_at = time.monotonic()
                continue
            if first is not None and first < now:
                self._note((now - first).total_seconds())

    def _oldest(self) -> tuple[datetime, datetime | None]:
        oldest = select(Job.lease_until).where(Job.status == "running").order_by(Job.lease_until).limit(1)
        with self._engine.db.read() as session:
            first = session.scalar(oldest)
            return self._engine.db.now(session), first

    def _note(self, overdue: float) -> None:
        """A scheduler waits one lease after its start, and after the database was away: that is not its delay."""
        since = max(self._stack.reaps_from(), self._back_at + self._stack.settings.lease_seconds)
        self.most_overdue = max(self.most_overdue, min(overdue, time.monotonic() - since))
