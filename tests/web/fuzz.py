"""``python -m tests.web.fuzz``: schemathesis, with all its checks, against a real server with real data.

The last line is JSON: ``cases``, ``failures``, ``server_errors`` (lines of the server's log that
tell an unexpected fault), ``seed``.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Thread

from jobs import migrate
from jobs.artifacts import LocalStore
from jobs.claiming import WorkerIdentity, claim
from jobs.db import Database
from jobs.engine import Engine
from jobs.errors import LeaseLost
from jobs.lifecycle import Lease
from jobs.settings import Settings
from tests.web.acting import DATASET_FILES, PNG, ActingWorker, ready_dataset, submit_training
from tests.web.conftest import NotedDispatcher
from tests.web.serving import serve
from web import create_app

CONFIG = Path(__file__).with_name("schemathesis.toml")
TOKEN = "fuzz"  # with a token of the operator's, those that the fuzzer makes and revokes change nothing


@dataclass(frozen=True)
class Verdict:
    """What came of a run."""

    cases: int
    failures: int
    server_errors: int
    seed: str
    report: str


@contextmanager
def working(home: Path) -> Iterator[None]:
    """Fill the home, and check uploads and generate while the block runs, as nobody else does it."""
    settings = Settings(home=home, min_free_disk=0)
    database = Database(settings.sql_url)
    engine = Engine(settings, database, LocalStore(settings.artifacts), NotedDispatcher())
    fill(engine)
    ended = Event()
    thread = Thread(target=work, args=(engine, ended))
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        database.dispose()


def work(engine: Engine, ended: Event) -> None:
    """End every job of the generation lane well."""
    worker = ActingWorker(engine)
    while not ended.wait(0.01):
        claimed = claim(engine, WorkerIdentity(worker.id, "generation", "cpu"))
        if claimed is not None:
            made = DATASET_FILES if claimed.family == "dataset" else {"samples.png": PNG}
            with suppress(LeaseLost):  # the fuzzer may have deleted the job
                Lease(engine, claimed).succeed({}, worker.keep(made))


def fill(engine: Engine) -> None:
    """Make a dataset, jobs in several states, a model version, files and curves."""
    client, worker = create_app(engine.settings, engine).test_client(), ActingWorker(engine)
    dataset = ready_dataset(client, worker)
    submit_training(client, dataset)
    worker.train()
    submit_training(client, dataset, tags=["baseline"], notes="It runs.")
    worker.take("training")
    submit_training(client, dataset)
    client.post("/api/v1/uploads", headers={"Upload-Length": "1000"})


def fuzz(home: Path, seconds: int, *options: str) -> Verdict:
    """Fill a migrated home directory and fuzz a server on it."""
    with working(home), serve(home, AIGC_TOKEN=TOKEN, AIGC_WEB_THREADS="16") as server:
        command = [str(Path(sys.executable).with_name("st")), "--config-file", str(CONFIG), "run"]
        command += [f"{server.url}/openapi.json", "--header", f"Authorization: Bearer {TOKEN}"]
        # Trainings never end here; waiting for one would take a minute of every few cases.
        command += ["--header", "Prefer: wait=0"]
        command += ["--max-time", str(seconds), "--no-color", "--wait-for-schema", "5", *options]
        done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=seconds + 120, check=False)
    log = (home / "log").read_text()
    cases = re.search(r"(\d+) generated", done.stdout)
    failures = re.search(r"=+ (?:(\d+) failures?)?[^=\n]*=+\s*$", done.stdout)
    seed = re.search(r"Seed: (\d+)", done.stdout)
    failed = int(failures[1] or 0) if failures else 1
    return Verdict(
        cases=int(cases[1]) if cases else 0,
        failures=failed if done.returncode == 0 or failed else 1,
        server_errors=log.count("unexpected fault"),
        seed=seed[1] if seed else "",
        report=done.stdout + done.stderr,
    )


def main() -> int:
    """Run from the command line."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--seed", default="")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        database = Database(Settings(home=home).sql_url)
        migrate.upgrade(database)
        database.dispose()
        seed = ["--seed", chosen.seed] if chosen.seed else []
        verdict = fuzz(home, chosen.seconds, "--max-examples", "50", *seed)
    print(verdict.report)
    print(json.dumps({name: value for name, value in asdict(verdict).items() if name != "report"}))
    return 1 if verdict.failures or verdict.server_errors else 0


if __name__ == "__main__":
    sys.exit(main())
