"""What a runner and the ranks of a training keep in the directory they share; without torch."""

import json
import os
from pathlib import Path

SOCKET, JOB, NEWEST, STORE = "runner", "job.json", "newest.json", "store"


def keep(directory: Path, kept: Path, shared: Path, step: int) -> None:
    """Give the files of a checkpoint second names, and note that it is the newest one."""
    kept.mkdir(exist_ok=True)
    for path in directory.iterdir():
        (kept / path.name).unlink(missing_ok=True)
        os.link(path, kept / path.name)
    before = newest(shared)
    fresh = shared / f"{NEWEST}.new"
    fresh.write_text(json.dumps({"step": step, "directory": str(kept)}), encoding="utf-8")
    fresh.replace(shared / NEWEST)
    if before is not None and before[1] != kept:
        for path in before[1].iterdir():
            path.unlink()
        before[1].rmdir()


def newest(shared: Path) -> tuple[int, Path] | None:
    """The newest checkpoint of this attempt: its step and its directory."""
    try:
        told = json.loads((shared / NEWEST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return int(told["step"]), Path(told["directory"])
