"""Starting runners ahead of need, keeping them warm, recycling and killing them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from jobs.staging import TAIL_BYTES
from worker import linux
from worker.protocol import Message, Reader, Writer

_PASSED_ON = {
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "SSL_CERT_FILE",
}  # fmt: skip
_PASSED_ON_PREFIXES = (
    "LC_", "PYTHON", "OMP_", "MKL_", "KMP_", "GOMP_", "TORCH", "PYTORCH_", "TRITON_", "NCCL_", "GLOO_",
    "CUDA_", "NVIDIA_", "XDG_", "MALLOC_", "DNNL_", "ONEDNN_", "MPL",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RunnerSpec:
    """How the runners of a slot are started.

    Attributes:
        threads: Threads it computes with.
        cache: Bytes of models it may keep loaded.
        environment: Variables that say which device it sees.
        preload: Whether to import all networks ahead of the first job.
        inherited: Descriptors it holds open as long as it lives (the device's lock).
        memory_share: Share of a GPU's memory it may take.
    """

    threads: int = 1
    cache: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)
    preload: bool = False
    inherited: Sequence[int] = ()
    memory_share: float = 1.0


class Tail:
    """Keeps reading what a process prints, so that it never blocks, and remembers the end of it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._copy_path: Path | None = None
        self._copy: FileIO | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._pump, name="runner-output", daemon=True)
        self._thread.start()

    def text(self) -> str:
        """The last 64 KiB."""
        with self._lock:
            return b"".join(self._chunks)[-TAIL_BYTES:].decode(errors="replace").replace("\0", "")

    def clear(self) -> None:
        """Forget what another job printed."""
        with self._lock:
            self._chunks.clear()
            self._held = 0
            self._drop_copy()

    def copy_to(self, path: Path) -> None:
        """Keep the end of it in a file, too, from now on: it outlives this process, should that be killed.

        There is no file as long as nothing is printed.
        """
        with self._lock:
            self._drop_copy()
            self._copy_path = path
            if self._chunks:
                self._copy_whole()

    def wait(self, seconds: float) -> None:
        """Wait until everything is read: the process is dead, and so is whatever it started."""
        self._thread.join(seconds)

    def _pump(self) -> None:
        while chunk := os.read(self._fd, 1 << 16):
            with self._lock:
                self._chunks.append(chunk)
                self._held += len(chunk)
                while self._held - len(self._chunks[0]) >= TAIL_BYTES:
                    self._held -= len(self._chunks.popleft())
                self._copy_new(chunk)
        with self._lock:
            self._drop_copy()
        os.close(self._fd)

    def _copy_new(self, chunk: bytes) -> None:
        if self._copy is None or self._copy.tell() + len(chunk) > 4 * TAIL_BYTES:
            self._copy_whole()
            return
        try:
            self._copy.write(chunk)
        except OSError:  # a full disk: what is kept in memory must do
            self._drop_copy()

    def _copy_whole(self) -> None:
        if self._copy_path is None:
            return
        try:
            self._copy = self._copy or FileIO(self._copy_path, "w")
            self._copy.seek(0)
            self._copy.truncate()
            self._copy.write(b"".join(self._chunks)[-TAIL_BYTES:])
        except OSError:
            self._drop_copy()

    def _drop_copy(self) -> None:
        self._copy_path = None
        if self._copy is not None:
            self._copy.close()
            self._copy = None


