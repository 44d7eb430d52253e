"""One training through ``torch.distributed.run``, with NCCL where there is a GPU, as a worker starts it.

One card is enough for one rank only; what two exchange is tested with Gloo on CPUs.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.gpu.driving import runner_on
from benchmarks.gpu.family import gap, weight_gap
from benchmarks.gpu.runs import LESSONS
from worker.devices import Device

FAMILIES = ("image_vae", "image_gan", "text_transformer")


def check(device: Device, work: Path, brief: bool = False) -> dict[str, Any]:
    """Each family by a rank and without one; one of them also with its rank killed in mid-training."""
    found: dict[str, Any] = {}
    for family in FAMILIES[: 1 if brief else None]:
        settings = {**LESSONS[family].brief, **({"epochs": 1, "width": 8} if brief else {})}
        ranked, out = _train(device, work, family, settings, {"ranks": 1, "environment": device.environment})
        plain, beside = _train(device, work, family, settings, None)
        found[family] = {
            "metric_gap": gap(ranked["metrics"], plain["metrics"]),
            "weight_gap": weight_gap(out / "model", beside / "model"),
            "seconds": [ranked["seconds"], plain["seconds"]],
        }
    found["killed"] = _killed(device, work, {**LESSONS["image_vae"].brief, **({"width": 4} if brief else {})})
    return found


def _train(device: Device, work: Path, family: str, settings: Any, crew: Any) -> tuple[dict[str, Any], Path]:
    began = time.perf_counter()
    with runner_on(device, work) as driven:
        out = driven.train(family, settings, crew=crew)
        end = dict(driven.hear("end"))
    assert end["outcome"] == "succeeded", end
    return end | {"seconds": round(time.perf_counter() - began, 2)}, out


def _killed(device: Device, work: Path, settings: Any) -> dict[str, Any]:
    """Kill the rank after a checkpoint: it must start anew from there and come to the end."""
    crew = {"ranks": 1, "environment": device.environment}
    with runner_on(device, work) as driven:
        driven.train("image_vae", {**settings, "epochs": 8}, crew=crew, checkpoint_seconds=0.5)
        saved = driven.hear("checkpoint")
        ranks = [each for each in psutil.Process(driven.runner.pid).children(recursive=True) if _is_rank(each)]
        os.kill(ranks[0].pid, signal.SIGKILL)
        said = driven.hear("log")
        while "ended by itself" not in said["line"]:
            said = driven.hear("log")
        end = driven.hear("end")
    assert end["outcome"] == "succeeded", end
    return {"saved_at": saved["step"], "said": said["line"]}


def _is_rank(process: psutil.Process) -> bool:
    line = process.cmdline()
    return "worker.rank" in line and "worker.together" not in line
