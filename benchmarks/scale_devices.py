"""One fake device against 64: real claims, heartbeats and ends in a real database, and jobs that sleep for a second.

``python -m benchmarks.scale_devices``: the last line is JSON. No model runs, so that the machine's cores do not matter:
what is measured is what the engine allows, with as many jobs a second as that many devices would ask for.

- ``efficiency_64``: jobs a second of 64 devices beside 64 times those of one. ``jobs_per_s_64`` of it.
- ``fairness_gap``: between ten owners whose jobs wait alike, the most and the fewest that ran, by their mean.
- ``claim_p95_ms_64``, ``database_cores_64``, ``scheduler_cores_64``, ``devices_cores_64``: what it took.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import func, insert, select

from jobs import migrate, workers
from jobs.claiming import WorkerIdentity, claim
from jobs.engine import open_engine
from jobs.ids import new_id
from jobs.lifecycle import Beat, Lease
from jobs.picking import NEVER
from jobs.settings import Settings
from jobs.tables import Job, OwnerTurn
from tests import servers

ROOT = Path(__file__).parents[1]
OWNERS, LANE, SECONDS_OF_A_JOB = 10, "generation", 1.0
PROCESSES = 4


@dataclass
class Seen:
    """What the devices of one process did."""

    ends: list[float] = field(default_factory=list)
    claims: list[float] = field(default_factory=list)
    owners: Counter[str] = field(default_factory=Counter)


def main() -> None:
    """Measure one and many, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    options = parser.parse_args()
    print(json.dumps(measure(options.devices, options.seconds, options.database)))


def measure(devices: int, seconds: float, kind: str) -> dict[str, Any]:
    """One device and many, each on a fresh database."""
    one = _run(1, seconds, kind)
    many = _run(devices, seconds, kind)
    efficiency = many["per_s"] / (devices * one["per_s"])
    said = {f"{name}_{devices}": value for name, value in many.items() if name not in ("per_s", "fairness_gap")}
    return {
        f"efficiency_{devices}": round(efficiency, 3),
        "fairness_gap": round(many["fairness_gap"], 4),
        "jobs_per_s_1": round(one["per_s"], 3),
        f"jobs_per_s_{devices}": round(many["per_s"], 2),
        "devices_database": kind,
        **said,
    }


