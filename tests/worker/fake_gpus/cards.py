"""What the GPUs of a test tell of themselves; processes that were started with its environment see each change."""

import json
from pathlib import Path
from typing import Any, cast

from tests.worker.fake_gpus import pynvml
from worker.nvml import Nvml

NVML = cast("Nvml", pynvml)


class Cards:
    """Cards in a file.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: list[dict[str, Any]] = []

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process see these cards instead of the machine's."""
        return {"AIGC_FAKE_GPUS": str(self.path)}

    def tell(self, *cards: dict[str, Any]) -> None:
        """Be these cards from now on."""
        self.found = list(cards)
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(self.found), encoding="utf-8")
        fresh.replace(self.path)

    def change(self, place: int, **facts: Any) -> None:
        """Change one of them."""
        self.found[place] |= facts
        self.tell(*self.found)
