"""What size costs: a long history, 64 devices, 500 watchers.

``python -m benchmarks.scale``: every reply of the API and every page at 10,000 and at 1,000,000 jobs, and after that
:mod:`benchmarks.scale_devices` and :mod:`benchmarks.scale_soak`; the last line is JSON. The two installations differ
only in how many ended jobs they hold; both have 200 that wait, run or are held. The requests go through the application
itself, without a network, and take turns between the two, so that both meet the same machine.

- ``growth_ratio``: the worst median of a request at the many jobs beside its median at the few; ``slowest`` names it.
- ``claim_p95_ms``: taking a waiting job at the many.
- ``jobs_in_db``, ``fill_seconds``: the many, and how long writing them took.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import text

from benchmarks import scale_devices, scale_soak
from jobs import migrate, name_search, tallies
from jobs.artifacts import LocalStore
from jobs.claiming import WorkerIdentity, claim
from jobs.db import Database
from jobs.engine import Engine
from jobs.lifecycle import Lease
from jobs.principal import Principal
from jobs.settings import Settings
from tests import servers
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from tests.web.conftest import NotedDispatcher
from tests.web.crowd import crowd
from web import create_app

OPEN, CLAIMS, PLANS = 200, 60, 3
PRINCIPAL = Principal("default", "operator")
SMALLEST = 0.3  # ms; below it a ratio of two medians says nothing


@dataclass(frozen=True, slots=True)
class Side:
    """An installation with some history."""

    engine: Engine
    worker: ActingWorker
    client: FlaskClient
    paths: Mapping[str, str]


def main() -> None:
    """Fill, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--only", choices=("history", "devices", "soak"), action="append", help="some of the parts")
    parser.add_argument("--plans", action="store_true", help="also print how the database reads for the slowest")
    options = parser.parse_args()
    parts, result = options.only or ("history", "devices", "soak"), dict[str, Any]()
    if "history" in parts:
        result |= history(options)
    if "devices" in parts:
        result |= scale_devices.measure(64, 30.0, "postgresql")
    if "soak" in parts:
        result |= scale_soak.measure(10_000, 500, 300.0, "postgresql")
    print(json.dumps(result))


