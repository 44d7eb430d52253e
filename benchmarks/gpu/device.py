"""What the driver tells of the device, and whether a runner sees this device and no other."""

import json
import os
import subprocess
import sys
from typing import Any

from worker import devices, readings
from worker.devices import Device
from worker.nvml import XID_EVENTS, Nvml, ask, open_nvml
from worker.runner_pool import RunnerSpec, environment

_LOOK = """
import json, torch
seen = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
print(json.dumps({
    "count": len(seen), "names": [each.name for each in seen], "uuids": [str(each.uuid) for each in seen],
    "bf16": torch.cuda.is_bf16_supported(including_emulation=False), "torch": torch.__version__,
    "cuda": torch.version.cuda, "nccl": ".".join(map(str, torch.cuda.nccl.version())),
    "sum": float(torch.ones(8, device="cuda:0").sum()),
}))
"""


def check() -> dict[str, Any]:
    """Everything about the first GPU, and what a runner sees of it when the worker itself may see none."""
    with open_nvml() as nvml:
        if nvml is None:
            return {"gpus": 0}
        found = [device for card in devices.gpus(nvml) for device in card]
        first = found[0]
        told: dict[str, Any] = {
            "gpus": len(found),
            "titles": [device.title for device in found],
            "uuids": [device.name for device in found],
            "memory_mib": [device.memory_mib for device in found],
            "driver": ask(nvml.nvmlSystemGetDriverVersion),
            **_reading(first, nvml),
            **_health(first, nvml),
        }
    for outer in ("", "7", first.name):
        told[f"seen_through_{outer[:4] or 'nothing'}"] = seen = _seen(first, outer)
        told["pinned"] = told.get("pinned", True) and seen["count"] == 1 and seen["sum"] == 8.0
        told["pinned"] = told["pinned"] and (first.is_instance or first.name.removeprefix("GPU-") in seen["uuids"])
    assert told["pinned"], told
    return told


def _reading(device: Device, nvml: Nvml) -> dict[str, Any]:
    seen = readings.read(device, nvml)
    return {name: getattr(seen, name) for name in readings.Reading.__slots__}


def _health(device: Device, nvml: Nvml) -> dict[str, Any]:
    handle = nvml.nvmlDeviceGetHandleByUUID(device.name)
    events = ask(nvml.nvmlEventSetCreate)
    heard = _answer(nvml.nvmlDeviceRegisterEvents, handle, XID_EVENTS, events) if events is not None else "no event set"
    return {
        "mig_mode": _answer(nvml.nvmlDeviceGetMigMode, handle),
        "uncorrected_errors": readings.uncorrected_errors(device, nvml),
        "remapped_rows": _answer(nvml.nvmlDeviceGetRemappedRows, handle),
        "xid_events": heard,
        "xid_wait": _answer(nvml.nvmlEventSetWait_v2, events, 1) if events is not None else None,
    }


def _answer(question: Any, *of: Any) -> Any:
    """The driver's answer, or its error in words."""
    try:
        return question(*of)
    except Exception as error:  # noqa: BLE001 - what a card cannot answer is a finding, too
        return f"{type(error).__name__}: {error}"


def _seen(device: Device, outer: str) -> dict[str, Any]:
    own = {**os.environ, "CUDA_VISIBLE_DEVICES": outer}
    spec = RunnerSpec(environment=device.environment)
    command = [sys.executable, "-c", _LOOK]
    ran = subprocess.run(command, env=environment(own, spec), capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    seen: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return seen
