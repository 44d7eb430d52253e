"""What all readers of a process may share for a moment: who lives, what rests, how long the lines are.

Hundreds look at jobs that wait each second, and each would read the same line. Off (0 seconds) unless a process turns
it on; a test, a command and a small installation read everything anew.
"""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 10_000  # values; then all are forgotten


class Moment:
    """Values that were read a moment ago.

    Args:
        seconds: How long they are good; 0 for not at all.
        monotonic: Replaces the clock in tests.
    """

    def __init__(self, seconds: float = 0.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.seconds, self._monotonic = seconds, monotonic
        self._values: dict[Hashable, tuple[float, Any]] = {}
        self._guard, self._reading = threading.Lock(), dict[Hashable, threading.Lock]()

    def peek(self, key: Hashable) -> Any:
        """A value that was read a moment ago, or None."""
        found = self._values.get(key) if self.seconds else None
        return found[1] if found is not None and found[0] > self._monotonic() else None

    def of(self, key: Hashable, read: Callable[[], T], times: float = 1.0) -> T:
        """A value, read now or a moment ago; one reader at a time reads it, and others wait for that.

        Args:
            key: What it is.
            read: Reads it.
            times: So many times as long as others it is good.
        """
        if not self.seconds:
            return read()
        known: T | None = self.peek(key)
        if known is not None:
            return known
        with self._guard:
            lock = self._reading.setdefault(key, threading.Lock())
        with lock:
            known = self.peek(key)
            if known is None:
                known = read()
                self.keep(key, known, times)
            return known

    def keep(self, key: Hashable, value: object, times: float = 1.0) -> None:
        """Note a value that was read just now, in the place of what was read earlier; as long as with :meth:`of`."""
        if not self.seconds:
            return
        with self._guard:
            if len(self._values) > MOST:
                self._values.clear()
                self._reading.clear()
            self._values[key] = (self._monotonic() + times * self.seconds, value)
