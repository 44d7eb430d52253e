"""``python -m jobs.scheduler``: runs :mod:`jobs.maintenance` on time. Any number of them may run."""

import ctypes
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from jobs import collector, disk, graph, logs, maintenance, migrate, name_search, retention, tallies, workers
from jobs.engine import Engine, open_engine
from jobs.errors import NotFound
from jobs.program import here
from jobs.settings import Settings
from jobs.webhooks.courier import Courier

log = logging.getLogger("aigc.scheduler")

PR_SET_PDEATHSIG = 1
PRUNE_SECONDS = 60.0
SWEEP_SECONDS = 3600.0
FOLD_SECONDS = 10.0
STORED_SECONDS = 300.0
STOP_SECONDS = 2.0
KNOCK_SECONDS = 1.0


@dataclass
class Chore:
    """Something to do again and again; one that fails is tried at its next time and stops no other."""

    name: str
    work: Callable[[], object]
    seconds: float
    due: float = field(default=0.0)

    def run(self, now: float) -> None:
        """Do it if it is time."""
        if now < self.due:
            return
        self.due = now + self.seconds
        try:
            self.work()
        except OperationalError as error:
            log.warning("%s: the database did not answer: %s", self.name, error.orig)
        except Exception:
            log.exception("%s failed", self.name)


class Scheduler:
    """The loop: announce, reap, expire, unblock, tidy up, say that it lives."""

    def __init__(self, engine: Engine, stop: threading.Event) -> None:
        self._engine, self._stop = engine, stop
        self._id = workers.register(engine, "scheduler", None, None, None)
        self._courier = Courier(engine)
        every, reaper = engine.settings.reap_seconds, maintenance.Reaper(engine)
        now = time.monotonic()
        self._chores = (
            Chore("redispatch", lambda: maintenance.redispatch(engine), every),
            Chore("reap", reaper.tick, every),
            Chore("expire", lambda: maintenance.expire(engine), every),
            Chore("room", lambda: disk.end_waits(engine), every),
            Chore("unblock", lambda: graph.unblock(engine), every),
            Chore("rehome", lambda: maintenance.rehome(engine), engine.settings.redispatch_seconds),
            Chore("heartbeat", self._beat, engine.settings.heartbeat_seconds),
        )
        # What may take long must not keep an expired lease waiting.
        self._slow_chores = (
            Chore("prune", lambda: collector.prune(engine), PRUNE_SECONDS, now + PRUNE_SECONDS / 2),
            Chore("tallies", lambda: tallies.fold(engine), FOLD_SECONDS),
            Chore("stored", lambda: tallies.count_store(engine), STORED_SECONDS),
            Chore("names", lambda: name_search.extend(engine), PRUNE_SECONDS),
            Chore("retention", lambda: retention.apply(engine), SWEEP_SECONDS, now + PRUNE_SECONDS),
            Chore("sweep", lambda: collector.sweep(engine), SWEEP_SECONDS, now + SWEEP_SECONDS / 2),
        )

    def run(self) -> None:
        """Work until asked to stop, then sign off."""
        # A daemon: whatever it is at may be cut off at any moment.
        slow = threading.Thread(target=self._loop, args=(self._slow_chores,), name="storage", daemon=True)
        slow.start()
        self._courier.start()
        self._loop(self._chores)
        slow.join(STOP_SECONDS)
        self._courier.stop(STOP_SECONDS)  # what takes longer is repeated by another scheduler
        try:
            workers.leave(self._engine, self._id)
        except OperationalError as error:
            log.warning("Could not sign off: %s", error.orig)

    def _loop(self, chores: Sequence[Chore]) -> None:
        while not self._stop.is_set():
            for chore in chores:
                if not self._stop.is_set():
                    chore.run(time.monotonic())
            self._stop.wait(self._engine.settings.reap_seconds)

    def _beat(self) -> None:
        try:
            workers.beat(self._engine, self._id)
        except NotFound:
            self._id = workers.register(self._engine, "scheduler", None, None, None)


def die_with_parent() -> None:
    """End when whoever started this process does, if they asked for it."""
    if os.environ.get("AIGC_PARENT_DEATH") != "1" or sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        sys.exit(1)


def main() -> int:
    """Command line."""
    settings = Settings()
    logs.set_up(settings)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    die_with_parent()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        scheduler = prepare(open_engine(settings, "scheduler"), stop)
    except migrate.SchemaMismatch as error:
        print(here(f"The scheduler cannot start: {error}"), file=sys.stderr)
        return 1
    if scheduler is not None:
        print("ready scheduler", flush=True)
        scheduler.run()
    return 0


def prepare(engine: Engine, stop: threading.Event) -> Scheduler | None:
    """A scheduler, as soon as the database answers; None when it is to stop before.

    Giving up instead would leave the jobs of dead workers alone until somebody starts it again.

    Raises:
        SchemaMismatch: The database is of another version.
    """
    while not stop.is_set():
        try:
            migrate.check(engine.db)
            return Scheduler(engine, stop)
        except OperationalError as error:
            log.warning("The database does not answer; trying again in %g s: %s", KNOCK_SECONDS, error.orig)
            stop.wait(KNOCK_SECONDS)
    return None


if __name__ == "__main__":
    sys.exit(main())
