"""Announcing work: a message without payload in a lane's queue. The row in SQL is the job.

The producer has a Celery application of its own, so that nothing here imports the worker.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from jobs.settings import Settings

if TYPE_CHECKING:  # imported where they are used: the web process announces without them and stays small
    from celery import Celery
    from kombu import Queue

log = logging.getLogger("aigc.dispatch")

TASK = "jobs.run"
LANES = ("training", "generation")
DEVICE_KINDS = ("cpu", "gpu")
QUEUES = tuple(f"{lane}.{kind}" for lane in LANES for kind in DEVICE_KINDS)
PUBLISH_SECONDS = 1.0
# After a failed publish the broker is left alone this long: a burst of submits then costs one
# time-out, and the scheduler announces what was not.
PAUSE_SECONDS = 1.0


class Dispatcher(Protocol):
    """Wakes workers up. Nothing is lost when it fails: the scheduler announces again."""

    def announce(self, lane: str, device_kind: str) -> bool:
        """Say that a job waits; False when the broker did not take it in about a second. Never raises."""

    def waiting(self, lane: str, device_kind: str) -> int | None:
        """How many announcements nobody has taken yet; None when the broker does not answer."""

    def alive(self) -> bool:
        """Whether the broker answers."""


def transport_options(settings: Settings, socket_timeout: float) -> dict[str, Any]:
    """Options of the Redis transport; every process of one installation must agree on the first four.

    Args:
        settings: What the operator set.
        socket_timeout: Seconds to wait for a reply: 1 where a person waits, 5 in workers.
    """
    return {
        "global_keyprefix": settings.key_prefix,
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": socket_timeout,
        "socket_connect_timeout": min(2.0, socket_timeout),
        "socket_keepalive": True,
        "health_check_interval": 10,
        # One more try would double the time for which a frozen broker holds a submit.
        "max_retries": 0 if socket_timeout <= PUBLISH_SECONDS else 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    }


def queues() -> "list[Queue]":
    """The four queues; there are no others."""
    from kombu import Queue

    return [Queue(name, routing_key=name) for name in QUEUES]


class CeleryDispatcher:
    """Publishes through Celery; connects on first use, and anew in a forked child."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._celery: Celery | None = None
        self._pid = 0
        self._silent_until = 0.0

    def announce(self, lane: str, device_kind: str) -> bool:
        """See :class:`Dispatcher`."""
        if self._is_silent():
            return False
        try:
            self._app().send_task(
                TASK, queue=f"{lane}.{device_kind}", retry=False, ignore_result=True, serializer="json"
            )
        except Exception as error:  # noqa: BLE001 - whatever the transport raises, the row is safe
            self._be_silent("did not take an announcement", error)
            return False
        return True

    def waiting(self, lane: str, device_kind: str) -> int | None:
        """See :class:`Dispatcher`."""
        if self._is_silent():
            return None
        try:
            with self._channel() as channel:
                return int(channel._size(f"{lane}.{device_kind}"))
        except Exception as error:  # noqa: BLE001 - not knowing is an answer
            self._be_silent("did not tell its queue's length", error)
            return None

    def alive(self) -> bool:
        """See :class:`Dispatcher`."""
        try:
            with self._channel() as channel:
                return bool(channel.client.ping())
        except Exception:  # noqa: BLE001 - any failure means no
            return False

    def close(self) -> None:
        """Give the connections back; the next use opens new ones."""
        with self._lock:
            if self._celery is not None and self._pid == os.getpid():
                self._celery.close()
            self._celery = None

    def _is_silent(self) -> bool:
        return time.monotonic() < self._silent_until

    def _be_silent(self, what: str, error: Exception) -> None:
        self._silent_until = time.monotonic() + PAUSE_SECONDS
        log.warning("The broker %s: %s", what, error)

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        with self._app().connection_for_write() as connection:
            yield connection.default_channel

    def _app(self) -> "Celery":
        with self._lock:
            if self._celery is None or self._pid != os.getpid():
                self._celery, self._pid = self._make(), os.getpid()
            return self._celery

    def _make(self) -> "Celery":
        from celery import Celery

        app = Celery("aigc-producer", set_as_current=False, broker=self._settings.broker_url)
        app.conf.update(
            accept_content=["json"],
            task_serializer="json",
            task_ignore_result=True,
            result_backend=None,
            task_queues=queues(),
            task_default_queue=QUEUES[0],  # must be one of them; every message names its own
            task_create_missing_queues=False,
            task_publish_retry=False,
            broker_transport_options=transport_options(self._settings, PUBLISH_SECONDS),
        )
        return app
