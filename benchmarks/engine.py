"""What the engine costs, beside default Celery and beside Flask that does no I/O, in one run.

``python -m benchmarks.engine``: the two sides take turns, every figure is the median of the rounds,
and the last line is JSON.

- ``jobs_per_s``: jobs that do nothing, through the whole engine: the rows appear in one commit with a
  token for each, a worker claims them, runs them in its warm runner, and writes their fenced ends; the
  clock stops when no row is queued or running. ``celery_jobs_per_s``: as many tasks that do nothing,
  put into the queue at once, of a worker with Celery's defaults (``-P prefork -c 2``) that keeps results
  in the same Valkey; the clock stops when every result is there. Behind it, ``ratio_to_celery``.
- ``settled_per_s``: the same, with the clock stopped when the tokens that came too late are gone, too.
- ``floor_p50_ms``: from the submission until success is seen, one job at a time, as the web process does
  both. ``celery_p50_ms``: ``delay().get()``.
- ``submit_per_s``, ``submit_p99_ms``: ``POST /api/v1/jobs`` from 8 clients (a durable row and a token), no
  worker running. ``no_io_per_s``: Flask that answers the same body from memory, same server settings.
- ``poll_per_s``, ``poll_p99_ms``: ``GET /api/v1/jobs/{id}`` of a waiting job with its ETag, from 8 clients.
  ``no_io_poll_per_s``: the same Flask, which compares the tag with one in memory. Behind it, ``poll_ratio``.

Both databases live on the disk that holds the temporary directory, with the durability of the product.
"""

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import redis
from sqlalchemy import func, select, update

from aigc_models import registry
from benchmarks.noop_family.params import NoopGenerate
from jobs.engine import Engine
from jobs.principal import Principal
from jobs.settings import Settings
from jobs.submit import Draft, Submission, insert_job, submit
from jobs.tables import Attempt, Job
from tests.chaos.processes import Broker, Process
from web.app import open_web_engine
from web.waiting import watch
from web.wakeups import message

ROOT = Path(__file__).parents[1]
QUEUE = "generation.cpu"
SECONDS = 120.0
BODY = json.dumps({"task": "noop.generate", "params": {}})
PRINCIPAL = Principal("default", "bench")


class TooSlow(RuntimeError):
    """The work was not done within two minutes."""


def main() -> None:
    """Start everything, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000, help="jobs of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slots", type=int, default=1, help="generation slots of the worker")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a round of submissions")
    parser.add_argument("--database-url", default="", help="an empty database in the place of SQLite")
    parser.add_argument("--only", choices=("drain", "floor", "submit", "poll"), help="one part of it")
    options = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="aigcbench") as directory:
        home = Path(directory)
        make_noop_known(home / "site")
        with started_broker(home) as broker:
            if options.only not in ("submit", "poll"):
                with engine_and_celery(home, broker, options.slots, options.database_url) as sides:
                    if options.only != "floor":
                        result |= drain(*sides, options.jobs, options.rounds)
                    if options.only != "drain":
                        result |= floor(*sides, options.rounds)
            if options.only not in ("drain", "floor"):
                result |= requests(home, broker, options)
    result |= {"jobs": options.jobs, "rounds": options.rounds, "slots": options.slots, "cpus": os.cpu_count()}
    print(json.dumps(result | {"database": options.database_url.partition(":")[0] or "sqlite"}))


def make_noop_known(site: Path) -> None:
    """Make the family known to this process and to those it starts, as installing a third party's package does."""
    info = site / "aigc_noop-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: aigc-noop\nVersion: 1.0\n")
    declared = "noop = benchmarks.noop_family.params:FAMILY"
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\n{declared}\n")
    sys.path.append(str(site))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(site), os.environ.get("PYTHONPATH", "")])
    registry.families.cache_clear()


@contextmanager
def started_broker(home: Path) -> Iterator[Broker]:
    """A Valkey without persistence, for both sides."""
    broker = Broker(home, home / "broker.log")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@contextmanager
