"""Which devices beside a slot's own could work on a training with it, and whether one waits that needs them."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy.orm import Session

from jobs import fitting, pausing, picking, workers
from jobs.claiming import Room, WorkerIdentity, wish
from jobs.engine import Engine
from jobs.picking import UNKNOWN
from jobs.tables import WorkerNode


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What a slot finds around it.

    Attributes:
        wanted: Devices that the job takes whose turn it is.
        names: Devices of the slots on this host that take jobs of the same queue; those with most memory first. None
            where no job waits that needs more than one.
        memory: Bytes free on each, by name.
    """

    wanted: int = 1
    names: Sequence[str] = ()
    memory: Mapping[str, int] = field(default_factory=dict)


ALONE = Neighbours()


def look_around(engine: Engine, worker: WorkerIdentity, room: Room) -> Neighbours:
    """What a slot may borrow for the job whose turn it is; costs one look into a small index, mostly.

    Args:
        engine: Where the jobs are.
        worker: The slot.
        room: What its own device has.
    """
    with engine.db.read() as session:
        if not picking.any_wide(session, worker.lane, worker.device_kind):
            return ALONE
        nodes = _beside(engine, session, worker)
        if not nodes:
            return ALONE
        memory = {str(node.device_name): UNKNOWN if node.memory_free is None else node.memory_free for node in nodes}
        wanted = wish(engine, worker, frozenset(), replace(room, devices=1 + len(nodes)))
        count = picking.devices_wanted(session, wanted, engine.db.now(session))
    return Neighbours(count, sorted(memory, key=lambda name: (-memory[name], name)), memory)


def _beside(engine: Engine, session: Session, worker: WorkerIdentity) -> list[WorkerNode]:
    pauses, nodes = pausing.read(session), workers.live(session, engine.db.now(session))
    own = next((node for node in nodes if node.id == worker.id), None)
    if own is None or not fitting.joins(own):
        return []
    return [
        node
        for node in nodes
        if (node.host, node.lane, node.device_kind) == (socket.gethostname(), worker.lane, worker.device_kind)
        and node.device_name not in (None, own.device_name)
        and fitting.joins(node)
        and pauses.holding(node) is None
    ]
