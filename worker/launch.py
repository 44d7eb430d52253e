"""``python -m worker.launch``: one Celery worker process per lane and device, restarted when it dies."""

import argparse
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType

from jobs.settings import Settings
from worker import devices, linux
from worker.bell import Bell
from worker.devices import Device
from worker.nvml import open_nvml
from worker.supervisor import SAVE_SECONDS

LANES = ("training", "generation")
_FIRST_PAUSE = 0.5  # seconds before a slot starts again; each quick death doubles them
_LONGEST_PAUSE = 30.0  # of a slot that does not even get ready
_LONGEST_PAUSE_READY = 4.0  # of one that got ready: it was killed at its work, and jobs wait for it
_STEADY_SECONDS = 60.0  # a slot that lived that long starts again without delay
_EXTRA_SECONDS = 10.0
LOOK_SECONDS = 10.0  # how often it is looked whether a GPU was added or is gone
_LOOKS = 3  # after which it is believed that one is gone


@dataclass(slots=True)
class SlotProcess:
    """One slot's process, and when to start the next one after it."""

    lane: str
    device: Device
    process: "subprocess.Popen[bytes] | None" = None
    ready: bool = False
    started_at: float = 0.0
    start_at: float = 0.0
    failures: int = 0
    output: bytes = field(default=b"", repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    missed: int = 0

    @property
    def leaving(self) -> bool:
        """Whether its device is gone: not seen several times in a row, as a driver may hesitate."""
        return self.missed >= _LOOKS

    @property
    def name(self) -> str:
        """The queue it serves."""
        return f"{self.lane}.{self.device.kind}"

    def start(self) -> None:
        """Start it in a session of its own, so that Ctrl-C reaches the launcher only, which drains it."""
        node = f"{self.name}.{self.device.name[-8:]}.{os.getpid()}@{socket.gethostname()}"
        command = [
            sys.executable, "-m", "celery", "--quiet", "--app", "worker.app", "worker", "--queues", self.name,
            "--device", self.device.name, "--hostname", node, "--loglevel", "INFO",
            "--without-gossip", "--without-mingle", "--without-heartbeat",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, **self.environment, "AIGC_PARENT_DEATH": str(os.getpid())},
            start_new_session=True,
        )
        self.started_at, self.ready = time.monotonic(), False

    def ended(self) -> None:
        """Reckon when to start again: twice as long after each quick death, but soon if it can work."""
        lived = time.monotonic() - self.started_at
        self.failures = 0 if lived >= _STEADY_SECONDS else self.failures + 1
        longest = _LONGEST_PAUSE_READY if self.ready else _LONGEST_PAUSE
        delay = min(longest, _FIRST_PAUSE * 2 ** (self.failures - 1)) if self.failures else 0.0
        self.process, self.start_at = None, time.monotonic() + delay
        print(f"slot {self.name} ended; starting again in {delay:.1f} s", file=sys.stderr, flush=True)


