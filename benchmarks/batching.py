"""Many users' small generations on one model: sharing calls of the model beside one call for each job, in one run.

``python -m benchmarks.batching``: two installations on the real stack, each with a web process's engine, a scheduler
and a generation slot, take turns; in one of them jobs may share calls, in the other every job has its own
(``AIGC_SHARED_JOBS=1``; bursts, which share commits, are left on). Both have the same models, trained here for a
moment: what is written is not good, and takes as long as if it were. The last line is JSON.

- ``text_speedup``, ``table_speedup``, ``image_speedup``: jobs a second of 64 waiting jobs of one item each (a text of
  up to 64 tokens after a prompt of its own, a row, a picture) by 8 users, over those with a call for each; the clock
  stops when none is queued or running. Medians of the rounds; the first round warms up and is not counted.
- ``batched_p99_ms``, ``unbatched_p99_ms``: from a job's submission to its end, over all kinds and rounds.
- ``items_equal``: whether every file of every job has the same bytes on both sides.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import redis
from sqlalchemy import select, update

from aigc_models import registry
from aigc_models.base import Params
from aigc_models.data.starters import STARTERS
from aigc_models.standalone import LocalRun, open_dataset, perform
from benchmarks.engine import ROOT, installation, started_broker, unfinished, until
from jobs import claiming
from jobs.artifacts import NewFile, media_type
from jobs.claiming import WorkerIdentity
from jobs.engine import Engine
from jobs.ids import new_id
from jobs.lifecycle import Lease
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.submit import Draft, insert_job
from jobs.tables import Artifact, Job, JobInput
from tests.chaos.processes import Broker, Process
from web.wakeups import message

USERS = 8
WORDS = ("light", "small", "for every day", "the new", "made of steel", "a red one that", "quiet", "with two handles")


@dataclass(frozen=True, slots=True)
class Kind:
    """What is generated.

    Attributes:
        family: Of the model.
        starter: What it is trained on.
        training: Settings of that.
        wish: Settings of a job.
    """

    family: str
    starter: str
    training: Mapping[str, Any]
    wish: Mapping[str, Any]


KINDS = {
    "text": Kind(
        "text_transformer",
        "synthetic-products",
        {"steps": 40, "width": 128, "num_layers": 4, "context": 128, "batch_size": 16, "vocabulary": 1024},
        {"count": 1, "max_tokens": 64},
    ),
    "table": Kind("table_gan", "credit", {"epochs": 1, "least_steps": 20, "batch_size": 250}, {"count": 1}),
    "image": Kind("image_gan", "fashion-mnist", {"epochs": 1, "width": 16}, {"count": 1}),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One installation.

    Attributes:
        engine: Of its user.
        client: Of its broker.
        queue: Of its slot.
        models: Model versions by kind.
    """

    engine: Engine
    client: "redis.Redis"
    queue: str
    models: Mapping[str, str]


def main() -> None:
    """Train, start both sides, measure in turns, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=64, help="jobs that wait at a time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", type=Path, help="directory that keeps the trained models for the next run")
    parser.add_argument("--only", default=",".join(KINDS), help="some of the kinds, separated by commas")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="what the slots compute on")
    parser.add_argument("--train", action="store_true", help="train the models and measure nothing")
    options = parser.parse_args()
    kinds = options.only.split(",")
    with tempfile.TemporaryDirectory(prefix="aigcbatch") as directory, ExitStack() as undo:
        home = Path(directory)
        trained = {kind: train(KINDS[kind], (options.models or home / "models") / kind) for kind in kinds}
        if options.train:
            return
        os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        sides = {
            name: undo.enter_context(running(home / name, most, trained, options.device))
            for name, most in (("batched", "64"), ("unbatched", "1"))
        }
        print(json.dumps(measure(sides, kinds, options.jobs, options.rounds)))


def train(kind: Kind, home: Path) -> Path:
    """A model's files, made now if they are not there."""
    if not (home / "model" / "config.json").is_file():
        dataset = open_dataset(kind.starter, home / "data", LocalRun(home / "import"))
        params = settings(f"{kind.family}.train", dict(kind.training))
        perform(kind.family, "train", params, LocalRun(home, {"dataset": dataset}))
        print(f"trained {kind.family} on {STARTERS[kind.starter].title}", flush=True)
    return home / "model"


def settings(task: str, given: dict[str, Any]) -> Params:
    """Validated settings, with ids where inputs are needed that no operation looks at."""
    declared = registry.task(task)
    for name, field in declared.model_json_schema()["properties"].items():
        if "x-input" in field and "default" not in field:
            given.setdefault(name, {"dataset": "ds_", "model": "mdl_"}[field["x-input"]] + "0" * 26)
    return declared.model_validate_json(json.dumps(given))


@contextmanager
def running(home: Path, most: str, trained: Mapping[str, Path], device: str) -> Iterator[Side]:
    """An installation with a scheduler and a generation slot, and the models in its database."""
    with ExitStack() as undo:
        home.mkdir()
        broker = undo.enter_context(started_broker(home))
        engine, environment = installation(home / "aigc", broker)
        undo.callback(engine.db.dispose)
        models = {kind: register(engine, KINDS[kind], files) for kind, files in trained.items()}
        own = {**environment, "AIGC_SHARED_JOBS": most}
        for name, command in (("scheduler", ["jobs.scheduler"]), ("slot", _launch(device))):
            process = Process(name, [sys.executable, "-m", *command], own, home / f"log-{name}")
            undo.callback(process.stop)
            process.start()
        client = undo.enter_context(redis.Redis(unix_socket_path=str(_socket(broker))))
        yield Side(engine, client, f"generation.{device}", models)


