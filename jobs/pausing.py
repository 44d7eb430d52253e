"""Slots and queues that take no new jobs until somebody resumes them; what runs goes on to its end.

The claim itself looks here, so a pause holds from the moment it is committed, for a worker that
starts again just as for one that runs. See :class:`jobs.switches.LanePause` for what names a slot.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, bindparam, delete, exists, or_, select
from sqlalchemy.orm import Session

from jobs.dispatch import QUEUES
from jobs.engine import Engine
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.principal import Principal
from jobs.tables import LanePause, WorkerNode

EVERYWHERE = ""  # host and device of a pause that holds a whole queue

Held = Literal["queue", "slot"]


def may_take(lane: Any, device_kind: Any, worker: Any) -> ColumnElement[bool]:
    """Guard of a claim: neither the queue nor this worker's slot is paused."""
    here = exists().where(
        WorkerNode.id == worker,
        WorkerNode.host == LanePause.host,
        WorkerNode.device_name == LanePause.device_name,
    )
    held = exists().where(
        LanePause.lane == lane, LanePause.device_kind == device_kind, or_(LanePause.host == EVERYWHERE, here)
    )
    return ~held


_MAY_TAKE = select(may_take(bindparam("lane"), bindparam("kind"), bindparam("worker")))


def is_paused(session: Session, lane: str, device_kind: str, worker_id: str) -> bool:
    """Whether a slot takes nothing new; costs one look at a table that is mostly empty."""
    asked = {"lane": lane, "kind": device_kind, "worker": worker_id}
    return not session.connection().scalar(_MAY_TAKE, asked)


@dataclass(frozen=True, slots=True)
class Pauses:
    """Everything that is paused at this moment."""

    rows: Sequence[LanePause] = ()

    def holding(self, node: WorkerNode) -> Held | None:
        """What keeps a slot from taking jobs: its queue's pause, or its own."""
        if self.of_queue(node.lane, node.device_kind):
            return "queue"
        return "slot" if self.of_slot(node) else None

    def of_queue(self, lane: str | None, device_kind: str | None) -> bool:
        """Whether a whole queue is paused."""
        return any((row.lane, row.device_kind, row.host) == (lane, device_kind, EVERYWHERE) for row in self.rows)

    def of_slot(self, node: WorkerNode) -> bool:
        """Whether a slot itself is paused."""
        return any(_place(row) == _place(node) for row in self.rows)

    def idle_lanes(self, nodes: Iterable[WorkerNode]) -> set[tuple[str, str]]:
        """The (lane, kind of device) pairs that have slots, all of which are paused."""
        slots = [node for node in nodes if node.lane and node.device_kind and not node.draining]
        taking = {(node.lane, node.device_kind) for node in slots if self.holding(node) is None}
        return {(str(node.lane), str(node.device_kind)) for node in slots} - taking

    def absent(self, nodes: Sequence[WorkerNode]) -> list[LanePause]:
        """Pauses of slots that do not run at this moment; they hold as soon as such a slot starts."""
        alive = {_place(node) for node in nodes}
        return [row for row in self.rows if row.host != EVERYWHERE and _place(row) not in alive]


def _place(row: LanePause | WorkerNode) -> tuple[str | None, ...]:
    return row.lane, row.device_kind, row.host, row.device_name


def read(session: Session) -> Pauses:
    """What is paused."""
    order = (LanePause.lane, LanePause.device_kind, LanePause.host, LanePause.device_name)
    return Pauses(session.scalars(select(LanePause).order_by(*order)).all())


def pause_slot(engine: Engine, principal: Principal, worker_id: str) -> None:
    """Let a slot take nothing new; one that is paused already stays so.

    Raises:
        NotFound: There is no such slot alive.
    """
    with engine.db.begin() as session:
        node = _slot(session, worker_id)
        where = {"host": node.host, "device_name": node.device_name}
        _pause(engine, session, principal, {"lane": node.lane, "device_kind": node.device_kind, **where})


def resume_slot(engine: Engine, worker_id: str) -> None:
    """End a slot's own pause; a pause of its whole queue still holds it.

    Raises:
        NotFound: There is no such slot alive.
    """
    with engine.db.begin() as session:
        node = _slot(session, worker_id)
        session.execute(
            delete(LanePause).where(
                LanePause.lane == node.lane,
                LanePause.device_kind == node.device_kind,
                LanePause.host == node.host,
                LanePause.device_name == node.device_name,
            )
        )


def pause_queue(engine: Engine, principal: Principal, queue: str) -> None:
    """Let every slot of a queue take nothing new, those too that start later.

    Raises:
        NotFound: There is no such queue.
    """
    lane, kind = _queue(queue)
    with engine.db.begin() as session:
        nowhere = {"host": EVERYWHERE, "device_name": EVERYWHERE}
        _pause(engine, session, principal, {"lane": lane, "device_kind": kind, **nowhere})


def resume_queue(engine: Engine, queue: str) -> None:
    """End the pause of a whole queue; slots that were paused one by one stay so.

    Raises:
        NotFound: There is no such queue.
    """
    lane, kind = _queue(queue)
    whole = (LanePause.lane == lane, LanePause.device_kind == kind, LanePause.host == EVERYWHERE)
    with engine.db.begin() as session:
        session.execute(delete(LanePause).where(*whole))


def end(engine: Engine, pause_id: str) -> None:
    """End one pause, also of a slot that does not run.

    Raises:
        NotFound: There is no such pause (any more).
    """
    with engine.db.begin() as session:
        gone = delete(LanePause).where(LanePause.id == pause_id).returning(LanePause.id)
        if session.execute(gone).one_or_none() is None:
            raise NotFound(kind="pause", id=pause_id)


def _pause(engine: Engine, session: Session, principal: Principal, what: dict[str, Any]) -> None:
    made = {"id": new_id("pse"), "paused_at": engine.db.now(session), "paused_by": principal.owner}
    session.execute(engine.db.insert(LanePause).values(**what, **made).on_conflict_do_nothing())


def _slot(session: Session, worker_id: str) -> WorkerNode:
    node = session.get(WorkerNode, worker_id)
    if node is None or node.lane is None or node.device_name is None:
        raise NotFound(kind="worker", id=worker_id)
    return node


def _queue(name: str) -> tuple[str, str]:
    if name not in QUEUES:
        raise NotFound(kind="queue", id=name)
    lane, _, kind = name.partition(".")
    return lane, kind
