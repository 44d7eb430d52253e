"""What a device says of itself at this moment: memory, load, temperature, power, energy, and whether it is broken."""

from dataclasses import dataclass
from typing import Any

import psutil

from worker.devices import Device
from worker.nvml import SINCE_START, TEMPERATURE_OF_GPU, UNCORRECTED, Nvml, ask

_WATTS = 1 / 1000
_JOULES = 1 / 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device says of itself; None where it cannot tell.

    Attributes:
        memory_total: Bytes.
        memory_free: Bytes.
        utilisation: Percent of the last moments in which it computed.
        temperature: Degrees Celsius.
        watts: Power it draws.
        joules: Energy it has used since its driver was loaded.
    """

    memory_total: int | None = None
    memory_free: int | None = None
    utilisation: int | None = None
    temperature: int | None = None
    watts: float | None = None
    joules: float | None = None


def read(device: Device, nvml: Nvml | None) -> Reading:
    """Ask a device; a GPU that does not answer, or of which nobody can ask, says nothing."""
    if device.kind == "cpu":
        machine = psutil.virtual_memory()
        return Reading(machine.total, machine.available, utilisation=round(psutil.cpu_percent()))
    handle = None if nvml is None else ask(nvml.nvmlDeviceGetHandleByUUID, device.name)
    if nvml is None or handle is None:
        return Reading()
    memory, whole = ask(nvml.nvmlDeviceGetMemoryInfo, handle), card(handle, device, nvml)
    load = ask(nvml.nvmlDeviceGetUtilizationRates, handle) or ask(nvml.nvmlDeviceGetUtilizationRates, whole)
    milliwatts = ask(nvml.nvmlDeviceGetPowerUsage, whole)
    millijoules = ask(nvml.nvmlDeviceGetTotalEnergyConsumption, whole)
    return Reading(
        memory_total=None if memory is None else int(memory.total),
        memory_free=None if memory is None else int(memory.free),
        utilisation=None if load is None else int(load.gpu),
        temperature=ask(nvml.nvmlDeviceGetTemperature, whole, TEMPERATURE_OF_GPU),
        watts=None if milliwatts is None else milliwatts * _WATTS,
        joules=None if millijoules is None else millijoules * _JOULES,
    )


def card(handle: Any, device: Device, nvml: Nvml) -> Any:
    """The whole card that an instance is a part of: only it has a thermometer and a meter."""
    if not device.is_instance:
        return handle
    return ask(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle, handle)


def uncorrected_errors(device: Device, nvml: Nvml) -> int:
    """Errors of a GPU's memory, since its driver was loaded, that could not be corrected."""
    handle = ask(nvml.nvmlDeviceGetHandleByUUID, device.name)
    return ask(nvml.nvmlDeviceGetTotalEccErrors, card(handle, device, nvml), UNCORRECTED, SINCE_START) or 0
