"""The product with everything on this machine: a training whose runner is killed, generations, a job without room."""

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil
from sqlalchemy import select

import aigc
from jobs.engine import Engine, open_engine
from jobs.settings import Settings
from jobs.tables import Attempt, Job
from worker import readings
from worker.devices import Device
from worker.nvml import open_nvml

T = TypeVar("T")
SECONDS = 240.0
_GENERATIONS = 25


def check(device: Device, work: Path, share: float | None = None, epochs: int = 40) -> dict[str, Any]:
    """Everything, on one installation.

    Args:
        device: What ``aigc up`` will find by itself.
        work: Directory for it.
        share: Share of the GPU's memory a slot may take, so that the job in :mod:`benchmarks.gpu.memory` has no room.
        epochs: Passes of the training that is disturbed.
    """
    home = work / "home"
    settings = {"AIGC_CHECKPOINT_SECONDS": "1"} | ({"AIGC_GPU_MEMORY_SHARE": str(share)} if share else {})
    with _up(home, settings) as url, aigc.Client(url) as client:
        engine = open_engine(Settings(home=home))
        found: dict[str, Any] = {"workers": sorted({str(one.device) for one in client.workers.list()})}
        data = client.datasets.starter("fashion-mnist")
        before = _joules(device)
        training = client.jobs.submit("image_gan.train", {"dataset": data.id, "epochs": epochs}, preset="quick")
        killed = _kill_when_saved(engine, training.id)
        training.wait(timeout=SECONDS)
        found |= killed | _attempts(engine, training.id)
        found |= {"lane": _row(engine, training.id).device_kind, "watt_hours": _watt_hours(before, _joules(device))}
        found |= _generations(client, str(training.refresh().model))
        if share:
            found |= _without_room(client, engine, data.id)
        engine.db.dispose()
    assert found["lane"] == device.kind, found
    assert found["resumed_step"] >= found["killed_after_checkpoint"] > 0, found
    return found


@contextmanager
def _up(home: Path, settings: dict[str, str]) -> Iterator[str]:
    command = [sys.executable, "-m", "aigc", "up", "--home", str(home), "--port", "0", "--no-open"]
    environment = {**os.environ, **settings, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield _address(process.stdout)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        for log in sorted((home / "logs").glob("*.log")):
            print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-25:], sep="\n")


def _address(lines: Any) -> str:
    for line in lines:
        print(line, end="")
        words = line.split()
        if words[:1] == ["Open"]:
            threading.Thread(target=lambda: [print(more, end="") for more in lines], daemon=True).start()
            return str(words[1])
    raise RuntimeError("the product did not start")


def _kill_when_saved(engine: Engine, job_id: str) -> dict[str, Any]:
    """Kill the training's runner as soon as a checkpoint is recorded."""
    _until(lambda: _row(engine, job_id).checkpoint_step > 0 or _row(engine, job_id).status not in ("queued", "running"))
    row = _row(engine, job_id)
    assert row.status == "running", f"{row.status}: {row.failure}"
    runner = _runner_of(engine, row)
    os.kill(runner, signal.SIGKILL)
    began = time.perf_counter()
    _until(lambda: (now := _row(engine, job_id)).status == "running" and now.attempt > row.attempt)
    return {"killed_after_checkpoint": row.checkpoint_step, "back_after_s": round(time.perf_counter() - began, 2)}


def _runner_of(engine: Engine, row: Job) -> int:
    """The process that works on a job: the runner that holds the attempt's directory as its own, by its slot."""
    from jobs.tables import WorkerNode

    with engine.db.read() as session:
        slot = session.scalars(select(WorkerNode.pid).where(WorkerNode.id == row.worker_id)).one()
    below = psutil.Process(slot).children()
    runners = [child for child in below if "worker.runner" in " ".join(child.cmdline())]
    return int(max(runners, key=lambda child: sum(child.cpu_times()[:2])).pid)  # the other one waits for its turn


def _attempts(engine: Engine, job_id: str) -> dict[str, Any]:
    with engine.db.read() as session:
        rows = session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number)).all()
    return {
        "outcomes": [row.outcome for row in rows],
        "codes": [row.failure_code for row in rows if row.failure_code],
        "resumed_step": rows[-1].resumed_step or 0,
    }


def _generations(client: Any, model: str) -> dict[str, Any]:
    """From the submission over HTTP until success is seen, one after the other."""
    times = []
    for seed in range(_GENERATIONS):
        began = time.perf_counter()
        client.models.generate(model, {"count": 16, "seed": seed}).wait(timeout=SECONDS)
        times.append(time.perf_counter() - began)
    warm = sorted(times[5:])
    return {
        "first_generation_s": round(times[0], 3),
        "generation_p50_ms": round(1000 * statistics.median(warm), 1),
        "generation_p95_ms": round(1000 * warm[int(0.95 * len(warm))], 1),
    }


def _without_room(client: Any, engine: Engine, dataset: str) -> dict[str, Any]:
    from benchmarks.gpu.memory import LARGE

    job = client.jobs.submit("image_gan.train", {"dataset": dataset, **LARGE, "epochs": 8})
    job.wait(timeout=SECONDS)
    told = _attempts(engine, job.id)
    assert "out_of_memory" in told["codes"], told
    return {"without_room": {**told, "adjustments": dict(_row(engine, job.id).adjustments)}}


def _row(engine: Engine, job_id: str) -> Job:
    with engine.db.read() as session:
        return session.get_one(Job, job_id)


def _until(seen: Callable[[], T]) -> T:
    end = time.monotonic() + SECONDS
    while not (found := seen()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found


def _joules(device: Device) -> float | None:
    with open_nvml() as nvml:
        return readings.read(device, nvml).joules


def _watt_hours(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round((after - before) / 3600, 4)
