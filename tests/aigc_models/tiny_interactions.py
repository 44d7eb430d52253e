"""Tiny sets of interactions for the tests of recommenders."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from aigc_models.data.interactions import Interactions, save_interactions


def events(lists: Sequence[Sequence[int]], items: int, times: Sequence[float] | None = None) -> Interactions:
    """Events of users u0, u1, ... with items i0, i1, ..., a second apart if no times are given."""
    users = np.repeat(np.arange(len(lists)), [len(one) for one in lists])
    taken = np.array([item for one in lists for item in one], np.int64)
    when = np.arange(len(taken), dtype=np.float64) if times is None else np.array(times, np.float64)
    return Interactions(
        users.astype(np.int64),
        taken,
        when,
        np.full(len(taken), np.nan, np.float32),
        [f"u{number}" for number in range(len(lists))],
        [f"i{number}" for number in range(items)],
        [f"Item {number}" if number % 2 else "" for number in range(items)],
    )


def tiny_events(users: int = 40, items: int = 24, length: int = 10) -> Interactions:
    """Each user walks a circle of items, each step to the next or the one after it, and never comes back."""
    rng = np.random.default_rng(7)
    starts, steps = rng.integers(items, size=users), rng.integers(1, 3, size=(users, length - 1))
    walks = (starts[:, None] + np.cumsum(np.hstack([np.zeros((users, 1), int), steps]), 1)) % items
    return events([walk.tolist() for walk in walks], items)


def write_events(directory: Path, data: Interactions) -> Path:
    """Write a set as an import would."""
    report = {
        "kind": "interactions",
        "events": len(data),
        "users": len(data.user_names),
        "items": len(data.item_names),
        "hash": "0" * 64,
    }
    save_interactions(data, report, directory)
    return directory
