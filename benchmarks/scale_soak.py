"""Ten thousand jobs that wait, and 500 pollers that look at one of them each second, for five minutes.

``python -m benchmarks.scale_soak``: the last line is JSON. Web server and scheduler are the real processes, on
PostgreSQL unless told otherwise; no worker runs, so that all jobs go on waiting. A poller asks for a job's status with
the ETag it has, as clients and pages do; one in fifty asks for a page of the list.

- ``watchers``: pollers; the web process itself serves them, by docs/explanation/why-polling.md.
- ``soak_errors``, ``soak_p99_ms``, ``soak_p50_ms``, ``soak_requests``, ``soak_late`` (sent too late by the client).
- ``soak_rss_growth_mib`` of the web process from after its warm-up to the end; ``soak_web_cores`` that it took.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil

from jobs import migrate
from jobs.engine import open_engine
from jobs.principal import Principal
from jobs.settings import Settings
from tests import servers
from tests.web.crowd import crowd
from tests.web.serving import serve

ROOT, PRINCIPAL = Path(__file__).parents[1], Principal("default", "operator")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--pollers", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--database", choices=("sqlite", "postgresql"), default="postgresql")
    options = parser.parse_args()
    print(json.dumps(measure(options.jobs, options.pollers, options.seconds, options.database)))


def measure(jobs: int, pollers: int, seconds: float, kind: str) -> dict[str, Any]:
    """Fill, serve, poll."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aigcsoak")))
        url = ""
        if kind == "postgresql":
            server = stack.enter_context(servers.postgres())
            url = server.url(server.copy_of("template0"))
        settings = Settings(home=home, database_url=url, min_free_disk=0)
        engine = open_engine(settings)
        migrate.upgrade(engine.db)
        ids = crowd(engine, PRINCIPAL, jobs, open_every=1, states=("queued",))
        engine.db.dispose()
        web = stack.enter_context(serve(home, AIGC_DATABASE_URL=url, AIGC_WEB_THREADS="32"))
        paths = [f"/api/v1/jobs/{ids[number * len(ids) // pollers]}" for number in range(pollers)]
        paths[::50] = ["/api/v1/jobs?limit=20"] * len(paths[::50])
        _poll(web.url, paths, pollers, min(20.0, seconds))  # warm-up: every thread has answered by then
        process = _serving(web.process.pid)
        before, spent = process.memory_info().rss, sum(process.cpu_times()[:2])
        polls = _poll(web.url, paths, pollers, seconds)
        grown, spent = process.memory_info().rss - before, sum(process.cpu_times()[:2]) - spent
    return {
        "watchers": pollers,
        "soak_jobs": jobs,
        "soak_seconds": seconds,
        "soak_database": kind,
        "soak_errors": polls["errors"],
        "soak_p50_ms": round(polls["p50_ms"], 1),
        "soak_p99_ms": round(polls["p99_ms"], 1),
        "soak_requests": polls["requests"],
        "soak_late": polls["late"],
        "soak_rss_growth_mib": round(grown / 2**20, 2),
        "soak_web_cores": round(spent / seconds, 2),
    }


def _poll(url: str, paths: list[str], pollers: int, seconds: float) -> dict[str, Any]:
    """The pollers are another process, as the web server's are."""
    command = [sys.executable, "-m", "benchmarks.polling", url, *paths]
    command += ["--pollers", str(pollers), "--seconds", str(seconds)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _serving(pid: int) -> psutil.Process:
    """The process that answers: gunicorn's child."""
    (child,) = psutil.Process(pid).children()
    return child


if __name__ == "__main__":
    main()