class Runner:
    """One runner process, seen from its supervisor.

    Attributes:
        jobs: How many it was given.
        warm: Keys of the models it has loaded.
        oom_kills: What the kernel had killed for memory before the last of them.
        ended_itself: Whether it died at work, killed by nobody here.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", commands: Writer, events: Reader, tail: Tail) -> None:
        self.process = process
        self.events = events
        self.tail = tail
        self.jobs = self.oom_kills = 0
        self.ended_itself = False
        self.warm: frozenset[str] = frozenset()
        self._ready = False
        self._commands = commands
        # Unlike the end of the pipe, this is not held back by something the runner has forked.
        self.exit_fd = os.pidfd_open(process.pid) if hasattr(os, "pidfd_open") else None

    @property
    def pid(self) -> int:
        """Process id, also the number of its process group and session."""
        return self.process.pid

    def send(self, kind: str, /, **fields: object) -> None:
        """Send a message; that a runner is dead is learnt from its events."""
        with contextlib.suppress(BrokenPipeError):
            self._commands.send(kind, **fields)

    def read(self) -> list[Message]:
        """What it has said since."""
        return self.events.read()

    def ready(self) -> bool:
        """Whether it has imported all it needs; asked of one that has no job yet."""
        self._ready = self._ready or any(message["kind"] == "ready" for message in self.read())
        return self._ready

    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.returncode is None and not linux.has_exited(self.pid)

    def kill(self) -> int:
        """Kill the process and all it started that stayed in its group; the exit status as Popen has it."""
        if self.process.returncode is None:  # not reaped, so the number cannot be another group's by now
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()

    def close(self) -> None:
        """Kill it and let go of the pipes."""
        self.kill()
        self._commands.close()
        if self.events.fd >= 0:
            os.close(self.events.fd)
            self.events.fd = -1
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None


def start_runner(spec: RunnerSpec) -> Runner:
    """Start a runner; it says ``ready`` when torch is imported, but takes messages at once.

    Call from a thread that lives as long as the process (see :func:`worker.linux.die_with_parent`).
    """
    commands_read, commands_write = os.pipe()
    events_read, events_write = os.pipe()
    output_read, output_write = os.pipe()
    arguments = [
        f"--commands={commands_read}", f"--events={events_write}", f"--parent={os.getpid()}",
        f"--threads={spec.threads}", f"--cache={spec.cache}", *(["--preload"] if spec.preload else []),
        f"--memory-share={spec.memory_share}",
    ]  # fmt: skip
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.runner", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output_write,
            stderr=output_write,
            env=environment(os.environ, spec),
            pass_fds=(commands_read, events_write, *spec.inherited),
            start_new_session=True,
        )
    except OSError:
        for fd in (commands_write, events_read, output_read):
            os.close(fd)
        raise
    finally:
        for fd in (commands_read, events_write, output_write):
            os.close(fd)
    os.set_blocking(events_read, False)
    return Runner(process, Writer(commands_write), Reader(events_read), Tail(output_read))


def environment(own: Mapping[str, str], spec: RunnerSpec) -> dict[str, str]:
    """What a runner may know: a list of what is passed on, so that no secret is, whatever its name."""
    passed = {name: own[name] for name in own if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)}
    threads = {"OMP_NUM_THREADS": str(spec.threads), "PYTHONUNBUFFERED": "1"}
    # Threads that wait for each other sleep soon instead of spinning: on a busy machine a step was six times slower.
    return {"GOMP_SPINCOUNT": "10000"} | passed | threads | dict(spec.environment)


class RunnerPool:
    """The runners of one slot: at most one at work, and one waiting warm.

    Args:
        spec: How they are started.
        keep: Whether a runner stays for the next job (generation) or each job gets a fresh one (training).
        max_jobs: Jobs after which a kept runner is replaced, as soon as its successor is ready.
    """

    def __init__(self, spec: RunnerSpec, keep: bool, max_jobs: int) -> None:
        self._spec = spec
        self._keep = keep
        self._max_jobs = max_jobs
        # One thread for life: the kernel kills a runner when the thread that started it ends.
        self._starter = ThreadPoolExecutor(1, thread_name_prefix="runner-starter")
        self._next: Future[Runner] | None = None
        self._successor: Future[Runner] | None = None

    @property
    def warm(self) -> frozenset[str]:
        """Keys of the models that the waiting runner has loaded."""
        waiting = _started(self._next)
        return waiting.warm if waiting is not None else frozenset()

    def start_ahead(self) -> None:
        """Have a runner wait for the next job; returns at once."""
        if self._next is None:
            self._next, self._successor = self._successor or self._start(), None

    def take(self, spec: RunnerSpec | None = None) -> Runner:
        """The waiting runner, or a new one where it has died meanwhile.

        Args:
            spec: How one of another kind is started, for this job alone; the one that waits goes on waiting.
        """
        if spec is not None:
            runner = self._starter.submit(start_runner, spec).result()
        else:
            waiting, self._next = self._next, None
            runner = (waiting or self._start()).result()
        if not runner.alive():
            runner.close()
            runner = self._starter.submit(start_runner, spec or self._spec).result()
        runner.jobs += 1
        runner.oom_kills = linux.oom_kills()
        runner.tail.clear()
        return runner

    def give_back(self, runner: Runner, healthy: bool) -> None:
        """Keep a runner for the next job, or replace it."""
        if self._keep and healthy and runner.alive() and not self._relieved(runner):
            self._next = Future()
            self._next.set_result(runner)
            return
        runner.close()
        self.start_ahead()

    def close(self) -> None:
        """Kill the waiting runners and start no more."""
        waiting, self._next, self._successor = (self._next, self._successor), None, None
        for started in waiting:
            if started is not None:
                with contextlib.suppress(OSError):
                    started.result().close()
        self._starter.shutdown()

    def _relieved(self, runner: Runner) -> bool:
        """Whether a runner that has done its share has a successor that is ready; one is started for it."""
        if runner.jobs < self._max_jobs:
            return False
        self._successor = self._successor or self._start()
        successor = _started(self._successor)
        if successor is not None and successor.alive():
            return successor.ready()
        if self._successor.done():  # it could not be started, or is dead: another one is, next time
            self._successor = None
        if successor is not None:
            successor.close()
        return False

    def _start(self) -> "Future[Runner]":
        return self._starter.submit(start_runner, self._spec)


def _started(future: "Future[Runner] | None") -> Runner | None:
    if future is None or not future.done() or future.exception() is not None:
        return None
    return future.result()
