from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import durations


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), (" 30m ", 1800), ("30 min", 1800), ("2h", 7200), ("1d", 86_400)]
)
def test_times_are_read(text: str, seconds: int) -> None:
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "h", "-1h", "1.5h", "2 weeks", "1h30", "\u0662h"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert durations.parse(text) is None


@given(st.integers(1, 10**8))
def test_a_time_that_was_said_is_read_back(seconds: int) -> None:
    assert durations.parse(durations.spoken(seconds)) == timedelta(seconds=seconds)


def test_the_largest_unit_without_a_rest_is_said() -> None:
    assert [durations.spoken(seconds) for seconds in (59, 5400, 7200, 172_800)] == ["59 s", "90 min", "2 h", "2 d"]
