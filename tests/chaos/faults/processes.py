"""Processes that are killed, frozen or told to go."""

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import select

from jobs.tables import FINAL, Attempt, Job, JobEvent
from tests.chaos import failpoints
from tests.chaos.field import Field, NotNow
from tests.chaos.processes import GONE, Process, Worker

CROWD = 8  # jobs that share a call which is broken
DRAIN_SECONDS = 15.0
GONE_SECONDS = 5.0  # two are enough on a machine that is not busy
MOST_FROZEN = 2
REACH_SECONDS = 20.0  # what is not reached by then is disarmed, and does not count as a fault
MOST_FREEZE = 3.0  # leases
LONGEST_FREEZE = 5.0  # where it lasts until the job is somebody else's, who may have to wait for a scheduler


def kill_runner(field: Field) -> None:
    """A crash, or the kernel's out-of-memory killer, takes a process that holds torch."""
    number = field.rng.choice([signal.SIGKILL, signal.SIGSEGV])
    _signal(field, [pid for worker in _free(field) for pid in worker.runners()], number)


def kill_runner_in_call(field: Field) -> None:
    """A runner is killed in the middle of a call that several jobs share, each of which must go on by itself."""
    jobs = [field.load.share(steps=80, seed=seed) for seed in range(CROWD)]

    def struck() -> bool:
        rows = [field.load.job(job) for job in jobs]
        for worker in {row.worker_id for row in rows if row.status == "running"}:
            inside = [row for row in rows if row.worker_id == worker and row.status == "running" and row.step > 0]
            runner = _runner_of(field, inside[0].id) if len(inside) > 1 else None
            if runner is not None:
                with contextlib.suppress(*GONE):
                    runner.kill()
                    field.injected.update(["kill_runner_in_call"])
                return True
        return all(row.status in FINAL for row in rows)

    field.expect("no_shared_call", float("inf"), struck)


def kill_slot(field: Field) -> None:
    """The supervisor of a slot dies, and its runner with it; the launcher starts another."""
    slots = [pid for worker in _free(field) for pid in worker.slots()]
    if not slots:
        raise NotNow("slot")
    pid = field.rng.choice(slots)
    field.note_deaths(field.running([pid]))
    _signal(field, [pid], signal.SIGKILL)


def kill_worker(field: Field) -> None:
    """A launcher dies with all below it, as when a host goes away, and comes back; no runner may be left."""
    worker = field.take_worker()
    field.give_back(worker.name)
    field.note_deaths(field.running(worker.slots()))
    below = worker.below()
    worker.kill()
    field.expect("runner_left_behind", GONE_SECONDS, lambda: not any(map(runs, below)))
    worker.launch()


def kill_at(point: str) -> Callable[[Field], None]:
    """A supervisor dies at a named moment, with something half done."""

    def fault(field: Field) -> None:
        name = f"kill_{point}"
        field.take("kill_point")
        armed = field.stack.trap.arm(point, failpoints.KILL)
        _when_reached(field, armed, lambda: field.injected.update([name]))

    fault.__name__ = f"kill_{point}"
    return fault


def freeze_worker(field: Field) -> None:
    """A whole worker stands still for half a lease to three, as a paused machine does, and goes on."""
    worker = field.take_worker()
    if not worker.slots():
        field.give_back(worker.name)
        raise NotNow("slot")
    frozen = worker.freeze()

    def thaw() -> None:
        _resume(frozen)
        field.give_back(worker.name)

    field.heal(field.rng.uniform(0.5, MOST_FREEZE) * field.lease_seconds, thaw)