def engine_and_celery(
    home: Path, broker: Broker, slots: int, database_url: str
) -> Iterator[tuple[Engine, "redis.Redis", Any]]:
    """Our worker with its scheduler, and Celery's worker; the engine, the broker's client, and Celery's task."""
    engine, environment = installation(home / "aigc", broker, database_url)
    results = f"redis+socket://{broker.socket}?virtual_host=1"
    os.environ |= {"BENCH_BROKER": f"redis+socket://{broker.socket}", "BENCH_RESULTS": results}
    from benchmarks.peers.noop_celery import noop

    lanes = ["worker.launch", "--device", "cpu", "--lane", "generation"]
    commands = [["jobs.scheduler"], *[lanes] * slots]
    processes = [
        Process(f"{command[0]}-{number}", [sys.executable, "-m", *command], environment, home / f"log-{number}")
        for number, command in enumerate(commands)
    ]
    peer = [sys.executable, "-m", "celery", "-A", "benchmarks.peers.noop_celery", "worker", "-P", "prefork", "-c", "2"]
    with (home / "celery.log").open("w") as log:
        celery = subprocess.Popen(peer, stdout=log, stderr=log, cwd=ROOT)
    try:
        for process in processes:
            process.start()
        noop.delay().get(timeout=SECONDS)
        with redis.Redis(unix_socket_path=str(broker.socket)) as client:
            yield engine, client, noop
    finally:
        gc.collect()  # Celery's results say good-bye to the broker, which must still be there
        celery.terminate()
        celery.wait()
        for process in reversed(processes):
            process.stop()
        engine.db.dispose()


def installation(home: Path, broker: Broker, database_url: str = "") -> tuple[Engine, dict[str, str]]:
    """A migrated database with default settings; the engine as the web process opens it, and the environment."""
    own = {
        "AIGC_HOME": str(home),
        "AIGC_DATABASE_URL": database_url,
        "AIGC_REDIS_URL": f"redis+socket://{broker.socket}",
        "AIGC_KEY_PREFIX": f"{home.name}:",
        "AIGC_PORT": "0",
    }
    home.mkdir()
    environment = os.environ | own
    subprocess.run([sys.executable, "-m", "jobs.migrate"], env=environment, check=True, capture_output=True)
    settings = Settings(
        home=home, database_url=database_url, redis_url=own["AIGC_REDIS_URL"], key_prefix=f"{home.name}:"
    )
    return open_web_engine(settings), environment


def drain(engine: Engine, client: "redis.Redis", noop: Any, jobs: int, rounds: int) -> dict[str, float]:
    """Jobs a second through both; the first round warms up and is not counted."""
    ours, settled, theirs = [], [], []
    for number in range(rounds + 1):
        done, over = drain_engine(engine, client, jobs)
        celery = drain_celery(client, noop, jobs)
        print(f"drain {number}: engine {done:.0f}/s, settled {over:.0f}/s, celery {celery:.0f}/s", flush=True)
        if number:
            ours.append(done)
            settled.append(over)
            theirs.append(celery)
    check(engine)
    rate, peer = statistics.median(ours), statistics.median(theirs)
    return {
        "jobs_per_s": round(rate, 1),
        "settled_per_s": round(statistics.median(settled), 1),
        "celery_jobs_per_s": round(peer, 1),
        "ratio_to_celery": round(rate / peer, 3),
    }


def drain_engine(engine: Engine, client: "redis.Redis", jobs: int) -> tuple[float, float]:
    """Jobs a second until all have ended, and until no token is left."""
    key = f"{engine.settings.key_prefix}{QUEUE}"
    draft = Draft(task="noop.generate", params=NoopGenerate(), name="noop")
    with engine.db.begin() as session:
        now = engine.db.now(session)
        for _ in range(jobs):
            insert_job(session, engine, PRINCIPAL, draft, now)
        session.execute(update(Job).where(Job.status == "queued").values(dispatched_at=now))
        tokens = [message(QUEUE) for _ in range(jobs)]
        began = time.perf_counter()
    client.lpush(key, *tokens)
    until(lambda: not unfinished(engine))
    done = time.perf_counter()
    until(lambda: not client.llen(key))
    return jobs / (done - began), jobs / (time.perf_counter() - began)


def unfinished(engine: Engine) -> bool:
    """Whether any job waits or runs."""
    with engine.db.read() as session:
        return session.connection().scalar(_UNFINISHED) is not None


_UNFINISHED = select(Job.id).where(Job.status.in_(("queued", "running"))).limit(1)


def drain_celery(client: "redis.Redis", noop: Any, jobs: int) -> float:
    """Tasks a second: they are collected under another name and appear in the worker's queue at once."""
    with redis.Redis(unix_socket_path=client.connection_pool.connection_kwargs["path"], db=1) as results:
        results.flushdb()
        for _ in range(jobs):
            noop.apply_async(queue="held")
        began = time.perf_counter()
        client.rename("held", "celery")
        until(lambda: int(results.dbsize()) >= jobs)
        return jobs / (time.perf_counter() - began)


