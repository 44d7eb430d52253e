"""Which device a slot owns, found through NVML so that no process of the worker makes a CUDA context.

A GPU is named by its UUID, never by its number: numbers change with the driver's order. What a
runner sees of the machine is decided by its environment, before its Python starts.
"""

import fcntl
import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from worker.nvml import Nvml, ask

Kind = Literal["cpu", "gpu"]
_MIB = 2**20
_SETTLE_SECONDS = 10.0


class NoSuchDevice(ValueError):
    """No device of this machine is called that."""


@dataclass(frozen=True, slots=True)
class Device:
    """What a slot computes on.

    Attributes:
        kind: Which queues it serves.
        name: ``"cpu"`` (``"cpu2"`` and so on for further slots of it), or the UUID of a GPU or of an instance of one.
        title: For people.
        memory_mib: Memory of a GPU.
        place: What people call it on this machine: ``gpu:1``, ``gpu:1:0`` for an instance, ``cpu``, ``cpu:2``.
    """

    kind: Kind
    name: str
    title: str
    memory_mib: int = 0
    place: str = field(default="cpu", compare=False)

    @property
    def is_instance(self) -> bool:
        """Whether it is a part of a divided GPU (MIG)."""
        return self.name.startswith("MIG-")

    @property
    def torch_name(self) -> str:
        """How torch calls it in a runner, which sees no other."""
        return "cpu" if self.kind == "cpu" else "cuda:0"

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the runner that make it see this device and no other."""
        if self.kind == "cpu":
            return {"CUDA_VISIBLE_DEVICES": ""}
        return {
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
            "CUDA_VISIBLE_DEVICES": self.name,
            "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
        }


CPU = Device("cpu", "cpu", "CPU")
_CPUS, _CPU_SLOT = re.compile(r"cpu(?::([1-9][0-9]{0,3}))?"), re.compile(r"cpu([1-9][0-9]{0,3})")


def together_on(names: Sequence[str]) -> dict[str, str]:
    """Variables of processes that work together, each on one of some GPUs; on the CPU where there is none."""
    if not names:
        return CPU.environment
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(names)}


def gpus(nvml: Nvml | None) -> list[list[Device]]:
    """The GPUs of this machine in the driver's order; one that is divided (MIG) counts as its instances."""
    if nvml is None:
        return []
    return [_card(index, nvml) for index in range(nvml.nvmlDeviceGetCount())]


def _card(index: int, nvml: Nvml) -> list[Device]:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    instances = _instances(handle, nvml)
    if not instances:
        return [_device(handle, f"gpu:{index}", nvml)]
    return [_device(each, f"gpu:{index}:{number}", nvml) for number, each in enumerate(instances)]


def _instances(handle: Any, nvml: Nvml) -> list[Any]:
    """What a card is divided into; nothing where it is whole."""
    mode = ask(nvml.nvmlDeviceGetMigMode, handle)
    if mode is None or not mode[0]:
        return []
    most = ask(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
    found = (ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, index) for index in range(most))
    return [instance for instance in found if instance is not None]


def _device(handle: Any, place: str, nvml: Nvml) -> Device:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle).total // _MIB
    return Device("gpu", nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle), memory, place)


def choose(wanted: str, nvml: Nvml | None) -> list[Device]:
    """The devices that a choice names.

    Args:
        wanted: ``auto`` (all GPUs, or the CPU where there is none), ``all`` or ``gpu`` (all GPUs), ``cpu``, ``cpu:3``
            (three slots that share the CPU), a GPU's number, one instance of a divided GPU (``0:1``), a UUID, or
            several of them, separated by commas. ``gpu:1`` is the same as ``1``.
        nvml: NVIDIA's library.

    Raises:
        NoSuchDevice: There is none of that name.
    """
    if "," in wanted:
        return list(dict.fromkeys(device for part in wanted.split(",") for device in choose(part.strip(), nvml)))
    if counted := _CPUS.fullmatch(wanted):
        return [CPU, *(_cpu_slot(number) for number in range(2, int(counted[1] or 1) + 1))]
    if one := _CPU_SLOT.fullmatch(wanted):
        return [_cpu_slot(int(one[1]))]
    cards = gpus(nvml)
    found = [device for card in cards for device in card]
    if wanted == "auto":
        return found or [CPU]
    if wanted in ("gpu", "all") and found:
        return found
    number, _, instance = wanted.removeprefix("gpu:").partition(":")
    if number.isdecimal() and int(number) < len(cards):
        card = cards[int(number)]
        chosen = card if not instance else card[int(instance) :][:1] if instance.isdecimal() else []
    else:
        chosen = [device for device in found if device.name == wanted]
    if not chosen:
        known = ", ".join(["cpu", *(device.name for device in found)])
        raise NoSuchDevice(f"There is no device called {wanted}. This machine has: {known}.")
    return chosen


def _cpu_slot(number: int) -> Device:
    return Device("cpu", f"cpu{number}", f"CPU {number}", place=f"cpu:{number}")


class DeviceLock:
    """A lock that a GPU's slot and every runner it starts hold together; only the death of them all frees it.

    So a new slot keeps off the device until the last runner of the one before is gone, even
    one that was frozen or cut off. Training and generation may share a GPU: one lock each.
    """

    def __init__(self, directory: Path, device: Device, lane: str) -> None:
        path = directory / f"{device.kind}-{device.name}.{lane}.lock"
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.held = False

    def acquire(self) -> bool:
        """Try to take it."""
        if not self.held:
            try:
                fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            self.held = True
        return True

    def close(self) -> None:
        """Let go of it; runners that still live keep it."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self.held = False


def settles(device: Device, pid: int, nvml: Nvml | None, seconds: float = _SETTLE_SECONDS) -> bool:
    """Wait until a dead runner's process has left the GPU and given its memory back.

    Returns:
        False when it is still there after that time: the device is then not to be trusted.
    """
    if device.kind == "cpu" or nvml is None:
        return True
    handle = nvml.nvmlDeviceGetHandleByUUID(device.name)
    end = time.monotonic() + seconds
    while any(process.pid == pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(handle)):
        if time.monotonic() >= end:
            return False
        time.sleep(0.05)
    return True