def freeze_before_success(field: Field) -> None:
    """A supervisor stands still just before it commits a success, until somebody else has the job: it must be refused.

    Its worker is not spared by other faults, as nobody knows beforehand which one it will be.
    """
    if field.frozen >= MOST_FROZEN:
        raise NotNow("freeze")
    field.take("freeze")
    armed = field.stack.trap.arm("before_success", failpoints.FREEZE)
    since = time.monotonic()

    def frozen() -> bool:
        for pid, lease in field.stack.trap.frozen():
            field.injected.update(["freeze_before_success"])
            field.give_back("freeze")
            field.frozen += 1
            field.expect("frozen_for_ever", float("inf"), _thaw_when_taken(field, pid, lease))
            return True
        waited = time.monotonic() - since
        if waited < REACH_SECONDS:
            return False
        armed.unlink(missing_ok=True)
        if waited < REACH_SECONDS + 1:  # somebody may just be reaching it
            return False
        field.give_back("freeze")
        return True

    field.expect("frozen_and_forgotten", float("inf"), frozen)


def drain_worker(field: Field) -> None:
    """SIGTERM under load, and a new worker: its jobs are given back with a checkpoint, none has failed for it."""
    if field.frozen or not all(worker.ready for worker in field.stack.workers):
        raise NotNow("freeze")  # a process that stands still hears no SIGTERM, nor does one that is just starting
    field.take("freeze")
    try:
        restart(field, field.take_worker())
    except NotNow:
        field.give_back("freeze")
        raise


def restart(field: Field, worker: Worker) -> None:
    """Drain a worker that is reserved, look at what became of its jobs, and start it again."""
    leases, since = field.running(worker.slots()), time.monotonic()
    worker.send(signal.SIGTERM)
    # A database that goes away meanwhile is waited for: the end of an attempt must be written down.
    most = DRAIN_SECONDS if field.stack.postgres is None else 2 * DRAIN_SECONDS

    def stopped() -> bool:
        took = time.monotonic() - since
        if worker.alive and took < 2 * most:
            return False
        field.promise("slow_drain", took < most and not worker.alive)
        field.figures["drain"].append(took)
        worker.kill()
        worker.launch()
        for name in (worker.name, "freeze"):
            field.give_back(name)
        field.later(0.0, lambda: field.promise("failed_by_a_drain", not _failed(field, leases)))
        return True

    field.expect("drain_unseen", float("inf"), stopped)


def starve_runner(field: Field) -> None:
    """A runner may take no more memory: the job says so, its worker lives, and the next attempt succeeds.

    It counts where the fault is told by its name; another fault may take the attempt before.
    """
    gate, once = (field.stack.home / f"{name}-{field.rng.randrange(10**9)}" for name in ("gate", "once"))
    params: dict[str, Any] = {"gate": str(gate), "fault": "hunger", "once": str(once), "steps": 4, "delay": 0.0}
    job = field.load.walk(**params)

    def limited() -> bool:
        row = field.load.job(job)
        if row.status in FINAL:
            return True
        runner = _runner_of(field, job) if row.status == "running" and row.step >= 2 else None
        if runner is None:
            return False
        with contextlib.suppress(*GONE):
            most = runner.memory_info().vms + 2**27
            runner.rlimit(psutil.RLIMIT_AS, (most, most))
            gate.touch()
            field.expect("memory_fault_unseen", float("inf"), told)
            return True
        return False

    def told() -> bool:
        with field.engine.db.read() as session:
            ended = session.execute(
                select(Attempt.outcome, Attempt.failure_code).where(Attempt.job_id == job, Attempt.outcome.is_not(None))
            ).all()
        if any(code == "host_out_of_memory" for _, code in ended):
            field.injected.update(["starve_runner"])
            return True
        return field.load.job(job).status == "succeeded" and len(ended) > 1

    field.expect("no_hungry_runner", float("inf"), limited)


def kill_scheduler(field: Field) -> None:
    """The only scheduler dies and comes back."""
    field.take("scheduler")
    for scheduler in field.stack.schedulers:
        scheduler.kill()
    field.stack.schedulers.clear()
    field.stack.scheduler()
    field.give_back("scheduler")


