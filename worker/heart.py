"""The heartbeat of an attempt: a thread that renews the lease and carries along what there is to tell.

It beats whatever else the supervisor is busy with (fetching inputs, storing a large
checkpoint), and looks about once a second whether someone asked for a cancel or a pause.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobs.errors import LeaseLost
from jobs.lifecycle import Beat, Lease, Signals

T = TypeVar("T")

# An InternalError: PostgreSQL cut this process off, as it was frozen within a transaction.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError, PoolTimeout)
LOOK_SECONDS = 1.0
_LINES_PER_BEAT = 500
_RETRY_SECONDS = 0.2
_PATIENCE = 4  # leases that may pass without the database; the reaper, too, waits after an outage

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Notes:
    """What happened since the last beat."""

    phase: str | None = None
    step: int | None = None
    total: int | None = None
    rate: float | None = None
    points: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    dropped: int = 0
    fresh: bool = False

    def cut(self) -> Beat:
        """Make a beat of it and start anew; a beat without news only renews the lease."""
        if not self.fresh:
            return Beat()
        dropped = [f"({self.dropped} lines left out)"] if self.dropped else []
        beat = Beat(
            phase=self.phase,
            step=self.step,
            total=self.total,
            rate=self.rate,
            points=self.points,
            lines=self.lines + dropped,
            phases=self.phases,
        )
        self.points, self.lines, self.phases, self.dropped, self.fresh = [], [], [], 0, False
        return beat

    def put_back(self, beat: Beat) -> None:
        """Keep for the next beat what this one could not deliver."""
        self.points = [*((step, dict(values)) for step, values in beat.points), *self.points]
        self.lines = [*beat.lines, *self.lines]
        self.phases = [*beat.phases, *self.phases]
        self.fresh = True


class Heart:
    """Keeps one lease alive.

    Args:
        lease: The lease; every call of it is fenced, so it may be used from two threads.
        seconds: Longest time between two beats. Requests are looked for each second all the same.
        lease_seconds: How long a lease holds without a beat.
        on_news: Called from the heart's thread when a request has come, or the lease is lost.
    """

    def __init__(self, lease: Lease, seconds: float, lease_seconds: float, on_news: Callable[[Signals], None]) -> None:
        self.lost = False
        self._lease = lease
        self._seconds = seconds
        self._patience = lease_seconds * _PATIENCE
        self._on_news = on_news
        self._notes = Notes()
        self._noting = threading.Lock()
        self._beating = threading.Lock()
        self._stop = threading.Event()
        self._alive_at = self._beat_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more; a beat under way is waited for."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def stopped(self) -> bool:
        """Whether it beats no more."""
        return self._stop.is_set()

    @property
    def due(self) -> bool:
        """Whether there is something to tell, or the lease wants to be renewed."""
        return self._notes.fresh or time.monotonic() - self._beat_at >= self._seconds

    def beaten(self, signals: Signals | None, beat: Beat | None) -> None:
        """Take in what came of a beat (or, without one, of a look) that somebody else did for it."""
        if signals is None:
            self.give_up()
            return
        self._alive_at = time.monotonic()
        if beat is not None:
            self._beat_at = self._alive_at
        if signals.cancel or signals.pause:
            self._on_news(signals)

    def not_beaten(self, error: Exception, beat: Beat | None) -> None:
        """Take in that a beat, or a look, could not be done; what it was to tell is kept."""
        self.put_back(beat)
        try:
            self._endure(error)
        except LeaseLost:
            self.give_up()

    def put_back(self, beat: Beat | None) -> None:
        """Keep what was cut and could not be delivered."""
        if beat is not None:
            with self._noting:
                self._notes.put_back(beat)

    def give_up(self) -> None:
        """The lease is lost."""
        self.lost = True
        self._stop.set()
        self._on_news(Signals(cancel=False, pause=False))

    def phase(self, name: str) -> None:
        """Note that a part of the work begins."""
        with self._notes_changed() as notes:
            if name == notes.phase:
                return
            notes.phase = name
            notes.phases.append(name)

    def progress(self, step: int, total: int, rate: float | None, values: Mapping[str, float]) -> None:
        """Note how far the work is."""
        with self._notes_changed() as notes:
            notes.step, notes.total, notes.rate = step, total, rate
            if values:
                notes.points.append((step, dict(values)))

    def line(self, text: str) -> None:
        """Note a line of the job's log; what is more than a beat can carry is counted, not kept."""
        with self._notes_changed() as notes:
            if len(notes.lines) < _LINES_PER_BEAT:
                notes.lines.append(text)
            else:
                notes.dropped += 1

    def flush(self) -> None:
        """Deliver what was noted, before something is recorded that rests on it.

        Raises:
            LeaseLost: The attempt no longer holds its job.
        """
        if self._notes.fresh:
            self.persist(self._beat)

    def hand_over(self, call: Callable[[Beat | None], T]) -> T:
        """Give a call what :meth:`flush` would deliver, to be written in the same transaction; kept if it fails."""
        beat = self.cut()
        try:
            return call(beat)
        except BaseException:
            if beat is not None:
                with self._noting:
                    self._notes.put_back(beat)
            raise

    def cut(self) -> Beat | None:
        """Take what :meth:`flush` would deliver, to write it elsewhere."""
        with self._noting:
            return self._notes.cut() if self._notes.fresh else None

    def persist(self, call: Callable[[], T]) -> T:
        """Make a call of the lease, again and again while the database cannot be reached.

        Raises:
            LeaseLost: The attempt no longer holds its job, or cannot know it any more.
        """
        while True:
            try:
                found = call()
            except DATABASE_AWAY as error:
                self._endure(error)
                time.sleep(_RETRY_SECONDS)
            else:
                self._alive_at = time.monotonic()
                return found

    def _run(self) -> None:
        while not self._stop.wait(min(self._seconds, LOOK_SECONDS)):
            try:
                signals = self._look()
            except LeaseLost:
                break
            except DATABASE_AWAY as error:
                try:
                    self._endure(error)
                except LeaseLost:
                    break
            except Exception:
                log.exception("A heartbeat failed in a way nobody foresaw; the attempt ends")
                break
            else:
                if signals.cancel or signals.pause:
                    self._on_news(signals)
        else:
            return
        self.lost = True
        self._on_news(Signals(cancel=False, pause=False))

    def _look(self) -> Signals:
        """Beat when there is something to tell or the time has come; else only read what was asked."""
        if self.due:
            return self._beat()
        signals = self._lease.signals()
        self._alive_at = time.monotonic()
        return signals

    def _beat(self) -> Signals:
        with self._beating:
            with self._noting:
                beat = self._notes.cut()
            try:
                signals = self._lease.beat(beat)
            except DATABASE_AWAY:
                with self._noting:
                    self._notes.put_back(beat)
                raise
            self._alive_at = self._beat_at = time.monotonic()
            return signals

    def _endure(self, error: Exception) -> None:
        away = time.monotonic() - self._alive_at
        if away > self._patience:
            raise LeaseLost from error
        log.warning("The database has not answered for %.0f s: %s", away, type(error).__name__)

    @contextmanager
    def _notes_changed(self) -> Iterator[Notes]:
        with self._noting:
            self._notes.fresh = True
            yield self._notes
