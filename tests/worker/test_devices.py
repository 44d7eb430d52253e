import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from worker import devices
from worker.devices import CPU, Device, DeviceLock, NoSuchDevice


@dataclass
class TwoGpus:
    """A machine as NVML would show it."""

    holders: list[int] = field(default_factory=list)
    uuids: tuple[str, ...] = ("GPU-aaaa", "GPU-bbbb")

    def nvmlInit(self) -> None: ...  # noqa: N802
    def nvmlShutdown(self) -> None: ...  # noqa: N802

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        return len(self.uuids)

    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> str:  # noqa: N802
        return self.uuids[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> str:  # noqa: N802
        return uuid

    def nvmlDeviceGetUUID(self, handle: Any, /) -> str:  # noqa: N802
        return str(handle)

    def nvmlDeviceGetName(self, handle: Any, /) -> str:  # noqa: N802
        return f"Card {handle}"

    def nvmlDeviceGetMemoryInfo(self, handle: Any, /) -> Any:  # noqa: N802
        return SimpleNamespace(total=80 * 2**30)

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any, /) -> list[Any]:  # noqa: N802
        pids, self.holders = self.holders, self.holders[:-1]  # one leaves at each look
        return [SimpleNamespace(pid=pid) for pid in pids]


GPU = Device("gpu", "GPU-bbbb", "Card GPU-bbbb", 80 * 1024)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("auto", ["GPU-aaaa", "GPU-bbbb"]),
        ("gpu", ["GPU-aaaa", "GPU-bbbb"]),
        ("cpu", ["cpu"]),
        ("1", ["GPU-bbbb"]),
        ("GPU-bbbb", ["GPU-bbbb"]),
    ],
)
def test_a_choice_names_devices(wanted: str, names: list[str]) -> None:
    assert [device.name for device in devices.choose(wanted, TwoGpus())] == names


def test_a_machine_without_gpus_computes_on_cpu() -> None:
    assert devices.choose("auto", None) == [CPU]


@pytest.mark.parametrize("wanted", ["gpu", "0", "GPU-cccc"])
def test_a_device_that_is_not_there_is_refused_with_what_is(wanted: str) -> None:
    with pytest.raises(NoSuchDevice, match="This machine has: cpu"):
        devices.choose(wanted, None)


def test_a_runner_sees_its_gpu_and_no_other() -> None:
    assert devices.choose("1", TwoGpus()) == [GPU]
    assert GPU.environment["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb"
    assert GPU.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert GPU.torch_name == "cuda:0"
    assert CPU.environment == {"CUDA_VISIBLE_DEVICES": ""}


def test_a_dead_runner_is_waited_for_until_it_has_left_the_gpu() -> None:
    assert devices.settles(GPU, 42, TwoGpus(holders=[7, 42]))
    assert not devices.settles(GPU, 7, TwoGpus(holders=[7, 42]), seconds=0)
    assert devices.settles(CPU, 7, TwoGpus(holders=[7]), seconds=0)


def test_only_the_death_of_every_holder_frees_a_gpu(tmp_path: Path) -> None:
    first, second = DeviceLock(tmp_path, GPU, "training"), DeviceLock(tmp_path, GPU, "training")
    assert first.acquire()
    assert not second.acquire()
    runner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[first.fd])
    first.close()
    assert not second.acquire()
    runner.kill()
    runner.communicate()
    assert second.acquire()
    second.close()


def test_lanes_share_a_gpu(tmp_path: Path) -> None:
    locks = [DeviceLock(tmp_path, GPU, lane) for lane in ("training", "generation")]
    assert all(lock.acquire() for lock in locks)
    for lock in locks:
        lock.close()


def test_memory_of_a_gpu_is_its_own_and_of_a_cpu_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def machine() -> Iterator[Any]:
        yield nvml

    monkeypatch.setattr(devices, "open_nvml", machine)
    nvml: Any = SimpleNamespace(
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(total=80, free=50) if handle == GPU.name else None,
    )
    assert devices.memory(GPU) == (80, 50)
    nvml = SimpleNamespace()  # a driver that has gone: the slot still lives
    assert devices.memory(GPU) is None
    nvml = None
    assert devices.memory(GPU) is None
    total, free = devices.memory(CPU) or (0, 0)
    assert 0 < free <= total
