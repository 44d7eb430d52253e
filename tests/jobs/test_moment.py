"""Values that readers share for a moment."""

import threading
from functools import partial

import pytest

from jobs.moment import MOST, Moment


def test_a_value_is_read_once_in_a_moment() -> None:
    now, reads = [0.0], []

    def read() -> str:
        reads.append(now[0])
        return f"read at {now[0]}"

    moment = Moment(1.0, lambda: now[0])
    assert moment.peek("line") is None
    assert {moment.of("line", read) for _ in range(3)} == {"read at 0.0"}
    now[0] = 0.9
    assert moment.of("line", read) == moment.peek("line") == "read at 0.0"
    assert moment.of("another", read) == "read at 0.9"
    now[0] = 1.1
    assert moment.peek("line") is None
    assert moment.of("line", read) == "read at 1.1"
    assert reads == [0.0, 0.9, 1.1]


def test_a_value_may_be_good_for_longer_than_others() -> None:
    now = [0.0]
    moment = Moment(1.0, lambda: now[0])
    moment.of("far", lambda: "of old", times=4.0)
    now[0] = 3.9
    assert moment.of("far", lambda: "anew") == "of old"
    now[0] = 4.1
    assert moment.of("far", lambda: "anew") == "anew"


def noted(reads: list[int], value: int) -> int:
    """Read a value, and write down that it was read."""
    reads.append(value)
    return value


def test_without_seconds_everything_is_read_anew() -> None:
    moment, reads = Moment(), list[int]()
    for number in range(3):
        moment.of("line", partial(noted, reads, number))
    assert reads == [0, 1, 2]
    assert moment.peek("line") is None


def test_many_who_ask_at_once_wait_for_one_who_reads() -> None:
    moment, start, reads = Moment(60.0), threading.Barrier(8), list[int]()

    def ask() -> None:
        start.wait()
        moment.of("line", partial(noted, reads, 1))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reads == [1]


def test_what_was_read_elsewhere_takes_the_place_of_what_is_older() -> None:
    now = [0.0]
    moment = Moment(1.0, lambda: now[0])
    moment.keep("tag", "first")
    now[0] = 0.5
    moment.keep("tag", "second", times=2.0)
    now[0] = 2.4
    assert moment.peek("tag") == moment.of("tag", lambda: "anew") == "second"
    now[0] = 2.6
    assert moment.peek("tag") is None
    off = Moment()
    off.keep("tag", "first")
    assert off.peek("tag") is None


@pytest.mark.parametrize("how", ["read", "kept"])
def test_what_is_kept_has_a_bound(how: str) -> None:
    moment = Moment(60.0)
    for number in range(MOST + 10):
        if how == "read":
            moment.of(number, lambda: "x")
        else:
            moment.keep(number, "x")
    assert moment.peek(0) is None
    assert moment.peek(MOST + 5) == "x"
