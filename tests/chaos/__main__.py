"""``python -m tests.chaos --faults 30 --seed 1``: the last line is the verdict as JSON."""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from jobs.engine import Engine, open_engine
from jobs.principal import Principal
from jobs.settings import Settings
from jobs.submit import Submission, submit
from jobs.tables import FINAL, Dataset, Job, ModelVersion
from jobs.uploads import receive_starter
from tests.chaos.faults import FAULTS
from tests.chaos.processes import NotReady, Stack
from tests.chaos.verdict import judge

# Fast clocks, so that a lost lease costs seconds; budgets out of the way, because here
# every job must survive however often it is hit.
FAST: dict[str, Any] = {
    "heartbeat_seconds": 0.5,
    "lease_seconds": 3,
    "reap_seconds": 0.5,
    "redispatch_seconds": 2,
    "retry_seconds": 0.2,
    "checkpoint_seconds": 1,
    "max_app_failures": 1000,
    "max_worker_losses": 1000,
    "cpu_threads": 1,
}
PRINCIPAL = Principal(tenant_id="default", owner="chaos")
TRAIN = {"epochs": 3, "batch_size": 64, "backbone": "mlp"}
BACKLOG = 12
PATIENCE = timedelta(seconds=120)


def main() -> int:
    """Run, print, and say by the exit status whether every promise held."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="aigc-chaos-") as directory:
        home = Path(directory)
        with Stack(home, arguments.database_url, **FAST) as stack:
            settings = Settings(home=home, database_url=arguments.database_url, redis_url=_redis_url(stack))
            engine = open_engine(settings)
            result = Chaos(stack, engine, random.Random(arguments.seed)).run(arguments.faults)
        if not result["good"] and arguments.keep:
            home.rename(arguments.keep)
    print(json.dumps({"seed": arguments.seed, "database": engine.db.engine.dialect.name} | result))
    return 0 if result["good"] else 1


class Chaos:
    """One run: a queue that is never empty, faults at random moments, then the verdict."""

    def __init__(self, stack: Stack, engine: Engine, rng: random.Random) -> None:
        self.stack, self.engine, self.rng = stack, engine, rng
        self.submitted: set[str] = set()
        self.injected: Counter[str] = Counter()

    def run(self, faults: int) -> dict[str, Any]:
        """Inject the faults, wait for the queue to drain, judge."""
        started = time.monotonic()
        dataset, model = self._prepare()
        for number in range(faults):
            self._top_up(dataset, model)
            time.sleep(self.rng.uniform(0.05, 2.0))  # the random moment at which the fault strikes
            self._strike(number, faults)
        self._settle()
        verdict = judge(self.engine, self.submitted)
        counts = {"faults": sum(self.injected.values()), "by_fault": dict(self.injected)}
        took = {"jobs": len(self.submitted), "seconds": round(time.monotonic() - started, 1)}
        return counts | took | asdict(verdict) | {"good": verdict.good}

    def _prepare(self) -> tuple[str, str]:
        dataset, _ = receive_starter(self.engine, PRINCIPAL, "fashion-mnist")
        self._until(lambda: self._ready(dataset.id) is not None)
        training = self._submit("image_vae.train", TRAIN | {"dataset": dataset.id, "epochs": 1})
        self._until(lambda: self._model_of(training) is not None)
        model = self._model_of(training)
        assert model is not None
        return dataset.id, model

    def _top_up(self, dataset: str, model: str) -> None:
        while self._unfinished() < BACKLOG:
            seed = self.rng.randrange(10_000)
            if self.rng.random() < 0.7:
                self._submit("image_vae.train", TRAIN | {"dataset": dataset, "seed": seed})
            else:
                self._submit("image_vae.generate", {"model": model, "count": 64, "seed": seed})

    def _submit(self, task: str, params: dict[str, Any]) -> str:
        job = submit(self.engine, PRINCIPAL, Submission(task=task, params=params)).job
        self.submitted.add(job.id)
        return job.id

    def _strike(self, number: int, faults: int) -> None:
        fault = self.rng.choice(FAULTS)
        print(
            f"fault {number + 1} of {faults}: {fault.__name__}, {self._unfinished()} jobs unfinished",
            flush=True,
        )
        for process in (self.stack.broker, self.stack.scheduler, self.stack.worker):
            if not process.alive:
                raise NotReady(f"{process.name} ended by itself; see {process.log}")
        fault(self.stack, self.rng)
        self.injected[fault.__name__] += 1

    def _settle(self) -> None:
        """Wait until every job is final, as long as some job still gets on."""
        deadline, left = time.monotonic() + PATIENCE.total_seconds(), self._unfinished()
        while left and time.monotonic() < deadline:
            time.sleep(0.5)
            if (now := self._unfinished()) < left:
                deadline, left = time.monotonic() + PATIENCE.total_seconds(), now

    def _until(self, done: Any) -> None:
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while not done():
            if time.monotonic() > deadline:
                raise NotReady("the stack did not finish the first jobs")
            time.sleep(0.1)

    def _unfinished(self) -> int:
        with self.engine.db.read() as session:
            waiting = select(func.count()).select_from(Job).where(Job.status.not_in(FINAL))
            return session.scalar(waiting) or 0

    def _ready(self, dataset: str) -> object:
        with self.engine.db.read() as session:
            return session.scalar(select(Dataset.ready_at).where(Dataset.id == dataset))

    def _model_of(self, job: str) -> str | None:
        with self.engine.db.read() as session:
            return session.scalar(select(ModelVersion.id).where(ModelVersion.job_id == job))


def _redis_url(stack: Stack) -> str:
    return stack.environment["AIGC_REDIS_URL"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Kill processes under load and count what is lost.")
    parser.add_argument("--faults", type=int, default=30, help="How many faults to inject.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of the moments, faults and targets.")
    parser.add_argument("--database-url", default="", help="SQLAlchemy address; SQLite when empty.")
    parser.add_argument("--keep", type=Path, help="Where to keep database and logs of a bad run.")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
