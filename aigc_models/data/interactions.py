"""Interaction datasets as families read them: who dealt with what, and when, in the order in which it happened."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

ARRAYS = "interactions.safetensors"
NAMES = "names.json"
REPORT = "dataset.json"


@dataclass(frozen=True, slots=True)
class Interactions:
    """Events ordered by user, and each user's by time; equal times keep the order of the file.

    Attributes:
        users: Number of each event's user, an index into ``user_names``.
        items: Number of each event's item, an index into ``item_names``.
        times: Seconds since 1970 UTC; NaN in every event where the file has no times.
        ratings: What the user gave it; NaN in every event where the file has no ratings.
        user_names: The users as they are called in the file.
        item_names: The items as they are called in the file.
        item_titles: What each item is called for people; empty strings where nothing is known.

    Shape: ``users`` and ``items`` int64 (E,), ``times`` float64 (E,), ``ratings`` float32 (E,).
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    times: NDArray[np.float64]
    ratings: NDArray[np.float32]
    user_names: Sequence[str]
    item_names: Sequence[str]
    item_titles: Sequence[str]

    def __len__(self) -> int:
        """Number of events."""
        return len(self.users)

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each user's events start, and one end more; int64 (U + 1,)."""
        return np.searchsorted(self.users, np.arange(len(self.user_names) + 1))

    def take(self, events: NDArray[np.int64] | NDArray[np.bool_]) -> "Interactions":
        """Some of the events, by number in rising order or by mask; users and items keep their numbers."""
        return Interactions(
            self.users[events],
            self.items[events],
            self.times[events],
            self.ratings[events],
            self.user_names,
            self.item_names,
            self.item_titles,
        )


def load_interactions(directory: Path) -> Interactions:
    """Read what an import wrote."""
    arrays = load_file(directory / ARRAYS)
    names = json.loads((directory / NAMES).read_text(encoding="utf-8"))
    return Interactions(
        arrays["users"],
        arrays["items"],
        arrays["times"],
        arrays["ratings"],
        names["users"],
        names["items"],
        names["titles"],
    )


def load_report(directory: Path) -> dict[str, Any]:
    """Read what the import found out: counts, spans, warnings, the hash of the content."""
    report: dict[str, Any] = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    return report


def save_interactions(data: Interactions, report: Mapping[str, Any], directory: Path) -> None:
    """Write a dataset's directory, to be read by :func:`load_interactions`."""
    directory.mkdir(parents=True, exist_ok=True)
    arrays = {"users": data.users, "items": data.items, "times": data.times, "ratings": data.ratings}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, directory / ARRAYS)
    names = {"users": list(data.user_names), "items": list(data.item_names), "titles": list(data.item_titles)}
    (directory / NAMES).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    (directory / REPORT).write_text(json.dumps(dict(report), ensure_ascii=False, indent=1), encoding="utf-8")
