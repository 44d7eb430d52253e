"""One training by several processes: the runner starts them through ``torch.distributed.run`` and speaks for them.

A rank that dies takes the others with it, and all start anew from the newest checkpoint, a few times; after that the
attempt fails, and the engine decides. ``python -m worker.together`` is the process between: it dies with the runner,
and the ranks die with it.
"""

import argparse
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker import linux
from worker.pipe_run import Requests
from worker.protocol import Message, Reader, Writer
from worker.shared_place import JOB, SOCKET, newest

RESTARTS = 3
_LOOK_SECONDS = 0.1
_LEAVE_SECONDS = 10.0
LOST = "{count} processes trained this together, and one after another ended by itself; see the last lines of the log."
AGAIN = "One of {count} processes ended by itself. All go on from {place}."


class RanksLost(Exception):
    """The ranks ended without a word, more often than they are started anew."""


@dataclass(frozen=True, slots=True)
class Crew:
    """How many train together, and with what.

    Attributes:
        ranks: Processes.
        threads: Threads of each.
        environment: Variables that make them see their devices.
        memory_share: Share of a GPU's memory that each may take.
    """

    ranks: int
    threads: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)
    memory_share: float = 1.0


def train_together(job: Message, crew: Crew, events: Writer, asked: Requests) -> dict[str, Any]:
    """Have several processes do a job; the fields of its ``end``.

    Raises:
        RanksLost: They ended again and again.
    """
    with tempfile.TemporaryDirectory(prefix="aigcranks") as name:
        shared = Path(name)
        (shared / JOB).write_text(json.dumps(job, default=str), encoding="utf-8")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(shared / SOCKET))
            listener.listen()
            with _started(crew, shared) as process:
                return _Conversation(listener, process, events, crew.ranks, shared).until_end(asked)


@contextmanager
def _started(crew: Crew, shared: Path) -> Iterator["subprocess.Popen[bytes]"]:
    command = [
        sys.executable, "-m", "worker.together", f"--parent={os.getpid()}", f"--ranks={crew.ranks}",
        f"--shared={shared}", f"--threads={crew.threads}", f"--memory-share={crew.memory_share}",
    ]  # fmt: skip
    local = {"GLOO_SOCKET_IFNAME": "lo", "NCCL_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": str(crew.threads)}
    process = subprocess.Popen(command, env={**os.environ, **local, **crew.environment})
    try:
        yield process
    finally:
        process.kill()  # and with it the ranks
        process.wait()


class _Conversation:
    """What the ranks say, passed on to the supervisor, and what it asks, passed on to the first rank."""

    def __init__(
        self, listener: socket.socket, process: "subprocess.Popen[bytes]", events: Writer, count: int, shared: Path
    ) -> None:
        self._listener, self._process, self._events, self._count = listener, process, events, count
        self._shared = shared
        self._lines: dict[int, tuple[socket.socket, Reader]] = {}
        self._first: Writer | None = None
        self._starts, self._highest = 0, -1

    def until_end(self, asked: Requests) -> dict[str, Any]:
        """Listen until the work is done, or nobody is left to do it."""
        while True:
            waited = [self._listener.fileno(), *self._lines]
            for fd in select.select(waited, [], [], _LOOK_SECONDS)[0]:
                if fd == self._listener.fileno():
                    self._welcome()
                elif (end := self._hear(fd)) is not None:
                    return self._leave(end)
            self._pass_on(asked)
            if self._process.poll() is not None and not self._lines:
                raise RanksLost(LOST.format(count=self._count))

    def _welcome(self) -> None:
        line, _ = self._listener.accept()
        self._lines[line.fileno()] = (line, Reader(line.fileno()))

    def _hear(self, fd: int) -> dict[str, Any] | None:
        """Pass on what a rank says; the fields of the end, if that is what it says."""
        line, reader = self._lines[fd]
        try:
            messages = reader.read()
        except ConnectionResetError:
            messages, reader.ended = [], True
        if reader.ended:
            line.close()
            del self._lines[fd]
            self._first = None
        for message in messages:
            fields = {name: value for name, value in message.items() if name != "kind"}
            if message["kind"] == "end":
                return fields
            if message["kind"] == "ready":
                self._greet(line)
            else:
                self._say(message["kind"], fields)
        return None

    def _greet(self, line: socket.socket) -> None:
        """The first rank is there, for the first time or again."""
        self._first, self._starts = Writer(line.fileno()), self._starts + 1
        if self._starts > 1:
            found = newest(self._shared)
            place = "the start" if found is None else f"step {found[0]}"
            self._events.send("log", line=AGAIN.format(count=self._count, place=place))

    def _say(self, kind: str, fields: dict[str, Any]) -> None:
        """After a start anew, figures of steps that were told before are not told again."""
        if kind == "progress" and fields["values"]:
            if fields["step"] <= self._highest:
                fields["values"] = {}
            self._highest = max(self._highest, fields["step"])
        self._events.send(kind, **fields)

    def _pass_on(self, asked: Requests) -> None:
        if self._first is None:
            return
        try:
            for kind in ("cancel", "pause"):
                if getattr(asked, kind):
                    self._first.send(kind)
        except BrokenPipeError:
            self._first = None

    def _leave(self, end: dict[str, Any]) -> dict[str, Any]:
        """Let the ranks of a finished training go by themselves; what else is left is killed."""
        for line, _ in self._lines.values():
            line.close()
        if end["outcome"] == "succeeded":
            try:
                self._process.wait(_LEAVE_SECONDS)
            except subprocess.TimeoutExpired:
                print(f"ranks did not leave within {_LEAVE_SECONDS:.0f} s", file=sys.stderr, flush=True)
        return end


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the process between: start the ranks, and start them anew when one dies."""
    parser = argparse.ArgumentParser(prog="worker.together", description="Started by a runner, not by hand.")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--ranks", type=int, required=True)
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--memory-share", type=float, required=True)
    options = parser.parse_args(arguments)
    linux.die_with_parent(options.parent)
    linux.be_killed_first()
    from torch.distributed import run

    run.main([
        "--nnodes=1", f"--nproc-per-node={options.ranks}", f"--max-restarts={RESTARTS}", "--monitor-interval=0.1",
        "--rdzv-backend=c10d", f"--rdzv-endpoint={options.shared / 'meeting'}", "--rdzv-conf=store_type=file",
        f"--rdzv-id={time.monotonic_ns()}", f"--log-dir={options.shared}", "--local-addr=localhost",
        "-m", "worker.rank", f"--shared={options.shared}", f"--parent={os.getpid()}",
        f"--threads={options.threads}", f"--memory-share={options.memory_share}",
    ])  # fmt: skip


if __name__ == "__main__":
    main()
