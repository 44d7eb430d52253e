"""A small real stack for the worker's tests: broker, database, slots and scheduler as processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import psutil
import redis
from sqlalchemy import select

from jobs.engine import open_engine
from jobs.lifecycle import request_cancel
from jobs.migrate import upgrade
from jobs.principal import Principal
from jobs.settings import Settings
from jobs.submit import Submission, submit
from jobs.tables import Artifact, Attempt, Job, JobEvent, Metric, ModelVersion
from tests import servers

T = TypeVar("T")
SECONDS = 60.0
QUICK = {
    "AIGC_HEARTBEAT_SECONDS": "0.3",
    "AIGC_LEASE_SECONDS": "2",
    "AIGC_REAP_SECONDS": "0.2",
    "AIGC_REDISPATCH_SECONDS": "30",
    "AIGC_CHECKPOINT_SECONDS": "0.2",
    "AIGC_GRACE_SECONDS": "1",
    "AIGC_RETRY_SECONDS": "0.1",
    "AIGC_MAX_APP_FAILURES": "1",
    "AIGC_CPU_THREADS": "1",
    "AIGC_MIN_FREE_DISK": "0",
}
SECRETS = {"AIGC_TOKEN": "aigc_canary", "DATABASE_PASSWORD": "canary", "AWS_SECRET_ACCESS_KEY": "canary"}


def until(seen: Callable[[], T], what: str = "", seconds: float = SECONDS) -> T:
    """Look again and again until something is there."""
    end = time.monotonic() + seconds
    while not (found := seen()):
        assert time.monotonic() < end, f"never happened: {what}"
        time.sleep(0.02)
    return found


class Process:
    """A process of the stack; what it prints is kept for the message of a failed test."""

    def __init__(self, environment: Mapping[str, str], log: Path, *command: str) -> None:
        self.command = command
        self._log = log.open("ab")
        self.popen = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        self.ready = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_ready(self) -> "Process":
        """Wait for the line that says so."""
        assert self.ready.wait(SECONDS), Path(self._log.name).read_text()
        return self

    def children(self, word: str) -> list[psutil.Process]:
        """Living descendants whose command line holds a word."""
        try:
            found = psutil.Process(self.popen.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [child for child in found if any(word in part for part in _command_line(child))]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.popen.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        self.popen.terminate()
        return self.popen.wait(SECONDS)

    def kill(self) -> None:
        """SIGKILL."""
        self.popen.kill()
        self.popen.wait(SECONDS)

    def _listen(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            self._log.write(line)
            self._log.flush()
            if line.startswith(b"ready"):
                self.ready.set()
        self.popen.stdout.close()
        self._log.close()


class Stack:
    """Starts what a test asks for, and looks at what becomes of its jobs."""

    def __init__(self, database_url: str = "") -> None:
        self.home = Path(tempfile.mkdtemp(prefix="aigc", dir=servers.fast_directory()))
        self.log = self.home / "log"
        own = {"AIGC_HOME": str(self.home), "AIGC_DATABASE_URL": database_url}
        self.environment = {**os.environ, **QUICK, **SECRETS, **own}
        self.settings = Settings(home=self.home, database_url=database_url, min_free_disk=0)
        run = self.home / "run"
        run.mkdir(mode=0o700)
        self.broker = servers.Valkey(run)
        self.engine = open_engine(self.settings)
        upgrade(self.engine.db)
        self.principal = Principal("default", "tester")
        self.processes: list[Process] = []

    def start(self, *command: str, **environment: str) -> Process:
        """Start a process and keep it for the end."""
        process = Process({**self.environment, **environment}, self.log, *command)
        self.processes.append(process)
        return process

    def slots(self, *lanes: str, **environment: str) -> Process:
        """A launcher with a slot for each lane; without lanes, both."""
        arguments = [part for lane in lanes for part in ("--lane", lane)]
        return self.start("worker.launch", "--device", "cpu", *arguments, **environment)

    def kill_launchers(self) -> None:
        """Kill every launcher that is left; their slots and runners go with them."""
        for process in self.processes:
            if "worker.launch" in process.command and process.popen.poll() is None:
                process.kill()

    def scheduler(self) -> Process:
        """The process that reaps expired leases."""
        return self.start("jobs.scheduler")

    def submit(self, task: str, **params: Any) -> str:
        """Submit a toy; the id of its job."""
        return submit(self.engine, self.principal, Submission(f"toy.{task}", params)).job.id

    def cancel(self, job_id: str) -> None:
        """Cancel a job."""
        request_cancel(self.engine, self.principal, job_id)

    def consumers(self) -> int:
        """How many slots wait for tokens at the broker."""
        with redis.Redis(unix_socket_path=str(self.broker.socket)) as client:
            return sum(found["cmd"] == "brpop" for found in client.client_list())

    def job(self, job_id: str) -> Job:
        """The row."""
        with self.engine.db.read() as session:
            return session.get_one(Job, job_id)

    def wait_for(self, job_id: str, *statuses: str, seconds: float = SECONDS) -> Job:
        """Wait until a job has one of some statuses."""
        try:
            until(lambda: self.job(job_id).status in statuses, f"{job_id} is {statuses}", seconds)
        except AssertionError:
            job = self.job(job_id)
            raise AssertionError(f"{job.status} at step {job.step}, {job.failure}\n{self.log.read_text()}") from None
        return self.job(job_id)

    def wait_for_step(self, job_id: str, step: int) -> None:
        """Wait until a job runs and has come that far."""
        until(lambda: (job := self.job(job_id)).status == "running" and job.step >= step, f"step {step}")

    def wait_for_checkpoint(self, job_id: str, step: int) -> None:
        """Wait until a checkpoint of that step or a later one is recorded."""
        until(lambda: self.job(job_id).checkpoint_step >= step, f"a checkpoint at step {step}")

    def model_of(self, job_id: str) -> str:
        """The id of the model version that a job made."""
        with self.engine.db.read() as session:
            return session.scalars(select(ModelVersion.id).where(ModelVersion.job_id == job_id)).one()

    def attempts(self, job_id: str) -> list[Attempt]:
        """All attempts of a job, in order."""
        with self.engine.db.read() as session:
            return list(session.scalars(select(Attempt).where(Attempt.job_id == job_id).order_by(Attempt.number)))

    def lines(self, job_id: str) -> list[str]:
        """The job's log."""
        with self.engine.db.read() as session:
            events = session.scalars(select(JobEvent).where(JobEvent.job_id == job_id, JobEvent.kind == "log"))
            return [event.data["message"] for event in events]

    def curve(self, job_id: str) -> list[int]:
        """The steps of which figures are kept."""
        with self.engine.db.read() as session:
            return list(session.scalars(select(Metric.step).where(Metric.job_id == job_id).order_by(Metric.step)))

    def files(self, job_id: str, role: str = "output") -> dict[str, Artifact]:
        """The artifacts of a job by name."""
        with self.engine.db.read() as session:
            found = session.scalars(select(Artifact).where(Artifact.job_id == job_id, Artifact.role == role))
            return {artifact.name: artifact for artifact in found}

    def content(self, job_id: str, name: str) -> bytes:
        """The bytes of an output."""
        with self.engine.store.open(self.files(job_id)[name].sha256) as stream:
            return stream.read()

    def close(self) -> None:
        """Kill everything and remove the home."""
        for process in self.processes:
            for child in process.children(""):
                child.kill()
            if process.popen.poll() is None:
                process.kill()
        self.broker.stop()
        self.engine.db.dispose()
        shutil.rmtree(self.home, ignore_errors=True)


def _command_line(process: psutil.Process) -> list[str]:
    try:
        line: list[str] = process.cmdline()
    except psutil.NoSuchProcess:  # it ended meanwhile, or waits to be reaped
        return []
    return line
