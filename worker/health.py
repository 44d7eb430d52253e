"""Whether a device may be trusted with jobs: what the driver says, what became of its last runners, and a probe.

An unwell device takes no jobs, gives back the one it runs, and says why. It is tried now and then by a small process
of its own that computes something on it; when that comes out right, jobs are taken again.
"""

import logging
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Literal

from worker.devices import Device
from worker.nvml import XID_EVENTS, Nvml, ask
from worker.readings import uncorrected_errors
from worker.runner_pool import RunnerSpec, environment

Trouble = Literal["gone", "memory", "fault", "runners", "held"]

# NVIDIA's numbers of errors after which a GPU cannot be used as before: double bit errors, falls off the bus, failed
# row remapping, uncontained errors, the GSP's silence. Others (13, 31, 43, 45) are a program's own.
CRITICAL_XIDS = frozenset({48, 62, 64, 74, 79, 95, 110, 119, 120, 140})
DEATHS = 3
_DEATH_SECONDS = 600.0
_FIRST_PROBE, _LAST_PROBE = 30.0, 600.0
_PROBE_SECONDS = 120.0
_PROBE = """
import torch
x = torch.arange(4096.0, device="cuda:0").reshape(64, 64)
assert torch.equal((x @ x).cpu(), x.cpu() @ x.cpu()), "wrong numbers"
"""

log = logging.getLogger(__name__)


def computes(device: Device) -> bool:
    """Whether a process of its own can use a device and gets right numbers from it."""
    command = [sys.executable, "-c", _PROBE]
    try:
        ran = subprocess.run(
            command, env=environment(os.environ, RunnerSpec(environment=device.environment)),
            capture_output=True, check=False, timeout=_PROBE_SECONDS,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ran.returncode == 0


class Health:
    """What is known of one GPU.

    Args:
        device: The GPU.
        probe: Says whether it computes.
        monotonic: Replaces the clock in tests.
    """

    def __init__(
        self,
        device: Device,
        probe: Callable[[Device], bool] = computes,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._device, self._probe, self._monotonic = device, probe, monotonic
        self._trouble: Trouble | None = None
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._errors: int | None = None
        self._events: Any = None
        self._probe_at, self._wait = 0.0, _FIRST_PROBE

    @property
    def trouble(self) -> Trouble | None:
        """What is wrong with it."""
        return self._trouble

    def look(self, nvml: Nvml | None) -> None:
        """Ask the driver; called with each heartbeat, with the same library while it stays open."""
        handle = None if nvml is None else ask(nvml.nvmlDeviceGetHandleByUUID, self._device.name)
        if nvml is None or handle is None:
            self.found("gone")
            return
        if self._trouble == "gone":  # it is there again: the probe says whether it works
            self._probe_at = self._monotonic()
        errors = uncorrected_errors(self._device, nvml)
        if self._errors is not None and errors > self._errors:
            self.found("memory")
        self._errors = errors
        self._hear(nvml, handle)

    def died(self) -> None:
        """A runner on it ended by itself."""
        now = self._monotonic()
        self._deaths.append(now)
        if len(self._deaths) == DEATHS and now - self._deaths[0] <= _DEATH_SECONDS:
            self.found("runners")

    def worked(self) -> None:
        """A job was done on it."""
        self._deaths.clear()

    def found(self, trouble: Trouble) -> None:
        """Take no more jobs because of something."""
        if self._trouble is None:
            log.error("%s (%s) is unwell: %s. It takes no jobs", self._device.title, self._device.name, trouble)
            self._wait, self._probe_at = _FIRST_PROBE, self._monotonic() + _FIRST_PROBE
            self._trouble = trouble

    def recovers(self) -> bool:
        """Whether it is well, or is so again: tried when the time for it has come, each time after twice as long."""
        if self._trouble is None:
            return True
        if self._monotonic() < self._probe_at:
            return False
        if self._probe(self._device):
            log.warning("%s (%s) computes again; it takes jobs", self._device.title, self._device.name)
            self._trouble, self._errors = None, None
            self._deaths.clear()
            return True
        self._wait = min(2 * self._wait, _LAST_PROBE)
        self._probe_at = self._monotonic() + self._wait
        return False

    def _hear(self, nvml: Nvml, handle: Any) -> None:
        """Errors that the driver has told of since the last look."""
        if self._events is None:
            self._events = ask(nvml.nvmlEventSetCreate)
            if self._events is not None:
                ask(nvml.nvmlDeviceRegisterEvents, handle, XID_EVENTS, self._events)
        while self._events is not None and (event := ask(nvml.nvmlEventSetWait_v2, self._events, 0)) is not None:
            if int(event.eventData) in CRITICAL_XIDS:
                self.found("fault")
