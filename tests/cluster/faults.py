"""Faults at random, under load: whatever of the cluster can break breaks for a moment."""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import httpx
import psutil

from tests.cluster.topology import Cluster, Host

AHEAD = 6  # jobs that wait or run at any time
AWAY = (httpx.TransportError, httpx.HTTPStatusError)


class Storm:
    """Strikes again and again, and keeps jobs coming.

    Args:
        cluster: What is struck.
        dice: Decides what, whom and for how long.
    """

    def __init__(self, cluster: Cluster, dice: random.Random) -> None:
        self._cluster, self._dice = cluster, dice
        self.struck: Counter[str] = Counter()
        self._jobs: list[str] = []
        self._kinds: dict[str, Callable[[], None]] = {
            "host cut off": self._cut, "slot killed": self._kill_slot, "runner killed": self._kill_runner,
            "slot frozen": self._freeze, "broker killed": cluster.restart_valkey, "store away": self._stop_store,
            "database crashed": self._crash_database, "scheduler killed": self._kill_scheduler,
            "host killed": self._kill_host,
        }  # fmt: skip

    def strike(self, faults: int) -> list[str]:
        """Inject so many faults; gives the jobs that came meanwhile."""
        deck = list(self._kinds)
        while sum(self.struck.values()) < faults:
            self._keep_up()
            name = deck[sum(self.struck.values())] if sum(self.struck.values()) < len(deck) else self._dice.choice(deck)
            with suppress(psutil.NoSuchProcess):
                self._kinds[name]()
                self.struck[name] += 1
                print(f"{sum(self.struck.values()):5d} {name}", flush=True)
            time.sleep(self._dice.uniform(0.1, 0.8))
        return self._jobs

    def _keep_up(self) -> None:
        """Submit jobs where few are left. A submission without an answer may have been accepted, and is not counted."""
        with suppress(*AWAY):
            reply = self._cluster.http.get("/api/v1/jobs", params={"state": ["queued", "running"], "limit": 20})
            for number in range(AHEAD - len(reply.raise_for_status().json()["data"])):
                task = ("train", "evaluate")[number % 2]
                self._jobs.append(self._cluster.submit(task, steps=self._dice.randint(5, 60), delay=0.02))

    def _host(self) -> Host:
        return self._dice.choice(self._cluster.hosts)

    def _processes(self, word: str) -> list[psutil.Process]:
        found = []
        for process in psutil.Process(self._host().pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if any(word in part for part in process.cmdline()):
                    found.append(process)
        if not found:
            raise psutil.NoSuchProcess(0)
        return found

    def _cut(self) -> None:
        host = self._host()
        host.cut()
        time.sleep(self._dice.choice((0.5, 2, 6)))
        host.mend()

    def _kill_slot(self) -> None:
        self._dice.choice(self._processes("celery")).kill()

    def _kill_runner(self) -> None:
        self._dice.choice(self._processes("worker.runner")).kill()

    def _freeze(self) -> None:
        slot = self._dice.choice(self._processes("celery"))
        slot.send_signal(signal.SIGSTOP)
        time.sleep(self._dice.choice((1, 5)))
        slot.send_signal(signal.SIGCONT)

    def _crash_database(self) -> None:
        self._cluster.postgres.crash()
        time.sleep(self._dice.uniform(0.1, 1.5))
        self._cluster.postgres.start()

    def _stop_store(self) -> None:
        self._cluster.objects.stop()
        time.sleep(self._dice.uniform(0.1, 2))
        self._cluster.objects.again()

    def _kill_scheduler(self) -> None:
        self._cluster.scheduler.kill()
        self._cluster.scheduler.start()

    def _kill_host(self) -> None:
        host = self._host()
        host.kill()
        host.start()
