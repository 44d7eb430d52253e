"""What a fault gets to work with: the stack, the load, chance, and lists of what is to be done and seen later."""

import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from jobs.engine import Engine
from jobs.tables import Job, WorkerNode
from tests.chaos.load import Load
from tests.chaos.processes import Worker
from tests.chaos.stack import Stack


class NotNow(Exception):
    """What the fault would strike is under another one at the moment; choose another fault."""


@dataclass
class Pending:
    """Something that must come true: looked at again and again, and a broken promise after its time."""

    name: str
    check: Callable[[], bool]
    deadline: float


class Healer:
    """Ends faults after their time, in a thread of its own: the run itself may just be waiting for what is broken."""

    def __init__(self) -> None:
        self._due: list[tuple[float, Callable[[], object]]] = []
        self._lock = threading.Lock()
        self.failure: BaseException | None = None
        threading.Thread(target=self._run, name="healer", daemon=True).start()

    @property
    def idle(self) -> bool:
        """Whether nothing is left to be mended."""
        return not self._due

    def at(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after a time."""
        with self._lock:
            self._due.append((time.monotonic() + seconds, action))

    def _run(self) -> None:
        while self.failure is None:
            for item in [item for item in self._due if item[0] <= time.monotonic()]:
                try:
                    item[1]()
                except Exception as error:  # noqa: BLE001 - raised by the run's own thread
                    self.failure = error
                with self._lock:
                    self._due.remove(item)
            time.sleep(0.02)


@dataclass
class Field:
    """One run's state.

    Attributes:
        injected: Faults by name.
        broken: Promises that a fault found broken, by name.
        figures: Seconds measured, by name.
        deaths: Lease and moment of each supervisor that the run has killed.
        cancels: Requests to cancel that were accepted.
        frozen: Processes that stand still at a fail-point.
    """

    stack: Stack
    engine: Engine
    load: Load
    rng: random.Random
    injected: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    deaths: list[tuple[str, float]] = field(default_factory=list)
    pending: list[Pending] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    cancels: int = 0
    frozen: int = 0
    healer: Healer = field(default_factory=Healer)

    @property
    def lease_seconds(self) -> float:
        """How long a lease holds in this run."""
        return self.engine.settings.lease_seconds

    def take(self, name: str) -> None:
        """Reserve something for one fault until :meth:`give_back`.

        Raises:
            NotNow: Another fault has it.
        """
        if name in self.taken:
            raise NotNow(name)
        self.taken.add(name)

    def give_back(self, name: str) -> None:
        """Let other faults have it."""
        self.taken.discard(name)

    def take_worker(self) -> Worker:
        """Reserve a worker that runs.

        Raises:
            NotNow: All are under another fault.
        """
        free = [worker for worker in self.stack.workers if worker.name not in self.taken and worker.alive]
        if not free:
            raise NotNow("worker")
        chosen = self.rng.choice(free)
        self.take(chosen.name)
        return chosen

    def heal(self, seconds: float, action: Callable[[], object]) -> None:
        """End a fault after a time, whatever the run is busy with."""
        self.healer.at(seconds, action)

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something after a time."""
        due = time.monotonic() + seconds

        def check() -> bool:
            if time.monotonic() < due:
                return False
            action()
            return True

        self.pending.append(Pending("later", check, float("inf")))

    def expect(self, name: str, within: float, check: Callable[[], bool]) -> None:
        """Note a broken promise unless something comes true in time."""
        self.pending.append(Pending(name, check, time.monotonic() + within))

    def promise(self, name: str, kept: bool) -> None:
        """Note a broken promise unless it was kept."""
        if not kept:
            self.broken[name] += 1

    def look(self) -> None:
        """Look at all that is pending once."""
        if self.healer.failure is not None:
            raise RuntimeError("a fault could not be ended") from self.healer.failure
        for item in list(self.pending):
            try:
                done = item.check()
            except SQLAlchemyError:  # the database is away: look again
                done = False
            if not done and time.monotonic() > item.deadline:
                self.broken[item.name] += 1
                done = True
            if done:
                self.pending.remove(item)

    def wait(self, seconds: float) -> None:
        """Let time pass, looking at what is pending."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.look()
            time.sleep(min(left, 0.1))

    def running(self, pids: Sequence[int]) -> list[str]:
        """Leases of the jobs that some slots work on."""
        held = select(Job.lease_id).join(WorkerNode, WorkerNode.id == Job.worker_id)
        try:
            with self.engine.db.read() as session:
                found = session.scalars(held.where(Job.status == "running", WorkerNode.pid.in_(pids)))
                return [lease for lease in found if lease is not None]
        except SQLAlchemyError:
            return []

    def note_deaths(self, leases: Sequence[str]) -> None:
        """Remember when the holders of leases were killed."""
        self.deaths += [(lease, time.time()) for lease in leases]
