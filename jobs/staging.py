"""Where an attempt works, and what its runner printed last, for whoever finds it dead."""

import shutil
from pathlib import Path

from jobs.naming import plain
from jobs.settings import Settings

OUT = "out"
PRINTED = "printed"
TAIL_BYTES = 64 * 1024


def directory(settings: Settings, job_id: str, attempt: int, lease_id: str) -> Path:
    """The directory of one attempt, which nobody else writes to."""
    return settings.staging / f"{job_id}.{attempt}.{lease_id[:8]}"


def remove(attempt: Path) -> None:
    """Remove the directory of an attempt; that of a short one holds nothing but an empty ``out``, as a rule."""
    try:
        (attempt / OUT).rmdir()
        attempt.rmdir()
    except OSError:
        shutil.rmtree(attempt, ignore_errors=True)


def last_words(attempt: Path) -> str:
    """What a runner printed last, if its worker kept it on this host and died before it could record it."""
    try:
        with (attempt / PRINTED).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return plain(file.read().decode(errors="replace"))
    except OSError:
        return ""
