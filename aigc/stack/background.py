"""A stack without a terminal: starting one that stays when its terminal goes, and stopping one from anywhere."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from aigc import program
from aigc.address import Running, running_stack
from aigc.stack.home import StackError

LOOK_SECONDS = 0.1
STOP_SECONDS = 75.0  # what all parts together may take, and a little


def is_held(home: Path) -> bool:
    """Whether a process holds the lock of a home directory: the one that ran a stack may be gone, its number reused."""
    try:
        lock = (home / "run" / "up.lock").open("rb")
    except OSError:
        return False
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def start(home: Path, arguments: Sequence[str], environ: Mapping[str, str] = os.environ) -> Running:
    """Start ``aigc up`` in a session of its own, its words in a file, and wait until all of it serves.

    Raises:
        StackError: It ended instead; the message is what it said.
    """
    log = home / "logs" / "up.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    inherited = {**environ, program.PASSED_ON: program.called(), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "aigc", "up", "--no-open", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=inherited,
            start_new_session=True,
        )
    try:
        return _ready(process, home, log, begin)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _ready(process: "subprocess.Popen[bytes]", home: Path, log: Path, begin: int) -> Running:
    while True:
        ended = process.poll()
        if ended is not None:
            with log.open("rb") as said:
                said.seek(begin)
                words = said.read().decode(errors="replace").strip()
            raise StackError(words.rpartition("Error: ")[2], ended or 1)  # before it stands what was ready
        running = running_stack(home)
        if running is not None and running.pid == process.pid and running.url:
            return running
        time.sleep(LOOK_SECONDS)


def stop(home: Path, tell: Callable[[Running], None], *, at_once: bool = False) -> Running | None:
    """Stop the stack that runs on a home directory and wait until it has; None where none runs.

    Args:
        home: The directory.
        tell: Told of what is being stopped.
        at_once: Whether running jobs get no time to save their state; they go on from their last checkpoint.

    Raises:
        StackError: It belongs to somebody else, does not stop, or the lock is held by something that is no stack.
    """
    if not is_held(home):
        return None
    running = running_stack(home)
    if running is None:
        raise StackError(
            f"The directory {home} is in use, but by no stack: a restore or a clean-up may run. Wait for it."
        )
    tell(running)
    deadline = time.monotonic() + STOP_SECONDS
    _signal(running, home)
    if at_once:
        time.sleep(LOOK_SECONDS)
        _signal(running, home)
    while is_held(home):
        if time.monotonic() > deadline:
            raise StackError(
                f"The process {running.pid} has not ended after {STOP_SECONDS:.0f} s. Its logs: {home / 'logs'}"
            )
        time.sleep(LOOK_SECONDS)
    return running


def _signal(running: Running, home: Path) -> None:
    """Ask the stack to stop; it is the one that holds the lock now, so its number is no other process's."""
    if not is_held(home):
        return
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise StackError(f"The process {running.pid} belongs to somebody else. Stop it as that user.") from None
