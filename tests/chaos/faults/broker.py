"""The broker: killed, wiped, hung, full; messages that are lost in a dead socket or come more than once."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from functools import partial

import redis
from sqlalchemy import select

from jobs.tables import Job, WorkerNode
from tests.chaos.field import Field

BRPOP_SECONDS = 40.0
HELD_SECONDS = 2.0
FIRST = 9  # before all others, so that what is measured is no queue
SUBMIT_SECONDS = 1.5


def kill_broker(field: Field) -> None:
    """It is killed, and comes back with what it had written down."""
    field.take("broker")
    field.stack.broker.kill()
    field.heal(field.rng.uniform(0.3, 4), lambda: _come_back(field))


def lose_broker(field: Field) -> None:
    """It is killed, and comes back with nothing."""
    field.take("broker")
    field.stack.broker.kill()
    field.stack.broker.wipe()
    field.heal(field.rng.uniform(0.3, 4), lambda: _come_back(field))


def wipe_broker(field: Field) -> None:
    """Somebody runs FLUSHALL."""
    field.take("broker")
    with _client(field) as client:
        client.flushall()
    field.give_back("broker")


def hang_broker(field: Field) -> None:
    """It accepts connections and answers nobody: a submission is taken all the same, in about a second."""
    field.take("broker")
    field.stack.broker.send(signal.SIGSTOP)

    def thaw() -> None:
        field.stack.broker.send(signal.SIGCONT)
        field.give_back("broker")

    field.heal(field.rng.uniform(1, 4), thaw)
    _submit_in_time(field)


def fill_broker(field: Field) -> None:
    """It has no memory left and refuses every message: a submission is taken all the same."""
    field.take("broker")
    with _client(field) as client:
        client.config_set("maxmemory", 1)
    field.heal(field.rng.uniform(1, 3), lambda: _empty(field))
    _submit_in_time(field)


def lose_in_socket(field: Field) -> None:
    """The idle training slot is frozen, a job submitted, the slot killed: the token dies in its socket, the job lives.

    It counts when it has come about: the slot must be idle, and only one listens to that lane. One at a time: several
    such jobs in a line would wait for one another, under the faults that meet each of them, and not for their tokens.
    """
    field.take("socket")
    worker = field.stack.workers[0]

    def struck() -> bool:
        free = worker.name not in field.taken and "broker" not in field.taken
        pid = _idle_training_slot(field) if free else None
        if pid is None:
            return False
        _signal(pid, signal.SIGSTOP)
        field.heal(HELD_SECONDS, lambda: _signal(pid, signal.SIGKILL))  # it may hold the lock that a submission needs
        since = time.monotonic()
        job = field.load.train(priority=FIRST)
        _signal(pid, signal.SIGKILL)
        field.injected.update(["lose_in_socket"])
        field.expect("lost_in_the_socket", BRPOP_SECONDS, partial(started, job, since))
        field.later(BRPOP_SECONDS, partial(field.give_back, "socket"))
        return True

    def started(job: str, since: float) -> bool:
        if field.load.job(job).attempt == 0:
            return False
        field.figures["brpop"].append(time.monotonic() - since)
        return True

    field.expect("never_idle", float("inf"), struck)


def repeat_messages(field: Field) -> None:
    """Tokens arrive one to five times: each job runs once for each attempt."""
    for lane in ("training", "generation"):
        for _ in range(field.rng.randint(1, 5)):
            field.engine.dispatcher.announce(lane, "cpu")


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _submit_in_time(field: Field) -> None:
    since = time.monotonic()
    field.load.submit_any()
    field.figures["submit_without_broker"].append(time.monotonic() - since)


def _come_back(field: Field) -> None:
    field.stack.broker.start()
    field.give_back("broker")


def _empty(field: Field) -> None:
    with _client(field) as client:
        client.config_set("maxmemory", 0)
    field.give_back("broker")


def _idle_training_slot(field: Field) -> int | None:
    """The process id of the training slot, if it lives and works on nothing."""
    busy = select(Job.worker_id).where(Job.status == "running", Job.worker_id == WorkerNode.id).exists()
    idle = select(WorkerNode.pid).where(WorkerNode.lane == "training", ~busy)

    with field.engine.db.read() as session:
        found = set(session.scalars(idle))
    return next(iter(found & set(field.stack.workers[0].slots())), None)


@contextlib.contextmanager
def _client(field: Field) -> Iterator["redis.Redis"]:
    """A connection of the fault's own to the broker that it has reserved."""
    with redis.Redis(unix_socket_path=str(field.stack.broker.socket), socket_timeout=5) as client:
        yield client
