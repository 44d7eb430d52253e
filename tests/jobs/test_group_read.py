"""Reads of several threads in one query."""

import threading
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from jobs.group_read import GroupRead

SECONDS = 20.0


class Held:
    """A table that is read as it is when a query begins; the first query's answer is held up until it may go.

    Attributes:
        table: What is read.
        asked: The keys of each query so far.
    """

    def __init__(self, **table: int) -> None:
        self.table = table
        self.asked: list[set[str]] = []
        self.begun, self.go = threading.Event(), threading.Event()

    def read(self, keys: Collection[str]) -> Mapping[str, int]:
        """The rows of some keys."""
        self.asked.append(set(keys))
        found = {key: self.table[key] for key in keys if key in self.table}
        if len(self.asked) == 1:
            self.begun.set()
            assert self.go.wait(SECONDS)
        return found


@contextmanager
def behind(
    held: Held, group: GroupRead[str, int], keys: list[str]
) -> Iterator[tuple[Future[int | None], list[Future[int | None]]]]:
    """Have questions wait behind a query that is held up; yields what becomes of that and of them once it goes on."""
    with ThreadPoolExecutor(len(keys) + 1) as pool:
        first = pool.submit(group.of, "first")
        assert held.begun.wait(SECONDS)
        held.table["first"] += 1  # what comes from here on must be told of this
        others = [pool.submit(group.of, key) for key in keys]
        end = time.monotonic() + SECONDS
        while len(group._queue) < len(keys):
            assert time.monotonic() < end
            time.sleep(0.001)
        held.go.set()
        yield first, others


def test_who_asks_alone_is_answered_at_once() -> None:
    held = Held(a=1)
    held.go.set()
    group = GroupRead(held.read)
    assert [group.of("a"), group.of("b"), group.of("a")] == [1, None, 1]
    assert held.asked == [{"a"}, {"b"}, {"a"}]


def test_who_asks_meanwhile_is_told_by_one_query_that_began_later() -> None:
    held = Held(first=1, a=10, b=20)
    with behind(held, GroupRead(held.read), ["a", "b", "first", "none", "a"]) as (first, others):
        assert first.result(SECONDS) == 1
        assert [other.result(SECONDS) for other in others] == [10, 20, 2, None, 10]
    assert held.asked == [{"first"}, {"a", "b", "first", "none"}]


@pytest.mark.parametrize("fault", [ValueError("no"), SystemExit(1)])
def test_each_one_of_a_query_that_fails_is_told_and_the_next_one_reads(fault: BaseException) -> None:
    held = Held(first=1, a=10)

    def read(keys: Collection[str]) -> Mapping[str, int]:
        found = held.read(keys)
        if len(held.asked) == 2:
            raise fault
        return found

    group = GroupRead(read)
    with behind(held, group, ["a", "first", "b"]) as (first, others):
        assert first.result(SECONDS) == 1
        assert [other.exception(SECONDS) for other in others] == [fault] * 3
    assert len(held.asked) == 2
    assert group.of("a") == 10


def test_a_first_query_that_fails_leaves_nobody_waiting() -> None:
    held = Held(first=1, a=10)

    def read(keys: Collection[str]) -> Mapping[str, int]:
        found = held.read(keys)
        if len(held.asked) == 1:
            raise KeyboardInterrupt
        return found

    with behind(held, GroupRead(read), ["a", "first"]) as (first, others):
        assert isinstance(first.exception(SECONDS), KeyboardInterrupt)
        assert [other.result(SECONDS) for other in others] == [10, 2]


def test_many_threads_see_what_they_wrote() -> None:
    table, rounds = dict.fromkeys("abcdefgh", 0), 200
    group = GroupRead(lambda keys: {key: table[key] for key in keys})
    start = threading.Barrier(len(table))

    def write_and_ask(key: str) -> list[int | None]:
        start.wait(SECONDS)
        seen = []
        for number in range(rounds):
            table[key] = number
            seen.append(group.of(key))
        return seen

    with ThreadPoolExecutor(len(table)) as pool:
        for seen in pool.map(write_and_ask, list(table)):
            assert seen == list(range(rounds))
