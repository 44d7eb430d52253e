"""Small reads of several threads as one query.

Nothing waits on purpose. Who finds nobody reading reads at once, alone; who comes meanwhile queues up, and when that
query has ended one of them reads for all that wait. A query begins after the last one it answers has asked, so nobody
is told of a state that is older than the question.
"""

import threading
from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


def _taken() -> threading.Lock:
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Asked(Generic[Key, Value]):
    """A question; who asked it sleeps until it is answered, or until it is its turn to read."""

    key: Key
    reads: bool
    value: Value | None = None
    error: BaseException | None = None
    woken: threading.Lock = field(default_factory=_taken)


class GroupRead(Generic[Key, Value]):
    """Answers what several threads ask at the same time with one query.

    Args:
        read: Reads the values of some keys; those it does not give have none.
    """

    def __init__(self, read: Callable[[Collection[Key]], Mapping[Key, Value]]) -> None:
        self._read = read
        self._guard = threading.Lock()
        self._queue: list[_Asked[Key, Value]] = []
        self._reading = False

    def of(self, key: Key) -> Value | None:
        """The value of a key as it is now, or None where there is none.

        Raises:
            Exception: What reading raised; each one who waited for it is told, and who asks next reads anew.
        """
        with self._guard:
            asked = _Asked[Key, Value](key, reads=not self._reading)
            self._reading = True
            self._queue.append(asked)
        if not asked.reads:
            asked.woken.acquire()
        if asked.reads:
            self._read_for_all()
        if asked.error is not None:
            raise asked.error
        return asked.value

    def _read_for_all(self) -> None:
        with self._guard:
            asked, self._queue = self._queue, []
        try:
            found = self._read({one.key for one in asked})
        except BaseException as error:  # noqa: BLE001 - it is raised where the questions came from
            for one in asked:
                one.error = error
        else:
            for one in asked:
                one.value = found.get(one.key)
        finally:
            self._wake(asked)

    def _wake(self, answered: Collection[_Asked[Key, Value]]) -> None:
        """Send on their way who has an answer, and have the first of the others read."""
        with self._guard:
            following = next(iter(self._queue), None)
            self._reading = following is not None
        for one in answered:
            one.woken.release()
        if following is not None:
            following.reads = True
            following.woken.release()
