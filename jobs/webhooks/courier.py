"""Delivers webhooks beside the scheduler's loop, in a few threads: a receiver that hangs delays only its own jobs."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from sqlalchemy.exc import OperationalError

from jobs.engine import Engine
from jobs.errors import InvalidParams
from jobs.webhooks import deliveries, receivers, signing
from jobs.webhooks.deliveries import Due, Parcel
from jobs.webhooks.sending import INTERNET, Network, Outcome, post

log = logging.getLogger("aigc.webhooks")

THREADS, THREADS_PER_HOST = 8, 2
LOOK_AHEAD = 500

NOT_ALLOWED = "Webhooks to this receiver are not allowed any more. See AIGC_WEBHOOK_HOSTS."


class Courier:
    """Makes, sends and settles deliveries until it is stopped. Any number of them may run.

    Args:
        engine: Where the jobs are.
        network: How receivers are reached.
    """

    def __init__(self, engine: Engine, network: Network = INTERNET) -> None:
        self._engine, self._network = engine, network
        self._stop, self._wake = threading.Event(), threading.Event()
        self._idle = threading.Condition()
        self._busy: Counter[str] = Counter()  # requests on their way, by host

    def start(self) -> None:
        """Begin; the threads end with the process at the latest."""
        threading.Thread(target=self._run, name="webhooks", daemon=True).start()

    def stop(self, seconds: float) -> bool:
        """Begin nothing any more; gives whether what was on its way has arrived in that time."""
        self._stop.set()
        self._wake.set()
        return self.rest(seconds)

    def rest(self, seconds: float) -> bool:
        """Wait until nothing is on its way; gives whether it came to that in time."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy, seconds)

    def tick(self) -> int:
        """Do what is due: make deliveries of new events and send them off; gives how many were sent off."""
        deliveries.enqueue(self._engine)
        begun = 0
        for wanted in deliveries.due(self._engine, LOOK_AHEAD):
            if self._stop.is_set():
                break
            begun += self._begin(wanted)
        return begun

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            _survive(self.tick, "webhooks")
            self._wake.wait(self._engine.settings.reap_seconds)

    def _begin(self, wanted: Due) -> bool:
        host = _host(wanted)
        with self._idle:
            if self._busy.total() >= THREADS or self._busy[host] >= THREADS_PER_HOST:
                return False  # the end of one of those wakes us
            self._busy[host] += 1
        try:
            parcel = deliveries.claim(self._engine, wanted)
        except BaseException:
            self._end(host)
            raise
        if parcel is None:
            self._end(host)
            return False
        threading.Thread(target=self._deliver, args=(parcel, host), name="webhook", daemon=True).start()
        return True

    def _deliver(self, parcel: Parcel, host: str) -> None:
        try:
            # Should this fail, the claim runs out and the delivery is repeated, under the same id.
            _survive(lambda: self._try(parcel, host), f"delivery {parcel.id}")
        finally:
            self._end(host)
            self._wake.set()

    def _try(self, parcel: Parcel, host: str) -> None:
        outcome = self._send(parcel)
        state = deliveries.settle(self._engine, parcel, outcome)
        if outcome.error is not None:  # the address stays out of the log: its query may be a secret
            what = (parcel.id, parcel.job_id, host, parcel.attempt, outcome.status, outcome.error, state)
            log.warning("Delivery %s of job %s to %s, try %d: %s %s (%s)", *what)

    def _send(self, parcel: Parcel) -> Outcome:
        try:
            receiver = receivers.read(parcel.webhook.url, self._engine.settings)
        except InvalidParams:
            return Outcome(error=NOT_ALLOWED)
        keys = signing.secrets(self._engine.settings)
        headers = signing.headers(keys, parcel.id, int(time.time()), parcel.body)
        return post(receiver, headers, parcel.body, self._network)

    def _end(self, host: str) -> None:
        with self._idle:
            self._busy[host] -= 1
            self._busy += Counter()  # drops hosts without requests
            self._idle.notify_all()


def _host(wanted: Due) -> str:
    found = receivers.ADDRESS.fullmatch(wanted.webhook.url)
    return found["host"].lower() if found else ""


def _survive(work: Callable[[], object], name: str) -> None:
    """A fault ends one round, never the thread."""
    try:
        work()
    except OperationalError as error:
        log.warning("%s: the database did not answer: %s", name, error.orig)
    except Exception:
        log.exception("%s failed", name)