def add_schedulers(field: Field) -> None:
    """Three schedulers at once for a few leases, then two of them die."""
    field.take("scheduler")
    added = [field.stack.scheduler() for _ in range(2)]
    field.heal(field.rng.uniform(1, 3) * field.lease_seconds, lambda: _end(field, added))


def step_clock(field: Field) -> None:
    """A scheduler whose clock is an hour ahead: at worst attempts are given up early; nothing ends twice."""
    library = clock_library()
    if library is None:
        raise NotNow("libfaketime")
    field.take("scheduler")
    sooner = {"LD_PRELOAD": str(library), "FAKETIME": "+1h", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    added = [field.stack.scheduler(**sooner)]
    field.heal(2 * field.lease_seconds, lambda: _end(field, added))


def clock_library() -> Path | None:
    """Where Debian's package libfaketime puts its library."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def _end(field: Field, schedulers: Sequence[Process]) -> None:
    for scheduler in schedulers:
        scheduler.kill()
        field.stack.schedulers.remove(scheduler)
    field.give_back("scheduler")


def _free(field: Field) -> list[Worker]:
    return [worker for worker in field.stack.workers if worker.name not in field.taken]


def _signal(field: Field, pids: Sequence[int], number: signal.Signals) -> None:
    if not pids:
        raise NotNow("process")
    with contextlib.suppress(ProcessLookupError):
        os.kill(field.rng.choice(list(pids)), number)


def _when_reached(field: Field, armed: Path, done: Callable[[], object]) -> None:
    since = time.monotonic()

    def reached() -> bool:
        if not armed.exists():
            done()
        elif time.monotonic() < since + REACH_SECONDS:
            return False
        else:
            armed.unlink(missing_ok=True)
        field.give_back("kill_point")
        return True

    field.expect("kill_point_unseen", float("inf"), reached)


def _thaw_when_taken(field: Field, pid: int, lease: str) -> Callable[[], bool]:
    """Let a frozen process go on once its lease is nobody's, and after a few leases in any case."""
    woken = threading.Event()

    def wake() -> None:
        if not woken.is_set():
            woken.set()
            field.frozen -= 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def taken() -> bool:
        with field.engine.db.read() as session:
            held = session.scalar(select(Job.id).where(Job.lease_id == lease))
        if held is None:
            wake()
        return woken.is_set()

    field.heal(LONGEST_FREEZE * field.lease_seconds, wake)  # it may hold a lock that the run itself waits for
    return taken


def _resume(frozen: Sequence[psutil.Process]) -> None:
    for process in frozen:
        with contextlib.suppress(*GONE):
            process.resume()


def _failed(field: Field, leases: Sequence[str]) -> list[tuple[str, str | None]]:
    """Jobs whose attempt has failed, with its code; they are printed, as the code says what it failed of."""
    bad = select(Attempt.job_id, Attempt.failure_code)
    bad = bad.where(Attempt.lease_id.in_(leases), Attempt.outcome.in_(["retried", "failed"]))
    with field.engine.db.read() as session:
        found = [(job, code) for job, code in session.execute(bad)]
    if found:
        print(f"failed while their worker was drained: {found}", file=sys.stderr)
    return found


def _runner_of(field: Field, job: str) -> psutil.Process | None:
    """The runner that works on a job: the one with the process id that the toy has logged last."""
    pid = last_pid(field, job)
    here = {each for worker in field.stack.workers for each in worker.runners()}
    return psutil.Process(pid) if pid in here else None


def last_pid(field: Field, job: str) -> int | None:
    """The process id that a toy has logged last."""
    with field.engine.db.read() as session:
        rows = select(JobEvent.data).where(JobEvent.job_id == job, JobEvent.kind == "log").order_by(JobEvent.seq)
        said = [str(data["message"]).split() for data in session.scalars(rows)]
    return next((int(words[1]) for words in reversed(said) if words[0] == "pid"), None)


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except GONE:
        return False