class Launcher:
    """Starts the slots and keeps them, until it is told to stop.

    Args:
        slots: What to keep running.
        stop_seconds: Time the slots get to drain before they are killed.
        look: Says which slots there should be by now, where devices may come and go; None where they are named.
    """

    def __init__(
        self, slots: Sequence[SlotProcess], stop_seconds: float, look: Callable[[], list[SlotProcess]] | None = None
    ) -> None:
        self._slots = list(slots)
        self._look, self._look_at = look, time.monotonic() + LOOK_SECONDS
        self._stop_seconds = stop_seconds
        self._bell = Bell()
        self._stopping = False
        self._announced = False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell.fd, selectors.EVENT_READ)

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Ask all slots to drain; safe in a signal handler."""
        self._stopping = True
        self._bell.ring()

    def run(self) -> None:
        """Keep the slots until :meth:`stop`, then see them out."""
        while not self._stopping:
            now = time.monotonic()
            if self._look is not None and now >= self._look_at:
                self._look_at = now + LOOK_SECONDS
                self._follow(self._look())
            for slot in self._slots:
                if slot.process is None and slot.start_at <= now:
                    self._start(slot)
            times = [slot.start_at for slot in self._slots if slot.process is None]
            self._wait(min([*times, *([self._look_at] if self._look else [])], default=None))
        self._see_out()

    def _follow(self, wanted: Sequence[SlotProcess]) -> None:
        """Start slots for devices that were added; let those of devices that are gone end."""
        there = {(slot.lane, slot.device) for slot in wanted}
        known = {(slot.lane, slot.device) for slot in self._slots}
        for slot in self._slots:
            slot.missed = slot.missed + 1 if (slot.lane, slot.device) not in there else 0
            if slot.missed == _LOOKS:
                print(f"{slot.device.title} is gone; slot {slot.name} ends", file=sys.stderr, flush=True)
                if slot.process is not None:
                    slot.process.terminate()
        for slot in wanted:
            if (slot.lane, slot.device) not in known:
                print(f"{slot.device.title} was added; slot {slot.name} starts", file=sys.stderr, flush=True)
                self._slots.append(slot)
        self._slots = [slot for slot in self._slots if not slot.leaving or slot.process is not None]

    def _start(self, slot: SlotProcess) -> None:
        slot.start()
        assert slot.process is not None
        assert slot.process.stdout is not None
        self._selector.register(slot.process.stdout, selectors.EVENT_READ, slot)

    def _wait(self, until: float | None) -> None:
        timeout = None if until is None else max(0.0, until - time.monotonic())
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                self._bell.hush()
            else:
                self._read(key.data)

    def _read(self, slot: SlotProcess) -> None:
        assert slot.process is not None
        assert slot.process.stdout is not None
        chunk = os.read(slot.process.stdout.fileno(), 4096)
        if not chunk:
            self._selector.unregister(slot.process.stdout)
            slot.process.stdout.close()
            slot.process.wait()
            if slot.leaving:
                slot.process = None
                self._slots.remove(slot)
            else:
                slot.ended()
            return
        *lines, slot.output = (slot.output + chunk).split(b"\n")
        slot.ready = slot.ready or any(line.startswith(b"ready ") for line in lines)
        if not self._announced and all(slot.ready for slot in self._slots):
            self._announced = True
            print("ready", *(f"{slot.name}:{slot.device.name}" for slot in self._slots), flush=True)

    def _see_out(self) -> None:
        end = time.monotonic() + self._stop_seconds
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()  # safe at any moment: the lease expires and another attempt goes on
                process.wait()


def plan(wanted: Sequence[str], lanes: Sequence[str], settings: Settings) -> list[SlotProcess]:
    """The slots for some choices of devices.

    Raises:
        NoSuchDevice: There is none of that name.
    """
    with open_nvml() as nvml:
        chosen = list(dict.fromkeys(device for each in wanted for device in devices.choose(each, nvml)))
    on_cpu = sum(device.kind == "cpu" for device in chosen)
    shared = {"AIGC_CPU_THREADS": str(max(1, settings.cpu_threads // on_cpu))} if on_cpu > 1 else {}
    return [
        SlotProcess(lane, device, environment=shared if device.kind == "cpu" else {})
        for device in chosen
        for lane in lanes
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m worker.launch", description=__doc__)
    parser.add_argument("--lane", action="append", choices=LANES, help="repeatable; both where none is given")
    parser.add_argument(
        "--devices",
        "--device",
        action="append",
        help="auto (default: all GPUs, else the CPU), all (GPUs), cpu, cpu:N (N slots that share it), "
        "numbers or UUIDs of GPUs, 0:1 (an instance of a divided one); commas between several, and repeatable",
    )
    options = parser.parse_args(arguments)
    linux.die_with_parent_if_asked(os.environ)
    wanted, lanes, settings = options.devices or ["auto"], options.lane or LANES, Settings()
    try:
        slots = plan(wanted, lanes, settings)
    except devices.NoSuchDevice as error:
        parser.error(str(error))

    def look() -> list[SlotProcess]:
        try:
            return [slot for slot in plan(wanted, lanes, settings) if slot.device.kind == "gpu"]
        except devices.NoSuchDevice:
            return []

    comes_and_goes = any(slot.device.kind == "gpu" for slot in slots) and set(wanted) <= {"auto", "all", "gpu"}
    stop_seconds = settings.grace_seconds + SAVE_SECONDS + _EXTRA_SECONDS
    launcher = Launcher(slots, stop_seconds, look if comes_and_goes else None)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, launcher.stop)
    launcher.run()


if __name__ == "__main__":
    main()
