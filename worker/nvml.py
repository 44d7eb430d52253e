"""NVIDIA's management library, the part of it that is used; it tells about GPUs without making a CUDA context.

Tests put another module called ``pynvml`` on the path of real processes: this is the one place where it is imported.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

TEMPERATURE_OF_GPU = 0  # NVML_TEMPERATURE_GPU
UNCORRECTED, SINCE_START = 1, 0  # NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC
XID_EVENTS = 8  # nvmlEventTypeXidCriticalError


class Nvml(Protocol):
    """The part of ``pynvml`` that is used, with NVIDIA's names."""

    def nvmlInit(self) -> None: ...  # noqa: D102, N802
    def nvmlShutdown(self) -> None: ...  # noqa: D102, N802
    def nvmlSystemGetDriverVersion(self) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByIndex(self, index: int, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetHandleByUUID(self, uuid: str, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetUUID(self, handle: Any, /) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetName(self, handle: Any, /) -> str: ...  # noqa: D102, N802
    def nvmlDeviceGetMemoryInfo(self, handle: Any, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any, /) -> Sequence[Any]: ...  # noqa: D102, N802
    def nvmlDeviceGetUtilizationRates(self, handle: Any, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetTemperature(self, handle: Any, sensor: int, /) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetPowerUsage(self, handle: Any, /) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, /) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetTotalEccErrors(self, handle: Any, kind: int, counter: int, /) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetRemappedRows(self, handle: Any, /) -> Sequence[int]: ...  # noqa: D102, N802
    def nvmlDeviceGetMigMode(self, handle: Any, /) -> Sequence[int]: ...  # noqa: D102, N802
    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Any, /) -> int: ...  # noqa: D102, N802
    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Any, index: int, /) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, handle: Any, /) -> Any: ...  # noqa: D102, N802
    def nvmlEventSetCreate(self) -> Any: ...  # noqa: D102, N802
    def nvmlDeviceRegisterEvents(self, handle: Any, kinds: int, events: Any, /) -> None: ...  # noqa: D102, N802
    def nvmlEventSetWait_v2(self, events: Any, milliseconds: int, /) -> Any: ...  # noqa: D102, N802


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


def ask(question: Callable[..., T], /, *of: Any) -> T | None:
    """What the driver answers, or None: many questions are not for every card, and a card may be gone."""
    try:
        return question(*of)
    except Exception:  # noqa: BLE001 - whatever the driver raises, the slot must go on saying that it lives
        return None
