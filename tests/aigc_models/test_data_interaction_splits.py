"""Splits of events: which part each gets, and what is known before it."""

import numpy as np
import pytest

from aigc_models.base import InputError
from aigc_models.data.interaction_splits import HISTORY, TEST, TRAIN, VALIDATION, ItemLists, SplitPlan
from tests.aigc_models.tiny_interactions import events, tiny_events


def test_lists_are_taken_by_number() -> None:
    lists = ItemLists.of([[5, 6], [], [7]])
    assert [lists.take(np.array([2, 0]))[row].tolist() for row in range(2)] == [[7], [5, 6]]
    assert len(lists.take(slice(1, 2))) == 1
    assert lists.rows.tolist() == [0, 0, 2]


def test_leaving_one_out_tests_with_the_last_event_and_validates_with_the_one_before() -> None:
    split = SplitPlan("leave_one_out").part(events([[0, 1, 2, 3], [4, 5], [6, 7, 8]], items=9))
    assert split.parts.tolist() == [TRAIN, TRAIN, VALIDATION, TEST, TRAIN, TRAIN, TRAIN, VALIDATION, TEST]
    test, validation = split.queries(TEST), split.queries(VALIDATION)
    assert test.users.tolist() == [0, 2]
    assert [test.histories[row].tolist() for row in range(2)] == [[0, 1, 2], [6, 7]]
    assert [validation.histories[row].tolist() for row in range(2)] == [[0, 1], [6]]
    assert test.targets.items.tolist() == [3, 8]


def test_events_of_one_moment_stay_on_one_side_of_a_time() -> None:
    when = [1, 2, 9, 9, 3, 4, 9, 9, 0, 6]
    split = SplitPlan("time", 0.2).part(events([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], items=10, times=when))
    assert set(split.parts[np.array(when) == 9]) == {TEST}
    assert not (split.parts[np.array(when) < 9] == TEST).any()
    assert split.data.times[split.parts == TRAIN].max() < split.data.times[split.parts == VALIDATION].min()


def test_a_share_of_each_user_is_drawn_by_the_seed() -> None:
    data = tiny_events(length=12)
    split = SplitPlan("share", 0.25, seed=1).part(data)
    for user in range(40):
        mine = split.parts[data.users == user]
        assert np.bincount(mine, minlength=4).tolist() == [8, 0, 1, 3]
    assert (SplitPlan("share", 0.25, seed=1).part(data).parts == split.parts).all()
    assert (SplitPlan("share", 0.25, seed=2).part(data).parts != split.parts).any()


def test_strong_generalisation_never_learns_from_users_it_asks_about() -> None:
    data = tiny_events()
    split = SplitPlan("strong", 0.2, seed=1).part(data)
    learnt, asked = set(split.train.users), split.queries(TEST)
    assert len(asked) == 8
    assert not learnt & set(asked.users)
    assert not set(split.queries(VALIDATION).users) & (learnt | set(asked.users))
    assert (split.parts == HISTORY).sum() == 16 * 8
    assert set(asked.histories.lengths) == {8}


def test_repeats_are_no_targets_and_who_is_new_is_not_asked_about() -> None:
    when = [0, 1, 9, 9, 9, 9, 0, 5]
    split = SplitPlan("time", 0.4).part(events([[0, 1, 1, 2, 2], [3], [0, 1]], items=4, times=when))
    asked = split.queries(TEST)
    assert asked.users.tolist() == [0]
    assert asked.targets[0].tolist() == [2]
    assert asked.repeats == 2
    assert asked.strangers == 1


@pytest.mark.parametrize(
    ("name", "lists", "times", "code"),
    [
        ("leave_one_out", [[0, 1], [2]], None, "empty-split"),
        ("share", [[0], [1], [2]], None, "empty-split"),
        ("time", [[0, 1, 2]], [np.nan] * 3, "no-times"),
        ("time", [[0, 1, 2], [1, 2, 0]], [5.0] * 6, "empty-split"),
    ],
)
def test_what_cannot_be_split_is_refused(
    name: str, lists: list[list[int]], times: list[float] | None, code: str
) -> None:
    with pytest.raises(InputError) as caught:
        SplitPlan(name, 0.25).part(events(lists, items=3, times=times))  # type: ignore[arg-type]
    assert caught.value.faults[0].code == code
    assert caught.value.faults[0].pointer == "/split"