def history(options: argparse.Namespace) -> dict[str, Any]:
    """The same requests with few jobs and with many."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="aigcscale"))
        urls = ["", ""]
        if options.database == "postgresql":
            server = stack.enter_context(servers.postgres())
            urls = [server.url(server.copy_of("template0")) for _ in urls]
        few = installation(Path(directory) / "few", options.few, urls[0])
        started = time.perf_counter()
        many = installation(Path(directory) / "many", options.many, urls[1])
        filled = time.perf_counter() - started
        medians = {name: in_turns((few, many), name, options.runs) for name in few.paths}
        growth = {name: large / max(small, SMALLEST) for name, (small, large) in medians.items()}
        for name in sorted(growth, key=lambda one: -growth[one]):
            small, large = medians[name]
            print(f"{name:44s} {small:8.2f} ms {large:8.2f} ms  {growth[name]:5.2f}x")
        slowest = max(growth, key=lambda one: growth[one])
        if options.plans:
            for name in sorted(growth, key=lambda one: -growth[one])[:PLANS]:
                explain(many, many.paths[name])
        result = {
            "growth_ratio": round(growth[slowest], 2),
            "slowest": slowest,
            "claim_p95_ms": round(claims(many), 2),
            "claim_few_p95_ms": round(claims(few), 2),
            "jobs_in_db": options.many,
            "history_database": options.database,
            "fill_seconds": round(filled),
        }
        for side in (few, many):
            side.engine.db.dispose()
    return result


def installation(home: Path, jobs: int, url: str = "") -> Side:
    """A home with a finished training, its model and dataset, and many jobs."""
    home.mkdir()
    settings = Settings(home=home, database_url=url, min_free_disk=0, lease_seconds=3600)
    database = Database(settings.sql_url)
    migrate.upgrade(database)
    engine = Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    client, worker = create_app(settings, engine).test_client(), ActingWorker(engine)
    dataset = ready_dataset(client, worker)
    submit_training(client, dataset)
    trained = worker.train()
    ids = crowd(engine, PRINCIPAL, jobs, open_every=max(1, jobs // OPEN))
    with engine.db.begin() as session:
        session.execute(text("ANALYZE"))
    while name_search.extend(engine):  # as the scheduler does in the background
        pass
    tallies.fold(engine)
    tallies.count_store(engine)
    if not database.is_sqlite:  # as autovacuum does
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    model = client.get("/api/v1/models").get_json()["data"][0]["id"]
    before = (datetime.now(UTC) - timedelta(days=5)).isoformat(timespec="seconds").replace("+00:00", "Z")
    known = {"job": trained, "dataset": dataset, "model": model, "old": ids[7], "before": before}
    return Side(engine, worker, client, paths(known))


def paths(known: Mapping[str, str]) -> Mapping[str, str]:
    """What is asked for: the name of a request, and its address."""
    api = [
        "/jobs", "/jobs?limit=100", "/jobs?state=failed", "/jobs?state=queued", "/jobs?state=running",
        "/jobs?sort=name", "/jobs?sort=-finished_at", "/jobs?q=gan-77", "/jobs?q=nothing-like-it", "/jobs?tag=none",
        "/jobs?task=image_vae.train", "/jobs?dataset={dataset}",
        "/jobs?created_before={before}", "/jobs/{job}", "/jobs/{old}", "/jobs/{job}/events",
        "/jobs/{job}/metrics", "/jobs/{job}/logs", "/jobs/{job}/samples", "/jobs/{job}/artifacts",
        "/jobs/{job}/deliveries", "/datasets", "/datasets/{dataset}", "/datasets/{dataset}/used-by", "/models",
        "/models/{model}", "/models/{model}/used-by", "/models/{model}/card", "/tasks", "/workers", "/queues",
        "/tokens",
    ]  # fmt: skip
    pages = [
        "/", "/jobs", "/jobs?state=failed", "/jobs?q=gan-77", "/jobs/live", "/jobs/{job}", "/jobs/{job}/live",
        "/jobs/{old}", "/jobs/new/image_gan.train", "/datasets", "/datasets/{dataset}", "/models", "/models/{model}",
        "/workers",
    ]  # fmt: skip
    asked = [f"/api/v1{path}" for path in api] + pages + ["/metrics"]
    return {path: path.format(**known) for path in asked}


def in_turns(sides: Sequence[Side], name: str, runs: int) -> tuple[float, ...]:
    """Median milliseconds of a request at each side; the first two rounds warm up."""
    times: list[list[float]] = [[] for _ in sides]
    for number in range(runs + 2):
        for side, measured in zip(sides, times, strict=True):
            started = time.perf_counter()
            reply = side.client.get(side.paths[name])
            passed = 1000 * (time.perf_counter() - started)
            if reply.status_code not in (200,):
                raise SystemExit(f"{side.paths[name]}: {reply.status_code} {reply.text[:300]}")
            if number >= 2:
                measured.append(passed)
    return tuple(statistics.median(measured) for measured in times)


def claims(side: Side) -> float:
    """p95 of taking a job, in milliseconds; each is ended, so that the next is another."""
    worker, times = WorkerIdentity(side.worker.id, "generation", "cpu"), list[float]()
    while len(times) < CLAIMS:
        started = time.perf_counter()
        taken = claim(side.engine, worker)
        if taken is None:
            break
        times.append(1000 * (time.perf_counter() - started))
        Lease(side.engine, taken).succeed({}, [])
    return statistics.quantiles(times, n=20)[18]


def explain(side: Side, path: str) -> None:
    """Print how the database reads for a request."""
    from sqlalchemy import event

    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    event.listen(side.engine.db.engine, "before_cursor_execute", note)
    side.client.get(path)
    event.remove(side.engine.db.engine, "before_cursor_execute", note)
    with side.engine.db.engine.connect() as connection:
        for statement, parameters in seen:
            print(f"\n{statement}")
            if statement.lstrip().upper().startswith(("SELECT", "WITH")):
                how = "EXPLAIN QUERY PLAN" if side.engine.db.is_sqlite else "EXPLAIN"
                for row in connection.exec_driver_sql(f"{how} {statement}", parameters):
                    print(f"    {row[-1]}")


if __name__ == "__main__":
    main()
