"""One run on one database: a queue that is never empty, faults at random moments, then the verdict."""

import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.chaos import verdict
from tests.chaos.faults import FAULTS, SHORT_POSTGRESQL, SQLITE, Fault, not_run
from tests.chaos.faults.processes import restart
from tests.chaos.field import Field, NotNow
from tests.chaos.load import POISONED, Load
from tests.chaos.monitor import Monitor
from tests.chaos.processes import NotReady
from tests.chaos.stack import standing

MISSING_SECONDS = 8.0  # a launcher that waits longer than that to start a slot again is restarted
DUE_SECONDS, DUE_SECONDS_PER_JOB = 60.0, 5.0  # after the last fault, when everything must be final
PATIENCE = 120.0  # without any job getting final: then the rest is stuck
HEAL_SECONDS = 120.0
POISON_LOSSES = 3
REAL_FROM = 100  # faults: a shorter run has no time to train real models


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked for.

    Attributes:
        faults: How many; in the short form, each cheap kind once.
        pace: Longest pause between two faults, in seconds.
        only: Names of the kinds of faults; all kinds when empty.
    """

    faults: int
    seed: int
    database: str
    timing: str = "fast"
    pace: float = 1.0
    short: bool = False
    only: tuple[str, ...] = ()


def run(order: Order, home: Path) -> dict[str, Any]:
    """Do it all, and say how it went."""
    print(f"chaos on {order.database}, seed {order.seed}", flush=True)
    started = time.monotonic()
    with standing(home, order.timing, order.database) as (stack, engine):
        rng = random.Random(order.seed)
        field = Field(stack, engine, Load(engine, rng, real=order.faults >= REAL_FROM), rng)
        with Monitor(stack) as monitor:
            field.load.prepare()
            Chaos(field, order).strike_all()
            _settle(field)
            poisoned = _poison(field, 0 if order.short or order.only else max(1, order.faults // 100))
            _settle(field)
        result = _conclude(field, order, monitor.most_overdue)
    return result | {"poisoned": poisoned, "seconds": round(time.monotonic() - started, 1)}


class Chaos:
    """Strikes again and again, in an order that the seed decides."""

    def __init__(self, field: Field, order: Order) -> None:
        self.field, self.order = field, order
        self._missing_since: dict[str, float] = {}

    def strike_all(self) -> None:
        """Inject the faults."""
        for fault in self._plan():
            self.field.wait(self.field.rng.uniform(0.05, self.order.pace))
            _keep_up(self.field, self._missing_since)
            self.field.load.top_up()
            self._strike(fault)

    def _plan(self) -> Iterator[Fault]:
        """Each kind once, in random order; then by weight, until enough faults have come about."""
        here = [fault for fault in FAULTS if self.order.database in fault.databases]
        if self.order.short:
            here = [fault for fault in here if not fault.slow]
            if self.order.database != SQLITE:
                here = [fault for fault in here if fault.name in SHORT_POSTGRESQL]
        if self.order.only:
            here = [fault for fault in here if fault.name in self.order.only]
        deck = self.field.rng.sample(here, len(here))
        yield from deck if self.order.short else deck[: self.order.faults]
        while not self.order.short and self.struck < self.order.faults:
            yield self.field.rng.choices(here, [fault.weight for fault in here])[0]

    @property
    def struck(self) -> int:
        """Faults that have come about."""
        return self.field.injected.total()

    def _strike(self, fault: Fault) -> None:
        # In the short form each kind has its turn; else another fault is chosen at once.
        for _ in range(100 if self.order.short else 1):
            try:
                fault.strike(self.field)
            except NotNow:
                self.field.wait(0.2)
                continue
            if not fault.counts_itself:
                self.field.injected[fault.name] += 1
            print(f"{self.struck:5d} {fault.name}", flush=True)
            return


def _keep_up(field: Field, missing_since: dict[str, float]) -> None:
    """See that the stack is whole: a launcher whose slots died often waits long before it starts them again.

    Raises:
        NotReady: A launcher has ended by itself.
    """
    now = time.monotonic()
    for worker in field.stack.workers:
        if worker.name in field.taken:
            missing_since.pop(worker.name, None)
        elif not worker.alive:
            raise NotReady(f"{worker.name} ended by itself; see {worker.log}")
        elif len(worker.slots()) == len(worker.lanes):
            missing_since.pop(worker.name, None)
        elif now - missing_since.setdefault(worker.name, now) > MISSING_SECONDS:
            missing_since.pop(worker.name)
            field.note_deaths(field.running(worker.slots()))
            worker.kill()
            worker.launch()


def _settle(field: Field) -> None:
    """Wait until faults are over and every job is final, as long as some job still gets on; note when all is due."""
    end = time.monotonic() + HEAL_SECONDS
    while not field.healer.idle and time.monotonic() < end:
        field.wait(0.2)
    left = field.load.unfinished()
    with field.engine.db.read() as session:
        due = field.engine.db.now(session) + timedelta(seconds=DUE_SECONDS + DUE_SECONDS_PER_JOB * left)
    field.load.due |= dict.fromkeys(field.load.accepted.keys() - field.load.due.keys(), due)
    end = time.monotonic() + PATIENCE
    missing: dict[str, float] = {}
    while (left or field.pending) and time.monotonic() < end:
        field.wait(0.3)
        _keep_up(field, missing)
        if (now := field.load.unfinished()) < left:
            end, left = time.monotonic() + PATIENCE, now


def _poison(field: Field, count: int) -> int:
    """Jobs whose runner kills its supervisor: each is given up after exactly three, and harms no other job."""
    if not count:
        return 0
    for scheduler in field.stack.schedulers:
        scheduler.kill()
    field.stack.schedulers.clear()
    field.stack.scheduler(AIGC_MAX_WORKER_LOSSES=str(POISON_LOSSES)).wait_ready()
    poison = []
    for _ in range(count):
        for worker in field.stack.workers:  # a fresh launcher starts a killed slot again at once
            field.take(worker.name)
            restart(field, worker)
        _settle(field)
        poison.append(field.load.walk(POISONED, steps=4, fault="kill_parent"))
        for _ in range(3):
            field.load.submit_any()
        _settle(field)
    jobs = [field.load.job(job) for job in poison]
    field.promise("poison_not_given_up_after_three", all(job.worker_losses == POISON_LOSSES for job in jobs))
    return sum(job.status == "failed" for job in jobs)


def _conclude(field: Field, order: Order, most_overdue: float) -> dict[str, Any]:
    records = verdict.Records.read(field.engine)
    found = verdict.judge(field.engine, records, field.load.accepted, field.load.due)
    counts = found.counts()
    reaped, recovered = verdict.recoveries(records, [*field.deaths, *field.stack.trap.deaths()])
    cancels = verdict.cancel_times(records)
    counts["late"] += field.broken["lost_in_the_socket"]
    good = not any(counts.values()) and not field.broken and most_overdue <= verdict.MOST_OVERDUE
    if not good:
        verdict.keep(records, field.stack.home / "records.json")
        print(f"broken: {dict(field.broken)}; found: {found}; overdue: {most_overdue}", file=sys.stderr)
    return {
        "database": order.database,
        "seed": order.seed,
        "timing": order.timing,
        "faults": field.injected.total(),
        **counts,
        **verdict.refused(field.stack.trap.refusals()),
        "max_lease_overdue_s": round(most_overdue, 2),
        "reaped_p99_s": verdict.percentile(reaped),
        "recovery_p99_s": verdict.percentile(recovered),
        "recoveries": len(recovered),
        "cancel_p99_s": verdict.percentile(cancels),
        "cancels": field.cancels,
        "drain_max_s": _most(field.figures["drain"]),
        "brpop_max_s": _most(field.figures["brpop"]),
        "submit_without_broker_max_s": _most(field.figures["submit_without_broker"]),
        "jobs": len(field.load.accepted),
        "attempts": sum(map(len, records.attempts.values())),
        "by_fault": dict(sorted(field.injected.items())),
        "broken": dict(field.broken),
        "not_run": not_run(order.database),
        "store": "tmpfs" if field.stack.store_is_small else "fail-point",
        "good": good,
    }


def merge(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several runs as one: counts are added, and of what was measured the worst is told."""
    merged: dict[str, Any] = {}
    for key in results[0]:
        values = [result[key] for result in results]
        present = [value for value in values if value is not None]
        if key == "good":
            merged[key] = all(values)
        elif key in ("by_fault", "broken"):
            merged[key] = dict(sum((Counter(value) for value in values), Counter()))
        elif key == "not_run":
            merged[key] = {row: why for row, why in values[0].items() if all(row in value for value in values)}
        elif key.endswith("_s"):
            merged[key] = max(present, default=None)
        elif isinstance(values[0], int | float) and key != "seed":
            merged[key] = round(sum(present), 1)
        else:
            merged[key] = "+".join(dict.fromkeys(map(str, values)))
    return merged


def _most(values: Sequence[float]) -> float | None:
    return round(max(values), 2) if values else None
