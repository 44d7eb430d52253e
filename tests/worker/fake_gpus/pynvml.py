"""Stands for NVIDIA's library in tests, also in processes of their own: what it tells is read from a JSON file.

The file, named by ``AIGC_FAKE_GPUS``, holds a list of cards: ``uuid``, and where given ``memory``, ``free``,
``joules``, ``watts``, ``errors``, ``holders`` (process ids), ``instances`` (cards again) and ``gone``.
"""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

told: set[tuple[str, int]] = set()


class NVMLError(Exception):
    """What the library raises."""


def cards() -> list[dict[str, Any]]:
    """The cards as the file has them now."""
    found = json.loads(Path(os.environ["AIGC_FAKE_GPUS"]).read_text(encoding="utf-8"))
    return [card for card in found if not card.get("gone")]


def _card(handle: Any) -> dict[str, Any]:
    every = [one for card in cards() for one in (card, *card.get("instances", []))]
    for card in every:
        if card["uuid"] == handle:
            return dict(card)
    raise NVMLError("NVML_ERROR_NOT_FOUND")


def nvmlInit() -> None:  # noqa: N802
    cards()


def nvmlShutdown() -> None: ...  # noqa: N802


def nvmlDeviceGetCount() -> int:  # noqa: N802
    return len(cards())


def nvmlDeviceGetHandleByIndex(index: int) -> Any:  # noqa: N802
    return cards()[index]["uuid"]


def nvmlDeviceGetHandleByUUID(uuid: str) -> Any:  # noqa: N802
    return _card(uuid)["uuid"]


def nvmlDeviceGetUUID(handle: Any) -> str:  # noqa: N802
    return str(_card(handle)["uuid"])


def nvmlDeviceGetName(handle: Any) -> str:  # noqa: N802
    return f"Card {_card(handle)['uuid']}"


def nvmlDeviceGetMemoryInfo(handle: Any) -> Any:  # noqa: N802
    card = _card(handle)
    total = card.get("memory", 80 * 2**30)
    return SimpleNamespace(total=total, free=card.get("free", total))


def nvmlDeviceGetComputeRunningProcesses(handle: Any) -> list[Any]:  # noqa: N802
    return [SimpleNamespace(pid=pid) for pid in _card(handle).get("holders", [])]


def nvmlDeviceGetUtilizationRates(handle: Any) -> Any:  # noqa: N802
    return SimpleNamespace(gpu=_card(handle).get("load", 0))


def nvmlDeviceGetTemperature(handle: Any, sensor: int) -> int:  # noqa: N802
    return int(_card(handle)["temperature"])


def nvmlDeviceGetPowerUsage(handle: Any) -> int:  # noqa: N802
    return int(1000 * _card(handle)["watts"])


def nvmlDeviceGetTotalEnergyConsumption(handle: Any) -> int:  # noqa: N802
    return int(1000 * _card(handle)["joules"])


def nvmlDeviceGetTotalEccErrors(handle: Any, kind: int, counter: int) -> int:  # noqa: N802
    return int(_card(handle).get("errors", 0))


def nvmlDeviceGetMigMode(handle: Any) -> list[int]:  # noqa: N802
    divided = int("instances" in _card(handle))
    return [divided, divided]


def nvmlDeviceGetMaxMigDeviceCount(handle: Any) -> int:  # noqa: N802
    return 7


def nvmlDeviceGetMigDeviceHandleByIndex(handle: Any, index: int) -> Any:  # noqa: N802
    return _card(handle)["instances"][index]["uuid"]


def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle: Any) -> Any:  # noqa: N802
    return next(c["uuid"] for c in cards() if handle in [one["uuid"] for one in c.get("instances", [])])


def nvmlEventSetCreate() -> Any:  # noqa: N802
    return object()


def nvmlDeviceRegisterEvents(handle: Any, kinds: int, events: Any) -> None:  # noqa: N802
    _card(handle)


def nvmlEventSetWait_v2(events: Any, milliseconds: int) -> Any:  # noqa: N802
    for card in cards():
        for number, xid in enumerate(card.get("xids", [])):
            if (card["uuid"], number) not in told:
                told.add((card["uuid"], number))
                return SimpleNamespace(eventData=xid)
    raise NVMLError("NVML_ERROR_TIMEOUT")
