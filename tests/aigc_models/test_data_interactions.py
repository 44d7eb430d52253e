"""Interactions come back from disk as they were stored."""

from pathlib import Path

import numpy as np

from aigc_models.data.interactions import Interactions, load_interactions, load_report, save_interactions


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    stored = Interactions(
        users=np.array([0, 0, 2]),
        items=np.array([1, 0, 1]),
        times=np.array([1.0, 2.5, np.nan]),
        ratings=np.array([np.nan, 4.0, 5.0], np.float32),
        user_names=["anna", "李雷", "new"],
        item_names=["10", "11"],
        item_titles=["Tea", ""],
    )
    save_interactions(stored, {"kind": "interactions", "events": 3}, tmp_path)
    found = load_interactions(tmp_path)
    for name in ("users", "items", "times", "ratings"):
        np.testing.assert_array_equal(getattr(found, name), getattr(stored, name))
    assert (found.user_names, found.item_titles) == (stored.user_names, stored.item_titles)
    assert found.starts.tolist() == [0, 2, 2, 3]
    assert load_report(tmp_path)["events"] == 3


def test_some_events_keep_the_numbers() -> None:
    nothing = np.full(3, np.nan)
    data = Interactions(
        np.array([0, 1, 1]), np.array([0, 1, 0]), nothing, nothing.astype(np.float32), ["a", "b"], ["x", "y"], ["", ""]
    )
    later = data.take(np.array([False, True, True]))
    assert (len(later), later.users.tolist(), later.starts.tolist()) == (2, [1, 1], [0, 0, 2])