def until(seen: Callable[[], bool]) -> None:
    """Look every few milliseconds."""
    end = time.monotonic() + SECONDS
    while not seen():
        if time.monotonic() > end:
            raise TooSlow
        time.sleep(0.005)


def check(engine: Engine) -> None:
    """Every job must have succeeded, in one attempt each: a fast engine that loses work is no engine."""
    with engine.db.read() as session:
        ended = dict(session.execute(select(Job.status, func.count()).group_by(Job.status)).all())
        attempts = session.scalar(select(func.count()).select_from(Attempt).where(Attempt.outcome == "succeeded"))
    if set(ended) != {"succeeded"} or attempts != ended["succeeded"]:
        raise SystemExit(f"jobs by status {ended}, {attempts} successful attempts")


def floor(engine: Engine, _client: "redis.Redis", noop: Any, rounds: int) -> dict[str, float]:
    """Milliseconds from submission to success seen, one job at a time, on both sides."""
    ours, theirs = [], []
    for number in range(rounds + 1):
        mine = statistics.median(timed(lambda: seen_through(engine)) for _ in range(100))
        celery = statistics.median(timed(lambda: noop.delay().get(timeout=SECONDS)) for _ in range(100))
        print(f"floor {number}: engine {mine:.2f} ms, celery {celery:.2f} ms", flush=True)
        if number:
            ours.append(mine)
            theirs.append(celery)
    return {
        "floor_p50_ms": round(statistics.median(ours), 2),
        "celery_p50_ms": round(statistics.median(theirs), 2),
        "floor_ratio": round(statistics.median(ours) / statistics.median(theirs), 3),
    }


def seen_through(engine: Engine) -> None:
    """Submit and watch, with what the web process uses for both."""
    job = submit(engine, PRINCIPAL, Submission("noop.generate")).job
    seen = watch(engine, job.id, lambda now: now.final, SECONDS)
    if seen is None or seen.status != "succeeded":
        raise TooSlow


def timed(work: Callable[[], object]) -> float:
    """Milliseconds."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def requests(home: Path, broker: Broker, options: argparse.Namespace) -> dict[str, float]:
    """Submissions and polls a second over HTTP beside Flask without I/O, from 8 clients."""
    _, environment = installation(home / "web", broker)
    web = Process("web", [sys.executable, "-m", "web"], environment, home / "log-web")
    plain = Process("plain", [sys.executable, "-m", "benchmarks.peers.plain_flask"], environment, home / "log-plain")
    result: dict[str, float] = {}
    try:
        web.start()
        plain.start()
        sides = {"no_io": plain.ready_line.split()[-1], "web": web.ready_line.split()[-1] + "/api/v1"}
        if options.only != "poll":
            paths = {name: address + "/jobs" for name, address in sides.items()}
            result |= beside("submit", paths, [BODY], options)
        if options.only != "submit":
            job = submitted(sides["web"])
            paths = {name: f"{address}/jobs/{job}" for name, address in sides.items()}
            result |= beside("poll", paths, [], options)
    finally:
        web.stop()
        plain.stop()
    return result


def submitted(address: str) -> str:
    """The id of a job that waits."""
    wish = Request(address + "/jobs", BODY.encode(), {"Content-Type": "application/json"})
    with urlopen(wish, timeout=30) as reply:
        return str(json.load(reply)["id"])


def beside(kind: str, paths: Mapping[str, str], body: Sequence[str], options: argparse.Namespace) -> dict[str, float]:
    """A kind of request to both sides in turns; the first round warms up and is not counted."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in paths}
    for number in range(options.rounds + 1):
        for name, address in paths.items():
            found = load(address, body, options.seconds)
            print(f"{kind} {number}: {name} {found}", flush=True)
            if number:
                measured[name].append(found)
    middle = {
        (name, figure): statistics.median(one[figure] for one in rounds)
        for name, rounds in measured.items()
        for figure in ("per_s", "p99_ms")
    }
    peer = "no_io" if kind == "submit" else f"no_io_{kind}"
    return {
        f"{kind}_per_s": round(middle["web", "per_s"], 1),
        f"{peer}_per_s": round(middle["no_io", "per_s"], 1),
        f"{kind}_ratio": round(middle["web", "per_s"] / middle["no_io", "per_s"], 3),
        f"{kind}_p99_ms": round(middle["web", "p99_ms"], 2),
        f"{peer}_p99_ms": round(middle["no_io", "p99_ms"], 2),
    }


def load(address: str, body: Sequence[str], seconds: float) -> dict[str, float]:
    """One round of the client, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.http_load", address, *body, "--seconds", str(seconds)]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(said.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
