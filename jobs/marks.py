"""A short hash over what people wrote about a thing, so that two of them do not overwrite each other unseen.

It stays the same while the thing itself moves on: progress of a job, an alias that moves, a check that ends.
"""

import json
from collections.abc import Collection
from hashlib import sha256
from typing import Any

from jobs.errors import VersionMismatch

LENGTH = 12


def of(*written: Any) -> str:
    """The mark of what was written."""
    return sha256(json.dumps(written).encode()).hexdigest()[:LENGTH]


def check(mark: str, seen: Collection[str] | None, kind: str) -> None:
    """Refuse a change of something that was changed since it was seen.

    Args:
        mark: What it has now.
        seen: What it may have; None for anything.
        kind: What it is, such as ``job``.

    Raises:
        VersionMismatch: It has another one.
    """
    if seen is not None and mark not in seen:
        raise VersionMismatch(kind=kind)
