"""How much energy an attempt has used, from the best meter there is.

- ``nvml``: the counter of the GPUs it ran on. A GPU that two slots share counts for both, and the rest of the machine
  is not in it.
- ``rapl``: the counter of the processors (packages), in the share that the runner had of all that was computed.
- ``estimate``: seconds of a processor's core, or of a GPU without a counter, times the power of one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import psutil

from jobs.energy import Spent
from worker import readings
from worker.devices import Device
from worker.nvml import Nvml, ask

RAPL = Path("/sys/class/powercap")
_GPU_WATTS = 200.0  # of a GPU that tells neither energy nor power


@dataclass(frozen=True, slots=True)
class _Start:
    """What the meters showed when an attempt began."""

    at: float
    core_seconds: float
    joules: float | None
    busy: float


class Meter:
    """Counts the energy of one attempt, from when it is made.

    Args:
        device: What the slot computes on.
        nvml: NVIDIA's library, for GPUs.
        core_watts: What a busy core of a processor is taken to draw.
        rapl: Where the kernel shows the counters of the processors.
    """

    def __init__(self, device: Device, nvml: Nvml | None = None, core_watts: float = 8.0, rapl: Path = RAPL) -> None:
        self._device, self._nvml, self._core_watts, self._rapl = device, nvml, core_watts, rapl
        self._names: Sequence[str] = ()
        self._pid = 0
        self._start = _Start(monotonic(), 0.0, None, 0.0)
        self._cores = 0.0

    def begin(self, pid: int, names: Sequence[str] = ()) -> Callable[[], Spent]:
        """Start to count for a runner; what is given says how much it was so far.

        Args:
            pid: The runner.
            names: The GPUs that work together; none where it is the slot's alone.
        """
        self._pid, self._names = pid, names or (self._device.name,)
        self._cores = 0.0
        self._start = _Start(monotonic(), self._core_seconds(), self._counter(), _busy_seconds())
        return self.spent

    def spent(self) -> Spent:
        """What was used since the start."""
        now, joules = self._start, self._counter()
        seconds = monotonic() - now.at
        counted = joules is not None and now.joules is not None and joules >= now.joules
        if self._device.kind == "gpu":
            if counted and not self._device.is_instance:
                return Spent(joules - now.joules, "nvml")  # type: ignore[operator]
            return Spent(seconds * self._watts(), "estimate")
        self._cores = max(self._cores, self._core_seconds() - now.core_seconds)
        if counted:
            share = self._cores / max(_busy_seconds() - now.busy, self._cores, 1e-9)
            return Spent((joules - now.joules) * share, "rapl")  # type: ignore[operator]
        return Spent(self._cores * self._core_watts, "estimate")

    def _counter(self) -> float | None:
        """Joules that the counters show; None where there are none."""
        if self._device.kind == "cpu":
            return _rapl_joules(self._rapl)
        if self._nvml is None:
            return None
        handles = [ask(self._nvml.nvmlDeviceGetHandleByUUID, name) for name in self._names]
        found = [
            ask(self._nvml.nvmlDeviceGetTotalEnergyConsumption, handle) for handle in handles if handle is not None
        ]
        if not found or any(each is None for each in found):
            return None
        return sum(each for each in found if each is not None) / 1000

    def _watts(self) -> float:
        """What the slot's GPU draws; of an instance, its share of the card by memory."""
        seen = readings.read(self._device, self._nvml)
        watts = (seen.watts or _GPU_WATTS) * len(self._names)
        if not self._device.is_instance or self._nvml is None or not seen.memory_total:
            return watts
        handle = ask(self._nvml.nvmlDeviceGetHandleByUUID, self._device.name)
        card = ask(self._nvml.nvmlDeviceGetMemoryInfo, readings.card(handle, self._device, self._nvml))
        return watts if card is None else watts * seen.memory_total / card.total

    def _core_seconds(self) -> float:
        """Seconds that the runner and what it started have computed; what is gone was counted before."""
        total = 0.0
        try:
            runner = psutil.Process(self._pid)
            for process in [runner, *runner.children(recursive=True)]:
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        except psutil.Error:
            return total
        return total


def _busy_seconds() -> float:
    """Seconds that all cores of the machine have computed."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    return float(sum(times) - idle - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))


def _rapl_joules(root: Path) -> float | None:
    """What the processors have used, over all packages; None where the kernel does not tell, or not us."""
    total, found = 0.0, False
    for package in sorted(root.glob("intel-rapl:[0-9]*")):
        if package.name.count(":") > 1:
            continue  # a part of a package that is counted already
        try:
            total += int((package / "energy_uj").read_text()) / 1e6
        except (OSError, ValueError):
            return None
        found = True
    return total if found else None
