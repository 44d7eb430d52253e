"""What pages cost with 10,000 jobs in the database, and 200 readers of one web process.

Times are of the whole request as a client sees it. ``cpu_ms`` beside them is the processor's time that the
web process spent on one request: it says the same on a busy machine.
"""

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import psutil

from benchmarks.polling import Polls
from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.engine import Engine
from jobs.lifecycle import Beat, Lease
from jobs.principal import Principal
from jobs.settings import Settings
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.conftest import NotedDispatcher
from tests.web.crowd import crowd
from tests.web.serving import Server, serve
from web import create_app

JOBS, POLLERS, THREADS = 10_000, 200, 32
RUNS, WARM_UP, TASTE = 200, 10, 20
PRINCIPAL = Principal("default", "operator")
ASSET = re.compile(r'(?:src|href)="(/static/[^"]+)"')
POINTS = 40


@dataclass(frozen=True, slots=True)
class Cost:
    """What a page costs."""

    p50_ms: float
    p95_ms: float
    cpu_ms: float


class Installation:
    """A home with many jobs, and one that runs."""

    def __init__(self, home: Path) -> None:
        self.home = home
        settings = Settings(home=home, min_free_disk=0, lease_seconds=3600)
        self.database = Database(settings.sql_url)
        migrate.upgrade(self.database)
        engine = Engine(settings, self.database, LocalStore(settings.artifacts), NotedDispatcher())
        client, worker = create_app(engine.settings, engine).test_client(), ActingWorker(engine)
        self.running = str(submit_training(client, ready_dataset(client, worker)).get_json()["id"])
        self.lease: Lease = worker.take("training")
        self.step(POINTS * 10)
        crowd(engine, PRINCIPAL, JOBS)

    def step(self, until: int) -> None:
        """Let the running job go on."""
        points = [(step, {"loss": 1 / (1 + step)}) for step in range(max(0, until - 10 * POINTS), until, 10)]
        self.lease.beat(Beat(phase="training", step=until, total=100_000, points=points, lines=[f"step {until}"]))

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Let the running job report once a second while the block runs, as a worker does."""
        ended, until = Event(), POINTS * 10

        def work() -> None:
            for number in count(1):
                if ended.wait(1.0):
                    return
                self.step(until + 10 * number)

        thread = Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def measure(directory: Path) -> dict[str, Any]:
    """All figures of pages and readers."""
    installation = Installation(directory)
    with serve(directory, AIGC_WEB_THREADS=str(THREADS)) as server:
        web = psutil.Process(server.process.pid).children()[0]
        with httpx.Client(base_url=server.url, timeout=60) as http:
            costs = _costs(http, web, installation.running)
            first = first_load(http, "/jobs")
        for name, cost in costs.items():
            print(f"{name:34s} p50 {cost.p50_ms:7.1f} ms  p95 {cost.p95_ms:7.1f} ms  CPU {cost.cpu_ms:6.1f} ms")
        told = readers(server, web, installation)
    installation.database.dispose()
    return {
        "jobs": JOBS,
        "jobs_page_p95_ms": round(costs["/jobs"].p95_ms, 1),
        "jobs_page_cpu_ms": round(costs["/jobs"].cpu_ms, 1),
        "slowest_page_cpu_ms": round(max(cost.cpu_ms for cost in costs.values()), 1),
        "first_load_kib": round(first / 1024, 1),
        **told,
    }


def _costs(http: httpx.Client, web: psutil.Process, running: str) -> dict[str, Cost]:
    live = f"/jobs/{running}/live"
    known = {"If-None-Match": http.get(live).headers["ETag"]}
    pages: dict[str, tuple[str, dict[str, str], int]] = {
        "/jobs": ("/jobs", {}, RUNS),
        "/jobs, in Chinese": ("/jobs", {"Accept-Language": "zh-CN"}, TASTE),
        "/jobs, one state": ("/jobs?state=failed", {}, TASTE),
        "/jobs, by name": ("/jobs?q=gan-77", {}, TASTE),
        "/jobs, its live part": ("/jobs/live", {}, TASTE),
        "/": ("/", {}, TASTE),
        "the form": ("/jobs/new/image_gan.train", {}, TASTE),
        "a running job": (f"/jobs/{running}", {}, TASTE),
        "a running job, its live part": (live, {}, TASTE),
        "a running job, unchanged": (live, known, RUNS),
        "/datasets": ("/datasets", {}, TASTE),
        "/models": ("/models", {}, TASTE),
        "/workers": ("/workers", {}, TASTE),
        "/docs/api": ("/docs/api", {}, TASTE),
    }
    return {name: _cost(http, web, *page) for name, page in pages.items()}


def _cost(http: httpx.Client, web: psutil.Process, path: str, headers: dict[str, str], runs: int) -> Cost:
    for _ in range(WARM_UP):
        http.get(path, headers=headers)
    times, before = list[float](), _cpu(web)
    for _ in range(runs):
        started = time.perf_counter()
        reply = http.get(path, headers=headers)
        times.append(1000 * (time.perf_counter() - started))
        if reply.status_code not in (200, 304):
            raise SystemExit(f"{path}: {reply.status_code}")
    cuts = statistics.quantiles(times, n=20)
    return Cost(statistics.median(times), cuts[18], 1000 * (_cpu(web) - before) / runs)


def first_load(http: httpx.Client, path: str) -> int:
    """Bytes of a page with all it loads, as a fresh browser transfers them; headers are not counted."""
    page = http.get(path).raise_for_status()
    assets = {unescape(found) for found in ASSET.findall(page.text)}
    return len(page.content) + sum(len(http.get(asset).raise_for_status().content) for asset in assets)


def readers(server: Server, web: psutil.Process, installation: Installation) -> dict[str, Any]:
    """Many readers of a job that stands still, then of one that moves once a second; both are one and the same job.

    Memory is compared between the end of a first short round, when every thread has worked, and the end.
    """
    live = f"/jobs/{installation.running}/live"
    _poll(server.url, [live], 10)
    small, began, cpu = _resident(web), time.perf_counter(), _cpu(web)
    calm = _poll(server.url, [live], 40)
    share = (_cpu(web) - cpu) / (time.perf_counter() - began)
    grown = _resident(web) - small
    with installation.moving():
        busy = _poll(server.url, [live], 20)
    print(f"{POLLERS} readers, nothing new: {calm}\n{POLLERS} readers, news every second: {busy}")
    return {
        "pollers": POLLERS,
        "poll_p50_ms": round(calm.p50_ms, 1),
        "poll_p99_ms": round(calm.p99_ms, 1),
        "poll_errors": calm.errors + busy.errors,
        "poll_late": calm.late,
        "poll_cpu_ms": round(1000 * share / POLLERS, 2),
        "poll_moving_p99_ms": round(busy.p99_ms, 1),
        "rss_growth_mib": round(grown, 1),
    }


def _poll(url: str, paths: Sequence[str], seconds: float) -> Polls:
    """In a process of its own, so that neither side waits for the other's interpreter."""
    command = [sys.executable, "-m", "benchmarks.polling", url, *paths]
    command += ["--pollers", str(POLLERS), "--seconds", str(seconds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Polls(**json.loads(done.stdout.splitlines()[-1]))


def _cpu(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 2**20)
