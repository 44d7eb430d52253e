"""Which device a slot owns, found through NVML so that no process of the worker makes a CUDA context.

A GPU is named by its UUID, never by its number: numbers change with the driver's order. What a
runner sees of the machine is decided by its environment, before its Python starts.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import psutil

Kind = Literal["cpu", "gpu"]
_MIB = 2**20
_SETTLE_SECONDS = 10.0


class NoSuchDevice(ValueError):
    """No device of this machine is called that."""


class Nvml(Protocol):
    """The part of ``pynvml`` that is used."""

    def nvmlInit(self) -> None: ...  # noqa: D102, N802 - NVIDIA's names
    def nvmlShutdown(self) -> None: ...  # noqa: D102, N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetUUID(self, handle: Any, /) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetName(self, handle: Any, /) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetMemoryInfo(self, handle: Any, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any, /) -> Sequence[Any]: ...  # noqa: D102, N802


@dataclass(frozen=True, slots=True)
class Device:
    """What a slot computes on.

    Attributes:
        kind: Which queues it serves.
        name: ``"cpu"``, or the UUID of a GPU.
        title: For people.
        memory_mib: Memory of a GPU.
    """

    kind: Kind
    name: str
    title: str
    memory_mib: int = 0

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


@contextlib.contextmanager
def open_nvml() -> Iterator[Nvml | None]:
    """NVIDIA's library, or None where there is no driver or no package."""
    try:
        import pynvml
    except ImportError:
        yield None
        return
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def gpus(nvml: Nvml | None) -> list[Device]:
    """The GPUs of this machine."""
    if nvml is None:
        return []
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    return [
        Device(
            "gpu",
            nvml.nvmlDeviceGetUUID(handle),
            nvml.nvmlDeviceGetName(handle),
            nvml.nvmlDeviceGetMemoryInfo(handle).total // _MIB,
        )
        for handle in handles
    ]


def choose(wanted: str, nvml: Nvml | None) -> list[Device]:
    """The devices that a choice names: ``auto``, ``cpu``, ``gpu`` (all), a GPU's number or its UUID.

    Raises:
        NoSuchDevice: There is none of that name.
    """
    if wanted == "cpu":
        return [CPU]
    found = gpus(nvml)
    if wanted == "auto":
        return found or [CPU]
    if wanted == "gpu" and found:
        return found
    if wanted.isdecimal() and int(wanted) < len(found):
        return [found[int(wanted)]]
    chosen = [device for device in found if device.name == wanted]
    if not chosen:
        known = ", ".join(["cpu", *(device.name for device in found)])
        raise NoSuchDevice(f"There is no device called {wanted}. This machine has: {known}.")
    return chosen


def memory(device: Device) -> tuple[int, int] | None:
    """Bytes of the device's memory and how many are free: a GPU's own, else the machine's; None if nobody can tell."""
    if device.kind == "cpu":
        machine = psutil.virtual_memory()
        return machine.total, machine.available
    with open_nvml() as nvml:
        return None if nvml is None else _memory_of_gpu(device, nvml)


def _memory_of_gpu(device: Device, nvml: Nvml) -> tuple[int, int] | None:
    try:
        own = nvml.nvmlDeviceGetMemoryInfo(nvml.nvmlDeviceGetHandleByUUID(device.name))
    except Exception:  # noqa: BLE001 - whatever the driver raises, the slot must go on saying that it lives
        return None
    return own.total, own.free


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
