"""A dataset that is a pretrained language model: its folder, and what the check said of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MODEL, REPORT = "model", "dataset.json"


def save_report(report: Mapping[str, Any], directory: Path) -> None:
    """Write what is known of the model beside it."""
    (directory / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
