"""Processes that announce themselves: the slots of workers, and schedulers."""

import os
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from jobs.dispatch import DEVICE_KINDS
from jobs.engine import Engine
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.tables import WorkerNode

LIVE = timedelta(seconds=15)
FORGET = timedelta(hours=1)


def register(engine: Engine, role: str, lane: str | None, device: str | None, device_kind: str | None) -> str:
    """Announce this process and give its id.

    Args:
        engine: Where to.
        role: ``worker`` or ``scheduler``.
        lane: The lane a slot serves.
        device: What it computes on, in words.
        device_kind: ``cpu`` or ``gpu``.
    """
    with engine.db.begin() as session:
        now = engine.db.now(session)
        node = WorkerNode(
            id=new_id("wrk"),
            role=role,
            host=socket.gethostname(),
            pid=os.getpid(),
            lane=lane,
            device=device,
            device_kind=device_kind,
            code_version=code_version(),
            started_at=now,
            heartbeat_at=now,
            draining=False,
        )
        session.add(node)
    return node.id


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What a slot computes on, and how that is.

    Attributes:
        name: What stays the same when it starts again.
        memory_total: Bytes.
        memory_free: Bytes.
        place: What people call it on its host.
        utilisation: Percent.
        temperature: Degrees Celsius.
        watts: Power it draws.
        unfit: Why it takes no jobs.
    """

    name: str
    memory_total: int | None = None
    memory_free: int | None = None
    place: str | None = None
    utilisation: int | None = None
    temperature: int | None = None
    watts: float | None = None
    unfit: str | None = None


def beat(
    engine: Engine,
    worker_id: str,
    draining: bool = False,
    free_disk: int | None = None,
    device: DeviceState | None = None,
) -> None:
    """Say that the process lives.

    Args:
        engine: Where to.
        worker_id: What :func:`register` gave.
        draining: Whether it takes no more jobs.
        free_disk: Bytes free where it keeps its files.
        device: What a slot computes on.

    Raises:
        NotFound: It was silent so long that it was forgotten: register again.
    """
    with engine.db.begin() as session:
        alive = update(WorkerNode).where(WorkerNode.id == worker_id)
        said: dict[str, Any] = {"heartbeat_at": engine.db.now(session), "draining": draining, "free_disk": free_disk}
        if device is not None:
            said |= {
                "device_name": device.name,
                "device_place": device.place,
                "memory_total": device.memory_total,
                "memory_free": device.memory_free,
                "utilisation": device.utilisation,
                "temperature": device.temperature,
                "watts": device.watts,
                "unfit": device.unfit,
            }
        alive = alive.values(**said).returning(WorkerNode.id)
        if session.execute(alive).one_or_none() is None:
            raise NotFound(kind="worker", id=worker_id)


def leave(engine: Engine, worker_id: str) -> None:
    """Sign off."""
    with engine.db.begin() as session:
        session.execute(delete(WorkerNode).where(WorkerNode.id == worker_id))


def live(session: Session, now: datetime, within: timedelta = LIVE) -> Sequence[WorkerNode]:
    """Processes heard of lately, the oldest first."""
    heard = select(WorkerNode).where(WorkerNode.heartbeat_at > now - within)
    return session.scalars(heard.order_by(WorkerNode.started_at, WorkerNode.id)).all()


def served(session: Session, now: datetime, within: timedelta = LIVE) -> set[tuple[str, str]]:
    """The (lane, kind of device) pairs that a live worker takes jobs of."""
    found = session.connection().execute(_SERVING, {"since": now - within})
    return {(lane, kind) for lane, kind in found if lane and kind}


_NODE = WorkerNode.__table__.c
_SERVING = select(_NODE.lane, _NODE.device_kind).where(
    _NODE.heartbeat_at > bindparam("since"), _NODE.draining.is_(False), _NODE.unfit.is_(None)
)


def lanes(nodes: Iterable[WorkerNode]) -> set[tuple[str, str]]:
    """The (lane, kind of device) pairs that some processes take jobs of."""
    return {(n.lane, n.device_kind) for n in nodes if n.lane and n.device_kind and not n.draining and not n.unfit}


def device_kind_for(session: Session, lane: str, now: datetime) -> str:
    """The kind of device a new job of a lane goes to: a GPU if a live worker has one, else what is there."""
    kinds = {kind for served_lane, kind in served(session, now) if served_lane == lane}
    return "gpu" if "gpu" in kinds else DEVICE_KINDS[0]


def forget_dead(session: Session, now: datetime) -> int:
    """Drop processes that have been silent for an hour; gives their number."""
    gone = delete(WorkerNode).where(WorkerNode.heartbeat_at < now - FORGET).returning(WorkerNode.id)
    return len(session.scalars(gone).all())


@cache
def code_version() -> str:
    """The installed version of this software."""
    try:
        return version("aigc-foundry")
    except PackageNotFoundError:
        return "unknown"
