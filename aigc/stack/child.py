"""One process of the stack: started tethered, its output in a log file, ready when it says so."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aigc.stack import tether

READY = b"ready"
LONGEST_LOG = 10 * 2**20
SOON_SECONDS = 2.0
HEALTHY_SECONDS = 30.0
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class Role:
    """What a process is for and how it is run.

    Attributes:
        name: Shown to people; also the name of its log.
        command: What to run.
        answers: Tells whether it serves, for a program that prints no ``ready`` line.
        lasting: Whether it should go on until it is stopped.
    """

    name: str
    command: list[str]
    answers: Callable[[], bool] | None = None
    lasting: bool = True


@dataclass
class Child:
    """A role, and the process that plays it now."""

    role: Role
    log: Path
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started_at: float = 0.0
    deaths: int = 0
    restart_at: float | None = None
    _log_start: int = 0

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C reaches only us."""
        if self.log.exists() and self.log.stat().st_size > LONGEST_LOG:
            self.log.replace(self.log.with_suffix(".old.log"))
        command = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *self.role.command]
        with self.log.open("ab") as output:
            self._log_start = output.tell()
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                start_new_session=True,
            )
        self.started_at, self.restart_at = time.monotonic(), None

    @property
    def exit_code(self) -> int | None:
        """How the process ended, or None while it runs or was never started."""
        return self.process.poll() if self.process else None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process is not None and self.process.poll() is None

    def ready(self) -> str | None:
        """What it said after ``ready``, once it serves; None before."""
        if self.role.answers is not None:
            return "" if self.role.answers() else None
        for line in self.printed().splitlines(keepends=True):
            if line.startswith(READY) and line.endswith(b"\n"):
                return line[len(READY) :].strip().decode(errors="replace")
        return None

    def printed(self) -> bytes:
        """What it printed since it was last started."""
        with suppress(OSError), self.log.open("rb") as output:
            output.seek(self._log_start)
            return output.read(2**20)
        return b""

    def last_lines(self, count: int = 15) -> str:
        """The end of what it printed."""
        with suppress(OSError), self.log.open("rb") as output:
            output.seek(max(self._log_start, output.seek(0, os.SEEK_END) - 2**16))
            return "\n".join(output.read().decode(errors="replace").splitlines()[-count:])
        return ""

    def plan_restart(self) -> float:
        """Decide when to start again: at once the first time, later and later if it keeps dying."""
        lasted = time.monotonic() - self.started_at
        self.deaths = 1 if lasted > HEALTHY_SECONDS else self.deaths + 1
        pause = 0.0 if self.deaths == 1 else min(LONGEST_PAUSE, 0.5 * 2.0 ** (self.deaths - 2))
        self.restart_at = time.monotonic() + pause
        return pause

    def stop(self, patience: float, waiting: Callable[[], None] = lambda: None) -> bool:
        """Ask it to end, then make it; tells whether asking was enough. ``waiting`` is called if it takes long."""
        if self.alive and self.process is not None:
            self.process.terminate()
        if self._ended_within(min(SOON_SECONDS, patience)):
            return True
        waiting()
        if self._ended_within(patience - SOON_SECONDS):
            return True
        self.kill()
        return False

    def _ended_within(self, seconds: float) -> bool:
        try:
            if self.process is not None:
                self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it and everything in its session's process group, at once."""
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