def _launch(device: str) -> list[str]:
    return ["worker.launch", "--device", "cpu" if device == "cpu" else "0", "--lane", "generation"]


def _socket(broker: Broker) -> Path:
    return Path(broker.socket)


def register(engine: Engine, kind: Kind, files: Path) -> str:
    """A model version that a training in this database made, as far as anybody can tell."""
    principal = Principal("default", "bench")
    draft = Draft(
        task=f"{kind.family}.train", params=settings(f"{kind.family}.train", dict(kind.training)), name="bench"
    )
    with engine.db.begin() as session:
        job = insert_job(session, engine, principal, draft, engine.db.now(session))
        job_id = job.id
    claim = claiming.claim(engine, WorkerIdentity("wrk_bench", "training", "cpu"))
    if claim is None or claim.job_id != job_id:
        raise RuntimeError("the training was not to be had")
    made = []
    for path in sorted(file for file in files.rglob("*") if file.is_file()):
        sha256, size = engine.store.put(path)
        made.append(NewFile(f"model/{path.relative_to(files).as_posix()}", sha256, size, media_type(path.name)))
    # Files name the model they were made with, so it is called the same on both sides.
    known = f"mdl_{kind.family.replace('_', ''):0<26}"
    with mock.patch("jobs.results.new_id", lambda prefix: known if prefix == "mdl" else new_id(prefix)):
        Lease(engine, claim).succeed({}, made)
    return Repository(engine, principal).models_made_by([job_id])[job_id]


def measure(sides: Mapping[str, Side], kinds: Sequence[str], jobs: int, rounds: int) -> dict[str, Any]:
    """All figures."""
    rates: dict[tuple[str, str], list[float]] = {(side, kind): [] for side in sides for kind in kinds}
    waits: dict[str, list[float]] = {side: [] for side in sides}
    equal = True
    for number in range(rounds + 1):
        for kind in kinds:
            made: dict[str, dict[int, dict[str, str]]] = {}
            for name, side in sides.items():
                rate, took, made[name] = drain(side, kind, jobs, 1000 * number)
                print(f"round {number}: {kind} {name} {rate:.1f} jobs/s", flush=True)
                if number:
                    rates[name, kind].append(rate)
                    waits[name] += took
            if made["batched"] != made["unbatched"]:
                equal = False
                print(f"round {number}: {kind}: {differing(made['batched'], made['unbatched'])}", flush=True)
    result: dict[str, Any] = {}
    for kind in kinds:
        ours, theirs = (statistics.median(rates[name, kind]) for name in ("batched", "unbatched"))
        result[f"{kind}_speedup"] = round(ours / theirs, 2)
        result |= {f"{kind}_batched_per_s": round(ours, 1), f"{kind}_unbatched_per_s": round(theirs, 1)}
    for name, seconds in waits.items():
        result[f"{name}_p99_ms"] = round(1000 * sorted(seconds)[int(0.99 * (len(seconds) - 1))], 1)
    return result | {"items_equal": equal, "jobs": jobs, "users": USERS, "rounds": rounds, "cpus": os.cpu_count()}


def differing(ours: Mapping[int, Mapping[str, str]], theirs: Mapping[int, Mapping[str, str]]) -> dict[str, int]:
    """How many jobs have other bytes in which of their files."""
    names = {name for files in (*ours.values(), *theirs.values()) for name in files}
    counted = {name: sum(ours[job].get(name) != theirs[job].get(name) for job in ours) for name in sorted(names)}
    return {name: count for name, count in counted.items() if count}


def drain(side: Side, kind: str, jobs: int, seed: int) -> tuple[float, list[float], dict[int, dict[str, str]]]:
    """Jobs a second until all have ended, seconds each took, and the hashes of each one's files by its seed.

    Raises:
        SystemExit: A job has not succeeded.
    """
    engine, task = side.engine, f"{KINDS[kind].family}.generate"
    ids: dict[str, int] = {}
    draw = random.Random(seed)  # prompts of several lengths
    with engine.db.begin() as session:
        now = engine.db.now(session)
        for place in range(jobs):
            wish = {**KINDS[kind].wish, "model": side.models[kind], "seed": seed + place}
            if kind == "text":
                wish["prompt"] = " ".join(draw.sample(WORDS, draw.randint(1, 6)))
            params = registry.task(task).model_validate_json(json.dumps(wish))
            user = Principal("default", f"user-{place % USERS}")
            job = insert_job(session, engine, user, Draft(task=task, params=params, name="bench"), now).id
            session.add(JobInput(job_id=job, field="model", model_id=side.models[kind]))
            ids[job] = seed + place
        session.flush()
        session.execute(update(Job).where(Job.status == "queued").values(dispatched_at=now))
        began = time.perf_counter()
    side.client.lpush(f"{engine.settings.key_prefix}{side.queue}", *[message(side.queue) for _ in range(jobs)])
    until(lambda: not unfinished(engine))
    rate = jobs / (time.perf_counter() - began)
    with engine.db.read() as session:
        ended = session.execute(select(Job.status, Job.created_at, Job.finished_at).where(Job.id.in_(ids))).all()
        files = session.execute(select(Artifact.job_id, Artifact.name, Artifact.sha256).where(Artifact.job_id.in_(ids)))
        made: dict[int, dict[str, str]] = {}
        for row in files:
            made.setdefault(ids[row.job_id], {})[row.name] = row.sha256
    if {row.status for row in ended} != {"succeeded"}:
        raise SystemExit(f"not all {kind} jobs succeeded: {[row.status for row in ended]}")
    return rate, [(row.finished_at - row.created_at).total_seconds() for row in ended], made


if __name__ == "__main__":
    main()
