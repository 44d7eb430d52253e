"""Work in a forked child: its result comes back, its failure is told, and a process with threads is never forked."""

import os
import threading

import pytest

from web.aside import aside


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a server that has just started; the test's own process may have a thread of its runner's."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.mark.usefixtures("one_thread")
def test_the_result_comes_from_another_process() -> None:
    own = os.getpid()
    assert int(aside(lambda: str(os.getpid()).encode())) != own
    assert aside(lambda: b"x" * 1_000_000) == b"x" * 1_000_000  # more than a pipe holds


@pytest.mark.usefixtures("one_thread")
def test_what_the_child_does_to_memory_stays_there() -> None:
    seen = list[int]()

    def work() -> bytes:
        seen.append(1)
        return str(len(seen)).encode()

    assert aside(work) == b"1"
    assert seen == []


@pytest.mark.usefixtures("one_thread")
def test_a_failure_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> bytes:
        raise ValueError("no such thing")

    with pytest.raises(RuntimeError, match="aside failed"):
        aside(fail)
    assert "ValueError: no such thing" in capfd.readouterr().err


def test_a_process_with_threads_does_it_itself() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert int(aside(lambda: str(os.getpid()).encode())) == os.getpid()
    finally:
        ended.set()
        thread.join()