def _run(devices: int, seconds: float, kind: str) -> dict[str, Any]:
    with _database(kind) as (url, server), tempfile.TemporaryDirectory(prefix="aigcdev") as directory:
        settings = Settings(home=Path(directory), database_url=url, min_free_disk=0)
        _fill(settings, int(devices * seconds * 2) + 100)
        scheduler = _start_scheduler(settings)
        parts = min(PROCESSES, devices)
        shares = [devices // parts + (number < devices % parts) for number in range(parts)]
        with get_context("spawn").Pool(parts) as pool:
            pool.map(_warm, [settings] * parts, chunksize=1)
            before = _cores(server, scheduler)
            began = time.perf_counter()
            seen = pool.starmap(_devices, [(settings, share, seconds) for share in shares], chunksize=1)
            passed = time.perf_counter() - began
            after = _cores(server, scheduler)
        scheduler.terminate()
        scheduler.wait()
    used = {name: round((after[name] - before[name]) / passed, 3) for name in before}
    return _told(seen) | used | {"devices_cores": round(sum(cpu for _, cpu in seen) / passed, 3)}


def _told(seen: Sequence[tuple[Seen, float]]) -> dict[str, Any]:
    """Jobs a second between the first end and the last, shares of owners, and how long claims took."""
    ends = sorted(end for each, _ in seen for end in each.ends)
    owners = sum((each.owners for each, _ in seen), Counter[str]())
    counts = [owners[f"owner-{number}"] for number in range(OWNERS)]
    claims = sorted(took for each, _ in seen for took in each.claims)
    # All begin at once, so ends come in waves: whole waves are counted, by the time from one to the next.
    rate = statistics.fmean(len(each) / span for each, span in _waves(seen))
    return {
        "per_s": rate * len(seen),
        "fairness_gap": (max(counts) - min(counts)) / statistics.fmean(counts),
        "claim_p95_ms": round(1000 * claims[int(0.95 * len(claims))], 2),
        "jobs": len(ends),
    }


def _waves(seen: Sequence[tuple[Seen, float]]) -> Iterator[tuple[list[float], float]]:
    for each, _ in seen:
        ends = sorted(each.ends)
        yield ends[1:], ends[-1] - ends[0]


def _devices(settings: Settings, count: int, seconds: float) -> tuple[Seen, float]:
    """So many devices as threads of this process; what they did, and the processor time of it."""
    engine, seen, lock = open_engine(settings), Seen(), threading.Lock()
    stop = time.perf_counter() + seconds
    cpu = time.process_time()

    def work() -> None:
        node = workers.register(engine, "worker", LANE, "fake", "cpu")
        me = WorkerIdentity(node, LANE, "cpu")
        while time.perf_counter() < stop:
            began = time.perf_counter()
            taken = claim(engine, me)
            took = time.perf_counter() - began
            if taken is None:
                continue
            lease = Lease(engine, taken)
            time.sleep(SECONDS_OF_A_JOB / 2)
            lease.beat(Beat(step=1, total=2))
            time.sleep(max(0.0, SECONDS_OF_A_JOB - (time.perf_counter() - began)))
            lease.succeed({}, [])
            with lock:
                seen.ends.append(time.perf_counter())
                seen.claims.append(took)
                seen.owners[taken.params["owner"]] += 1

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.db.dispose()
    return seen, time.process_time() - cpu


def _warm(settings: Settings) -> None:
    """Import everything, connect once."""
    engine = open_engine(settings)
    with engine.db.read() as session:
        session.scalar(select(func.count()).select_from(Job))
    engine.db.dispose()


def _fill(settings: Settings, count: int) -> None:
    """Jobs that wait, the same number of each owner, in turns."""
    engine = open_engine(settings)
    migrate.upgrade(engine.db)
    with engine.db.begin() as session:
        now = engine.db.now(session)
        rows = [_row(number, now - timedelta(seconds=count - number)) for number in range(count)]
        session.execute(insert(Job), rows)
        turn = {"lane": LANE, "tenant_id": "default", "claimed_at": NEVER}
        session.execute(insert(OwnerTurn), [turn | {"owner": f"owner-{number}"} for number in range(OWNERS)])
    engine.db.dispose()


def _row(number: int, created: Any) -> dict[str, Any]:
    owner = f"owner-{number % OWNERS}"
    return {
        "id": new_id("job"), "tenant_id": "default", "owner": owner, "name": f"job-{number}", "family": "image_gan",
        "operation": "generate", "params": {"owner": owner}, "lane": LANE, "status": "queued", "last_seq": 0,
        "created_at": created, "updated_at": created, "not_before": created, "dispatched_at": created,
    }  # fmt: skip


@contextmanager
def _database(kind: str) -> Iterator[tuple[str, psutil.Process | None]]:
    if kind == "sqlite":
        yield "", None
        return
    with servers.postgres() as server:
        yield server.url(server.copy_of("template0")), psutil.Process(server.pid)


def _start_scheduler(settings: Settings) -> subprocess.Popen[bytes]:
    own = {"AIGC_HOME": str(settings.home), "AIGC_DATABASE_URL": settings.database_url}
    command = [sys.executable, "-m", "jobs.scheduler"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **own}, **quiet)


def _cores(server: psutil.Process | None, scheduler: subprocess.Popen[bytes]) -> dict[str, float]:
    """Processor time so far; of connections that have ended, too, as their parent counts them."""
    found = {"scheduler_cores": sum(psutil.Process(scheduler.pid).cpu_times()[:2])}
    if server is not None:
        times = [process.cpu_times() for process in (server, *server.children())]
        found["database_cores"] = sum(time_.user + time_.system for time_ in times)
        found["database_cores"] += times[0].children_user + times[0].children_system
    return found


if __name__ == "__main__":
    main()
