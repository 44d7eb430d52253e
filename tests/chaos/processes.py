"""The product's processes, started one by one by name, so that each can be killed, frozen or drained alone."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psutil

from tests.servers import valkey_binary

READY_SECONDS = 60.0
GONE = (psutil.NoSuchProcess, psutil.ZombieProcess)


class NotReady(RuntimeError):
    """A process did not say that it serves; its log says why."""


class Process:
    """One process with its own log, known to serve once it printed its ``ready`` line."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self.command, self.environment, self.log = name, command, environment, log
        self.ready_line = ""
        self.ready_at = 0.0
        self._said = threading.Event()
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running instance."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs at this moment."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How it ended, or None while it runs."""
        assert self._process is not None
        return self._process.poll()

    @property
    def ready(self) -> bool:
        """Whether it has said that it serves."""
        return bool(self.ready_line)

    def start(self) -> None:
        """Start it and wait until it says that it is ready.

        Raises:
            NotReady: It ended or stayed silent for a minute.
        """
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start it."""
        self.ready_line, self._said = "", threading.Event()
        with self.log.open("a") as errors:
            self._process = subprocess.Popen(
                self.command, env=self.environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        assert self._process.stdout is not None
        threading.Thread(target=self._listen, args=(self._process.stdout, self._said), daemon=True).start()

    def wait_ready(self) -> None:
        """Wait until it says that it is ready.

        Raises:
            NotReady: It ended or stayed silent for a minute.
        """
        if not self._said.wait(READY_SECONDS) or not self.ready_line:
            raise NotReady(f"{self.name} is not ready; its log ends with:\n{self.log.read_text()[-2000:]}")

    def _is_ready(self, line: str) -> bool:
        return line.startswith("ready")

    def _listen(self, stream: IO[str], said: threading.Event) -> None:
        with self.log.open("a") as log:
            for line in stream:
                log.write(line)
                if self._is_ready(line) and said is self._said:
                    self.ready_line, self.ready_at = line.strip(), time.monotonic()
                    said.set()
        said.set()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self, seconds: float = 20.0) -> None:
        """SIGTERM, then SIGKILL for what does not listen."""
        if not self.alive:
            return
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()


class Worker(Process):
    """A launcher and what it started: a slot for each lane, and their runners."""

    def __init__(self, name: str, lanes: Sequence[str], environment: dict[str, str], log: Path) -> None:
        options = [part for lane in lanes for part in ("--lane", lane)]
        super().__init__(name, [sys.executable, "-m", "worker.launch", *options], environment, log)
        self.lanes = lanes

    def slots(self) -> list[int]:
        """Process ids of its Celery processes, one for each lane."""
        return [child.pid for child, line in self._children() if "celery" in line]

    def runners(self) -> list[int]:
        """Process ids of the processes that hold torch."""
        return [child.pid for child, line in self._children() if "worker.runner" in line]

    def below(self) -> list[psutil.Process]:
        """All processes below the launcher."""
        return [child for child, _ in self._children()]

    def freeze(self) -> list[psutil.Process]:
        """Stop the launcher and all below it, as a virtual machine that is paused; gives what to resume."""
        stopped = []
        for process in [psutil.Process(self.pid), *self.below()]:
            try:
                process.suspend()
            except GONE:
                continue
            stopped.append(process)
        return stopped

    def _children(self) -> list[tuple[psutil.Process, list[str]]]:
        found = []
        try:
            children = psutil.Process(self.pid).children(recursive=True)
        except GONE:
            return []
        for child in children:
            try:
                if line := child.cmdline():
                    found.append((child, line))
            except GONE:
                continue
        return found


class Broker(Process):
    """A Valkey on a Unix socket that can lose everything it held."""

    def __init__(self, directory: Path, log: Path, persistent: bool = False) -> None:
        self.directory, self.socket = directory, directory / "valkey.sock"
        options = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "700",
            "--save": "",
            "--appendonly": "yes" if persistent else "no",
            "--maxmemory-policy": "noeviction",
            "--dir": str(directory),
        }
        command = [valkey_binary(), *(part for option in options.items() for part in option)]
        super().__init__("broker", command, dict(os.environ), log)

    def wipe(self) -> None:
        """Remove what it has written down."""
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)

    def _is_ready(self, line: str) -> bool:
        return "ready to accept connections" in line.lower()


class Stack:
    """Broker, scheduler and one worker with a slot for each lane (and a web server when asked)."""

    def __init__(self, home: Path, database_url: str = "", web: bool = False, **settings: object) -> None:
        self.home, logs = home, home / "logs"
        for directory in (home, logs, home / "broker"):
            directory.mkdir(parents=True, exist_ok=True)
        self.broker = Broker(home / "broker", logs / "broker.log")
        self.environment = os.environ | {
            "AIGC_HOME": str(home),
            "AIGC_DATABASE_URL": database_url,
            "AIGC_REDIS_URL": f"redis+socket://{self.broker.socket}",
            "AIGC_PORT": "0",
            **{f"AIGC_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.scheduler = self._python("scheduler", "jobs.scheduler")
        self.worker = Worker("worker", ("training", "generation"), self.environment, logs / "worker.log")
        self.web = self._python("web", "web") if web else None

    def _python(self, name: str, module: str) -> Process:
        return Process(name, [sys.executable, "-m", module], self.environment, self.home / "logs" / f"{name}.log")

    @property
    def processes(self) -> list[Process]:
        """All of them, in the order they start."""
        return [self.broker, self.scheduler, self.worker, *([self.web] if self.web else [])]

    def __enter__(self) -> "Stack":
        migrate(self.environment)
        try:
            for process in self.processes:
                process.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.stop()


def migrate(environment: dict[str, str]) -> None:
    """Make the tables."""
    subprocess.run([sys.executable, "-m", "jobs.migrate"], env=environment, check=True, capture_output=True)
