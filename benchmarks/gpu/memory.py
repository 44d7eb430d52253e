"""Memory of the device: what a killed runner gives back, and what a batch does for which there is no room."""

import signal
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.driving import runner_on
from benchmarks.gpu.runs import Watched, dataset, train
from jobs.recovery import MOST_PARTS
from worker import devices, readings
from worker.devices import Device
from worker.nvml import open_nvml

FAMILY = "image_gan"
LARGE = {"epochs": 40, "batch_size": 1024, "width": 64}  # of pictures that come in 32 x 32 pixels
_BEGUN = 30


def check(device: Device, work: Path) -> dict[str, Any]:
    """Kill a runner in mid-training and look at the device's memory; then leave too little of it."""
    found = killed(device, work)
    peaks = {parts: peak(device, work, parts) for parts in (1, MOST_PARTS)}
    found["peak_mib"] = {str(parts): size >> 20 for parts, size in peaks.items()}
    if device.kind == "cpu":
        return found
    total = torch.cuda.get_device_properties(0).total_memory
    share = (peaks[1] * peaks[MOST_PARTS]) ** 0.5 / total
    found["memory_share"] = round(share, 5)
    for parts in (1, 2, MOST_PARTS):
        found[f"in_{parts}_parts"] = outcome = _outcome(device, work, share, parts)
        if outcome == "succeeded":
            break
    assert found["in_1_parts"] == "out_of_memory", found
    assert outcome == "succeeded", found
    return found


def killed(device: Device, work: Path) -> dict[str, Any]:
    """Memory before, during and after a runner that is killed at work, and how long the driver takes."""
    before = _used(device)
    with runner_on(device, work) as driven:
        driven.train(FAMILY, {**LARGE, "batch_size": 256} if device.kind == "gpu" else {"epochs": 4, "width": 4})
        driven.hear("progress", after=_BEGUN)
        during, pid = _used(device), driven.runner.pid
        driven.runner.process.send_signal(signal.SIGKILL)
        driven.runner.process.wait()
        began = time.perf_counter()
        with open_nvml() as nvml:
            settled = devices.settles(device, pid, nvml)
    seconds = time.perf_counter() - began
    assert settled, "the process is still on the device"
    return {"used_mib": {"before": before, "during": during, "after": _used(device)}, "settles_s": round(seconds, 3)}


def peak(device: Device, work: Path, parts: int) -> int:
    """Bytes that some steps of the large training take, measured in this process."""
    from aigc_models.base import Adjustments

    adjusted = Adjustments(micro_batches=parts)
    inputs = {"dataset": dataset(FAMILY, work)}
    run = Watched(work / f"peak-{parts}", inputs, device.torch_name, adjustments=adjusted, pause_at=_BEGUN)
    if device.kind == "gpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    train(FAMILY, run, {**LARGE, **({} if device.kind == "gpu" else {"width": 4, "batch_size": 32})})
    return int(torch.cuda.max_memory_reserved()) if device.kind == "gpu" else 0


def _outcome(device: Device, work: Path, share: float, parts: int) -> str:
    with runner_on(device, work, share) as driven:
        driven.train(FAMILY, {**LARGE, "epochs": 8}, adjustments={"micro_batches": parts})
        end = driven.hear("end")
        return str(end.get("code") or end["outcome"])


def _used(device: Device) -> int:
    """MiB in use on the device."""
    with open_nvml() as nvml:
        seen = readings.read(device, nvml)
    return ((seen.memory_total or 0) - (seen.memory_free or 0)) >> 20
