"""What the chaos run strikes at: two workers, a broker, schedulers, a database, and lines that can fail."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from jobs.engine import Engine, open_engine
from jobs.settings import Settings
from tests import servers
from tests.backends.proxy import Relay
from tests.chaos import failpoints
from tests.chaos.processes import Broker, Process, Worker, migrate
from tests.worker.toy_family.installation import install

ROOT = Path(__file__).parents[2]
STORE_BYTES = 256 * 2**20
# Fast clocks, so that a lost lease costs seconds; budgets out of the way, because here every sound
# job must survive however often it is hit.
FAST: dict[str, float] = {
    "heartbeat_seconds": 0.5,
    "lease_seconds": 4,
    "reap_seconds": 0.5,
    "redispatch_seconds": 2,
    "retry_seconds": 0.2,
    "checkpoint_seconds": 0.3,
}
TIMINGS: dict[str, dict[str, float]] = {"fast": FAST, "default": {}}
BUDGETS = {"max_app_failures": 1000, "max_worker_losses": 1000, "cpu_threads": 1, "min_free_disk": 0}


class Stack:
    """The processes of one run. The second worker sits behind relays, to broker and database.

    Args:
        home: Directory of all state.
        timing: ``fast``, or ``default`` for what the product ships.
        postgres: A running server of the run's own; SQLite when None.
    """

    def __init__(self, home: Path, timing: str = "fast", postgres: servers.Postgres | None = None) -> None:
        self.home, self.postgres, self.logs = home, postgres, home / "logs"
        for directory in (self.logs, home / "broker", home / "relay", home / "site"):
            directory.mkdir(parents=True)
        self.broker = Broker(home / "broker", self.logs / "broker.log", persistent=True)
        self.database_url = postgres.url(postgres.copy_of("template0")) if postgres else ""
        self.trap = failpoints.Trap(home / "failpoints")
        self.store_is_small = False
        self._environment = os.environ | {
            "AIGC_HOME": str(home),
            "AIGC_DATABASE_URL": self.database_url,
            "AIGC_REDIS_URL": f"redis+socket://{self.broker.socket}",
            "AIGC_PARENT_DEATH": "1",
            "PYTHONPATH": os.pathsep.join([str(self._site()), str(ROOT)]),
            **{f"AIGC_{name.upper()}": str(value) for name, value in (TIMINGS[timing] | BUDGETS).items()},
        }
        chosen: dict[str, Any] = {"home": home, "database_url": self.database_url, "min_free_disk": 0} | TIMINGS[timing]
        self.settings = Settings(**chosen, redis_url=self._environment["AIGC_REDIS_URL"])
        self.schedulers: list[Process] = []
        self.workers = [self._worker("worker-1", self._environment), self._worker("worker-2", self._relayed())]
        self.relays: list[Relay] = []
        self._undo = ExitStack()

    def _site(self) -> Path:
        site = install(self.home / "site")
        (site / "sitecustomize.py").write_text(failpoints.SITE)
        return site

    def _worker(self, name: str, environment: dict[str, str]) -> Worker:
        lanes = ("training", "generation") if name == "worker-1" else ("generation",)
        own = environment | {failpoints.VARIABLE: str(self.trap.directory)}
        return Worker(name, lanes, own, self.logs / f"{name}.log")

    def _relayed(self) -> dict[str, str]:
        relay = self.home / "relay"
        changed = {"AIGC_REDIS_URL": f"redis+socket://{relay / self.broker.socket.name}"}
        if self.postgres is not None:
            changed["AIGC_DATABASE_URL"] = self.postgres.url(self.database_url.split("@/")[1].split("?")[0], relay)
        return self._environment | changed

    def scheduler(self, **more: str) -> Process:
        """Start one more scheduler; the caller waits for it and ends it."""
        name = f"scheduler-{len(list(self.logs.glob('scheduler-*'))) + 1}"
        command = [sys.executable, "-m", "jobs.scheduler"]
        started = Process(name, command, self._environment | more, self.logs / f"{name}.log")
        started.launch()
        self.schedulers.append(started)
        return started

    def reaps_from(self) -> float:
        """From when on, by the monotonic clock, some scheduler takes jobs whose lease ran out; infinite if none lives.

        A scheduler waits one full lease after its start.
        """
        since = [each.ready_at for each in self.schedulers if each.alive and each.ready]
        return min(since, default=float("inf")) + self.settings.lease_seconds

    def __enter__(self) -> "Stack":
        with self._undo:
            self._undo.callback(self._stop)
            self.store_is_small = self._mount_store()
            migrate(self._environment)
            self.broker.start()
            self.relays.append(Relay(self.home / "relay", self.broker.directory, self.broker.socket.name))
            if self.postgres is not None:
                self.relays.append(Relay(self.home / "relay", self.postgres.directory))
            scheduler = self.scheduler()
            for worker in self.workers:
                worker.launch()
            for process in (scheduler, *self.workers):
                process.wait_ready()
            self._undo = self._undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def _stop(self) -> None:
        for process in (*self.workers, *self.schedulers, self.broker):
            process.kill()
        for relay in self.relays:
            relay.close()

    def _mount_store(self) -> bool:
        """Give the store a small file system of its own, which can be filled; whether that is permitted."""
        store = self.settings.artifacts
        store.mkdir(parents=True)
        libc = ctypes.CDLL(None, use_errno=True)
        options = f"size={STORE_BYTES}".encode()
        if sys.platform != "linux" or libc.mount(b"tmpfs", bytes(store), b"tmpfs", 0, options) != 0:
            return False
        self._undo.callback(lambda: libc.umount2(bytes(store), 2))  # 2: now, and for good once nobody uses it
        return True


@contextmanager
def standing(home: Path, timing: str, database: str) -> Iterator[tuple[Stack, Engine]]:
    """A running stack, and the engine of its user."""
    with ExitStack() as undo:
        server = undo.enter_context(servers.postgres()) if database == "postgresql" else None
        stack = undo.enter_context(Stack(home, timing, server))
        engine = open_engine(stack.settings)
        undo.callback(engine.db.dispose)
        yield stack, engine
