"""The users of a chaos run: they keep the queue filled, and remember what was accepted and how it may end."""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from jobs.engine import Engine
from jobs.principal import Principal
from jobs.submit import Submission, submit
from jobs.tables import FINAL, Dataset, Job, ModelVersion
from jobs.uploads import receive_starter

T = TypeVar("T")
PRINCIPAL = Principal(tenant_id="default", owner="chaos")
BACKLOG = {"generation": 6, "training": 1}  # the runners of the first lane are warm; the second is idle at times
VAE = {"epochs": 1, "batch_size": 256, "backbone": "mlp"}
REAL_SHARE = 0.03  # of the jobs train or use an image VAE, the others are toys of a second
CROWD = 3  # toys that may share a call, submitted at a time
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Allowed:
    """How a job may end: statuses, and the failure code that goes with ``failed``."""

    statuses: tuple[str, ...] = ("succeeded",)
    code: str | None = None


SUCCEEDS = Allowed()
STOPS = Allowed(("cancelled", "succeeded"))  # a success that was faster than the cancel stands
POISONED = Allowed(("failed",), "poisoned")


class Load:
    """Submits jobs, each with a key, again until it is accepted, as a careful client does."""

    def __init__(self, engine: Engine, rng: random.Random, real: bool) -> None:
        self.engine, self._rng, self._real = engine, rng, real
        self.accepted: dict[str, Allowed] = {}
        self.due: dict[str, datetime] = {}  # when a job should have ended, once that is known
        self._keys = 0
        self._dataset = self._model = self._toy = ""
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Make the data and the model that real jobs need."""
        toy = self.submit("toy.train", {"steps": 2})
        self._toy = self._made_by(toy)
        if not self._real:
            return
        dataset, _ = receive_starter(self.engine, PRINCIPAL, "fashion-mnist")
        self._dataset = dataset.id
        await_(lambda: self._value(select(Dataset.ready_at).where(Dataset.id == dataset.id)), "the dataset")
        training = self.submit("image_vae.train", VAE | {"dataset": self._dataset})
        self._model = self._made_by(training)

    def _made_by(self, training: str) -> str:
        made = select(ModelVersion.id).where(ModelVersion.job_id == training)
        return str(await_(lambda: self._value(made), "the first model"))

    def top_up(self) -> None:
        """Submit until enough jobs wait in each lane; now and then none waits for the training slot."""
        waiting = select(Job.lane, func.count()).where(Job.status.not_in(FINAL)).group_by(Job.lane)

        def count() -> dict[str, int]:
            with self.engine.db.read() as session:
                return {row[0]: row[1] for row in session.execute(waiting)}

        counts = patiently(count)
        for _ in range(BACKLOG["generation"] - counts.get("generation", 0)):
            self.submit_any()
        if counts.get("training", 0) < BACKLOG["training"] and self._rng.random() < 0.5:
            self.train()

    def submit_any(self) -> str:
        """A job that must succeed, of any kind but a toy's training."""
        draw, seed = self._rng.random(), self._rng.randrange(10_000)
        if self._real and draw < REAL_SHARE:
            return self.submit("image_vae.train", VAE | {"dataset": self._dataset, "seed": seed})
        if self._real and draw < 2 * REAL_SHARE:
            return self.submit("image_vae.generate", {"model": self._model, "count": 16, "seed": seed})
        if draw < 0.7:
            return self.walk(seed=seed)
        if draw < 0.85:
            return [self.share(seed=seed + place, steps=self._rng.randint(1, 20)) for place in range(CROWD)][-1]
        return self.submit("toy.generate", {"seed": seed})

    def share(self, allowed: Allowed = SUCCEEDS, **params: Any) -> str:
        """A toy that shares a call of its model with others of its kind that wait."""
        return self.submit("toy.share", {"model": self._toy, "delay": 0.02} | params, allowed)

    def walk(self, allowed: Allowed = SUCCEEDS, priority: int = 0, **params: Any) -> str:
        """A toy of about a second, in checkpointed steps, in a warm runner."""
        return self.submit("toy.evaluate", self._steps() | params, allowed, priority)

    def train(self, allowed: Allowed = SUCCEEDS, priority: int = 0, **params: Any) -> str:
        """The same as a training, in a runner of its own."""
        return self.submit("toy.train", self._steps() | params, allowed, priority)

    def _steps(self) -> dict[str, Any]:
        return {"steps": self._rng.randint(10, 60), "delay": self._rng.uniform(0.005, 0.03)}

    def submit(self, task: str, params: dict[str, Any], allowed: Allowed = SUCCEEDS, priority: int = 0) -> str:
        """Submit until it is accepted; the job's id."""
        with self._lock:
            self._keys += 1
            key = f"chaos-{self._keys}"
        return self.send(Submission(task, params, idempotency_key=key, priority=priority), allowed)

    def send(self, submission: Submission, allowed: Allowed = SUCCEEDS) -> str:
        """The same for a submission that is written already."""
        job = patiently(lambda: submit(self.engine, PRINCIPAL, submission).job.id)
        with self._lock:
            self.accepted[job] = allowed
        return job

    def allow(self, job: str, allowed: Allowed) -> None:
        """Let an accepted job end otherwise."""
        with self._lock:
            self.accepted[job] = allowed

    def unfinished(self) -> int:
        """How many jobs are not final."""
        return patiently(lambda: self._value(select(func.count()).where(Job.status.not_in(FINAL)))) or 0

    def job(self, job_id: str) -> Job:
        """The row as it is now."""
        with self.engine.db.read() as session:
            return session.get_one(Job, job_id)

    def _value(self, statement: Any) -> Any:
        with self.engine.db.read() as session:
            return session.scalar(statement)


def patiently(call: Callable[[], T]) -> T:
    """Call again while the database is away, as a client that is told 503 does."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            return call()
        except SQLAlchemyError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def await_(found: Callable[[], T], what: str) -> T:
    """Look until something is there."""
    end = time.monotonic() + SECONDS
    while not (value := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"never there: {what}")
        time.sleep(0.05)
    return value
