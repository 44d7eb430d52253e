"""Times as people write them: ``90s``, ``30m``, ``2h``, ``1d``."""

import re
from datetime import timedelta

NO_TIME = "{text} is no time. Write 90m, 2h or 1d."

_WRITTEN = re.compile(r"([0-9]{1,9})\s*(s|m|min|h|d)?")
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_SPOKEN = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def parse(text: str) -> timedelta | None:
    """Read a time (a bare number is seconds), or None when it is none."""
    found = _WRITTEN.fullmatch(text.strip())
    return timedelta(seconds=int(found.group(1)) * _SECONDS[found.group(2) or ""]) if found else None


def spoken(seconds: int) -> str:
    """The same in its largest unit that leaves no rest: ``2 h``, ``90 min``; :func:`parse` reads it back."""
    unit, size = next((unit, size) for unit, size in _SPOKEN if seconds % size == 0)
    return f"{seconds // size} {unit}"
