import threading

import pytest
from sqlalchemy.exc import OperationalError

from jobs.errors import LeaseLost
from jobs.lifecycle import Beat, Lease, Signals
from worker.heart import Heart

SECONDS = 20.0
NOTHING = Beat()


class PlainLease(Lease):
    """A lease without a database: it remembers beats, and fails as it is told."""

    def __init__(self, *, away: int = 0, lost: bool = False, asked: Signals | None = None) -> None:
        self.beats: list[Beat] = []
        self.beaten = threading.Event()
        self.away, self.lost, self.asked = away, lost, asked or Signals(cancel=False, pause=False)

    def beat(self, beat: Beat = NOTHING) -> Signals:
        if self.lost:
            raise LeaseLost
        if self.away:
            self.away -= 1
            raise OperationalError("UPDATE", {}, Exception("gone"))
        self.beats.append(beat)
        self.beaten.set()
        return self.asked

    def signals(self) -> Signals:
        return self.beat()


def heart_of(lease: Lease, *, lease_seconds: float = 10.0) -> tuple[Heart, threading.Event]:
    """A quick heart, and an event that its news set."""
    news = threading.Event()
    return Heart(lease, 0.01, lease_seconds, lambda _: news.set()), news


def test_what_was_noted_rides_on_the_next_beat_once() -> None:
    lease = PlainLease()
    heart, _ = heart_of(lease)
    heart.phase("training")
    heart.phase("training")
    heart.progress(3, 10, 1.5, {"loss": 0.5})
    heart.line("hello")
    heart.flush()
    heart.flush()
    assert lease.beats == [
        Beat("training", 3, 10, 1.5, points=[(3, {"loss": 0.5})], lines=["hello"], phases=["training"])
    ]


def test_more_lines_than_a_beat_can_carry_are_counted() -> None:
    lease = PlainLease()
    heart, _ = heart_of(lease)
    for number in range(600):
        heart.line(str(number))
    heart.flush()
    assert list(lease.beats[0].lines)[-1] == "(100 lines left out)"


def test_a_request_is_news() -> None:
    heart, news = heart_of(PlainLease(asked=Signals(cancel=True, pause=False)))
    heart.start()
    assert news.wait(SECONDS)
    heart.stop()
    assert not heart.lost


def test_a_lost_lease_is_news() -> None:
    heart, news = heart_of(PlainLease(lost=True))
    heart.start()
    assert news.wait(SECONDS)
    heart.stop()
    assert heart.lost


def test_nothing_is_lost_while_the_database_is_away() -> None:
    lease = PlainLease(away=3)
    heart, _ = heart_of(lease)
    heart.progress(1, 2, None, {"loss": 1.0})
    heart.line("kept")
    heart.start()
    assert lease.beaten.wait(SECONDS)
    heart.stop()
    assert list(lease.beats[0].points) == [(1, {"loss": 1.0})]
    assert list(lease.beats[0].lines) == ["kept"]
    assert not heart.lost


def test_a_write_is_repeated_until_the_database_is_back() -> None:
    lease = PlainLease(away=2)
    heart, _ = heart_of(lease)
    assert heart.persist(lease.signals) == Signals(cancel=False, pause=False)


def test_patience_ends() -> None:
    lease = PlainLease(away=1_000_000)
    heart, news = heart_of(lease, lease_seconds=0.01)
    heart.start()
    assert news.wait(SECONDS)
    assert heart.lost
    with pytest.raises(LeaseLost):
        heart.persist(lease.signals)
    heart.stop()
