"""Short writing transactions of several threads as one: one BEGIN, one COMMIT, one wait for the disk.

Nothing waits on purpose. Who finds nobody writing writes at once, alone; who comes meanwhile queues up,
and the next one to write does it for all that wait. Threads of one process then never meet at the lock of
SQLite either, where whoever finds it taken sleeps for milliseconds.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

log = logging.getLogger("aigc.database")

MOST = 32
LATER_SECONDS = 0.05

Work = Callable[[Session, datetime], Any]


@dataclass(slots=True, eq=False)
class _Call:
    work: Work
    awaited: bool = True
    done: bool = False
    result: Any = None
    error: BaseException | None = None


class GroupCommit:
    """Runs writes of several threads in common transactions.

    Args:
        begin: Opens a writing transaction.
        now: The database's clock.
    """

    def __init__(
        self, begin: Callable[[], AbstractContextManager[Session]], now: Callable[[Session], datetime]
    ) -> None:
        self._begin = begin
        self._now = now
        self._queue: deque[_Call] = deque()
        self._writing = threading.Lock()
        self._timer: threading.Timer | None = None

    def run(self, work: Work) -> Any:
        """Do some work in a transaction, perhaps together with others', and give what it gives.

        A work that fails fails alone: what it shared a transaction with is done again without it. So it
        may be called more than once, and must do the same each time.
        """
        call = _Call(work)
        self._queue.append(call)
        with self._writing:
            while not call.done:
                self._write([self._queue.popleft() for _ in range(min(MOST, len(self._queue)))])
        if call.error is not None:
            raise call.error
        return call.result

    def later(self, work: Work) -> None:
        """Have something written along with the next transaction, or alone after a moment; it may be lost."""
        self._queue.append(_Call(work, awaited=False))
        if self._timer is None:
            self._timer = threading.Timer(LATER_SECONDS, self._flush)
            self._timer.daemon = True
            self._timer.start()

    def _flush(self) -> None:
        self._timer = None
        with self._writing:
            while self._queue:
                self._write([self._queue.popleft() for _ in range(min(MOST, len(self._queue)))])

    def _write(self, calls: list[_Call]) -> None:
        try:
            with self._begin() as session:
                now = self._now(session)
                results = [call.work(session, now) for call in calls]
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            # Nobody may know whether this was committed, so it is not done again here.
            _give_up(calls, error)
        except Exception as error:  # noqa: BLE001 - it is raised where the work came from
            if len(calls) > 1:
                for call in calls:
                    self._write([call])
            else:
                _give_up(calls, error)
        except BaseException as error:
            _give_up(calls, error)  # or those who wait for them would do so for ever
            raise
        else:
            for call, result in zip(calls, results, strict=True):
                call.result, call.done = result, True


def _give_up(calls: list[_Call], error: BaseException) -> None:
    for call in calls:
        call.error, call.done = error, True
        if not call.awaited:
            log.warning("Something that may be lost was not written: %s", error)
