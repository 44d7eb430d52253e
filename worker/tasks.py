"""What Celery runs: one task, and the step of the worker's start that makes the slot behind it."""

import os
import sys
from typing import Any

from celery import Celery, bootsteps, signals
from celery.concurrency import solo
from celery.exceptions import ImproperlyConfigured
from celery.worker.request import Request

from jobs.dispatch import TASK
from jobs.engine import open_engine
from jobs.settings import Settings
from worker import devices, linux
from worker.nvml import open_nvml
from worker.slot import Slot

STORE_PATIENCE = 300.0  # hours of work may wait to be stored


class PromptRequest(Request):
    """Acknowledges a token when it is accepted, and lets a failure be known.

    Celery leaves that to the next turn of its event loop, which in the pool `solo` comes after
    the job, and only logs when it fails. A broker that was restarted meanwhile then left a slot
    that waited for its own acknowledgement and took no token ever again (seen with 5.6.3).
    Raised here, before the job is claimed, a failure makes the consumer connect anew.
    """

    def acknowledge(self) -> None:
        """Acknowledge now."""
        if not self.acknowledged:
            self.message.ack()
            self.acknowledged = True


class SlotStep(bootsteps.StartStopStep):
    """Opens the slot before the worker consumes, and closes it after the last token.

    The queue says lane and kind of device (``training.gpu``), ``--device`` which one of that kind.
    """

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, device: str = "", **options: Any) -> None:
        super().__init__(worker, **options)
        self._device = device
        self._slot: Slot | None = None

    def start(self, worker: Any) -> None:
        """Make the slot, and the task that hands it tokens."""
        if not isinstance(worker.pool, solo.TaskPool):
            raise ImproperlyConfigured("A slot needs the pool `solo`: its supervisor runs in the worker's own process.")
        linux.die_with_parent_if_asked(os.environ)
        lane, kind = _served(worker.app)
        with open_nvml() as nvml:
            device = devices.choose(self._device or kind, nvml)[0]
        slot = self._slot = Slot(open_engine(Settings(), "worker", store_patience=STORE_PATIENCE), lane, device)

        def run() -> None:
            slot.work()

        worker.app.task(name=TASK, Request=PromptRequest)(run)
        slot.start()
        self._shutting_down = signals.worker_shutting_down.connect(lambda **_: slot.drain(), weak=False)
        self._ready = signals.worker_ready.connect(
            lambda **_: print(f"ready {lane}.{kind} {device.name}", file=sys.__stdout__, flush=True), weak=False
        )

    def stop(self, worker: Any) -> None:
        """See what runs to its checkpoint."""
        if self._slot is not None:
            self._slot.close()
            self._slot = None

    def terminate(self, worker: Any) -> None:
        """The same, when Celery is in a hurry: runners must not be left behind."""
        self.stop(worker)


def _served(app: Celery) -> tuple[str, str]:
    queues = list(app.amqp.queues.consume_from)
    if len(queues) != 1:
        raise ImproperlyConfigured("A slot serves one queue. Choose it with -Q, for example: -Q training.cpu")
    lane, _, kind = queues[0].partition(".")
    return lane, kind
