"""Devices as the driver tells of them, and the lock that keeps two slots off one GPU."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.worker.fake_gpus.cards import NVML, Cards
from worker import devices
from worker.devices import CPU, Device, DeviceLock, NoSuchDevice

GPU = Device("gpu", "GPU-bbbb", "Card GPU-bbbb", 80 * 1024)


@pytest.fixture(autouse=True)
def cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cards:
    """Two whole cards."""
    made = Cards(tmp_path / "cards.json")
    monkeypatch.setenv("AIGC_FAKE_GPUS", str(made.path))
    made.tell({"uuid": "GPU-aaaa"}, {"uuid": "GPU-bbbb"})
    return made


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ("auto", ["GPU-aaaa", "GPU-bbbb"]),
        ("gpu", ["GPU-aaaa", "GPU-bbbb"]),
        ("all", ["GPU-aaaa", "GPU-bbbb"]),
        ("cpu", ["cpu"]),
        ("cpu:3", ["cpu", "cpu2", "cpu3"]),
        ("cpu2", ["cpu2"]),
        ("1", ["GPU-bbbb"]),
        ("gpu:1", ["GPU-bbbb"]),
        ("GPU-bbbb", ["GPU-bbbb"]),
        ("1, 0,1", ["GPU-bbbb", "GPU-aaaa"]),
        ("cpu:2,0", ["cpu", "cpu2", "GPU-aaaa"]),
    ],
)
def test_a_choice_names_devices(wanted: str, names: list[str]) -> None:
    assert [device.name for device in devices.choose(wanted, NVML)] == names


def test_a_divided_gpu_counts_as_its_instances(cards: Cards) -> None:
    parts = [{"uuid": "MIG-x", "memory": 2**30}, {"uuid": "MIG-y", "memory": 2**31}]
    cards.tell({"uuid": "GPU-aaaa", "instances": parts}, {"uuid": "GPU-bbbb"})
    assert [device.name for device in devices.choose("all", NVML)] == ["MIG-x", "MIG-y", "GPU-bbbb"]
    assert [device.name for device in devices.choose("0", NVML)] == ["MIG-x", "MIG-y"]
    (second,) = devices.choose("0:1", NVML)
    assert (second.name, second.place, second.memory_mib, second.is_instance) == ("MIG-y", "gpu:0:1", 2048, True)
    for missing in ("0:2", "1:0:0", "0:x"):
        with pytest.raises(NoSuchDevice):
            devices.choose(missing, NVML)


def test_a_machine_without_gpus_computes_on_cpu() -> None:
    assert devices.choose("auto", None) == [CPU]


@pytest.mark.parametrize("wanted", ["gpu", "0", "GPU-cccc"])
def test_a_device_that_is_not_there_is_refused_with_what_is(wanted: str) -> None:
    with pytest.raises(NoSuchDevice, match="This machine has: cpu"):
        devices.choose(wanted, None)


def test_a_runner_sees_its_gpu_and_no_other() -> None:
    assert devices.choose("1", NVML) == [GPU]
    assert GPU.environment["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb"
    assert GPU.environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert GPU.torch_name == "cuda:0"
    assert CPU.environment == {"CUDA_VISIBLE_DEVICES": ""}


def test_a_dead_runner_is_waited_for_until_it_has_left_the_gpu(cards: Cards) -> None:
    cards.change(1, holders=[7, 42])
    leaving = threading.Timer(0.1, lambda: cards.change(1, holders=[7]))
    leaving.start()
    assert devices.settles(GPU, 42, NVML)
    leaving.join()
    assert not devices.settles(GPU, 7, NVML, seconds=0)
    assert devices.settles(CPU, 7, NVML, seconds=0)


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
