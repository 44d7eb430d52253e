"""A slot's GPU: its lock, its health and its memory."""

import logging
from contextlib import ExitStack
from pathlib import Path

from jobs.claiming import Room
from worker import devices, readings
from worker.devices import Device, DeviceLock
from worker.health import Health, Trouble
from worker.nvml import open_nvml
from worker.readings import Reading

log = logging.getLogger(__name__)


class Gpu:
    """What a slot must know of its GPU before it takes a job, and after.

    Args:
        directory: Where the lock files of this host are.
        lane: The slot's lane.
        device: The GPU.

    Attributes:
        lock: Held by the slot and its runners.
        health: Whether it may be trusted.
        seen: What it last said of itself.
        nvml: NVIDIA's library.
    """

    def __init__(self, directory: Path, lane: str, device: Device) -> None:
        self.device = device
        self.lock = DeviceLock(directory, device, lane)
        self.health = Health(device)
        self.seen = Reading()
        self._library = ExitStack()
        self.nvml = self._library.enter_context(open_nvml())  # stays open: errors are told to who listens

    def look(self) -> Trouble | None:
        """Ask the driver how it is."""
        self.seen = readings.read(self.device, self.nvml)
        self.health.look(self.nvml)
        return self.health.trouble

    def ready(self) -> bool:
        """Whether it may be given a job: it is this slot's, and it is well."""
        if not self.lock.acquire():
            log.warning("Another slot's runner still holds %s: waiting", self.device.title)
            return False
        return self.health.recovers()

    def room(self) -> Room:
        """What it has for a job now."""
        seen = readings.read(self.device, self.nvml)
        if seen.memory_free is None or seen.memory_total is None:
            return Room()
        return Room(seen.memory_free, seen.memory_total)

    def after(self, pid: int, *, healthy: bool, died: bool) -> None:
        """Judge it by the end of an attempt.

        Args:
            pid: The runner.
            healthy: Whether the runner stays.
            died: Whether it ended by itself.
        """
        if died:
            self.health.died()
        elif healthy:
            self.health.worked()
        if not healthy and not devices.settles(self.device, pid, self.nvml):
            log.error("%s is still held by process %d: taking no jobs", self.device.title, pid)
            self.health.found("held")

    def close(self) -> None:
        """Let go of it."""
        self.lock.close()
        self._library.close()
