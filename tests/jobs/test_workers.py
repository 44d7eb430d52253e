import os

import pytest

from jobs import workers
from jobs.errors import NotFound
from jobs.tables import WorkerNode
from tests.conftest import Clock
from tests.jobs.acting import Actor


def live(actor: Actor) -> list[str]:
    with actor.engine.db.read() as session:
        return [node.id for node in workers.live(session, actor.engine.db.now(session))]


def test_a_process_lives_as_long_as_it_says_so(actor: Actor, clock: Clock) -> None:
    node = workers.register(actor.engine, "worker", "training", "2 cores", "cpu")
    row: WorkerNode = actor.row(WorkerNode, node)
    assert (row.pid, row.code_version) == (os.getpid(), workers.code_version())
    clock.advance(14)
    workers.beat(actor.engine, node)
    clock.advance(14)
    assert live(actor) == [node]
    clock.advance(2)
    assert live(actor) == []
    workers.beat(actor.engine, node)
    assert live(actor) == [node]
    workers.leave(actor.engine, node)
    workers.leave(actor.engine, node)
    assert live(actor) == []


def test_who_was_forgotten_is_told_to_register_again(actor: Actor) -> None:
    node = workers.register(actor.engine, "worker", "training", "2 cores", "cpu")
    workers.leave(actor.engine, node)
    with pytest.raises(NotFound):
        workers.beat(actor.engine, node)


def test_draining_slots_serve_nothing(actor: Actor) -> None:
    node = workers.register(actor.engine, "worker", "training", "2 cores", "cpu")
    workers.register(actor.engine, "scheduler", None, None, None)

    def served() -> set[tuple[str, str]]:
        with actor.engine.db.read() as session:
            return workers.served(session, actor.engine.db.now(session))

    assert served() == {("training", "cpu")}
    workers.beat(actor.engine, node, draining=True)
    assert served() == set()
