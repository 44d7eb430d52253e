"""Room on the disks of slots: who has too little to take jobs, and which jobs wait for more."""

import shutil
import socket
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Row, select, update

from jobs import workers
from jobs.engine import Engine
from jobs.moves import untouched
from jobs.settings import Settings
from jobs.tables import Job, WorkerNode

BATCH = 1_000


def free(directory: Path) -> int:
    """Free bytes on the disk of a directory."""
    return shutil.disk_usage(directory).free


def measured(directory: Path) -> dict[str, Any]:
    """The same with the host's name, as a failed attempt writes it down."""
    return {"host": socket.gethostname(), "free": free(directory)}


def crowded(nodes: Iterable[WorkerNode], settings: Settings) -> list[WorkerNode]:
    """Slots that take no jobs, because their disk has too little room."""
    return [node for node in nodes if node.free_disk is not None and node.free_disk < settings.min_free_disk]


def lanes_without_room(nodes: Sequence[WorkerNode], settings: Settings) -> set[tuple[str, str]]:
    """The (lane, kind of device) pairs all of whose slots have too little room."""
    without = {node.id for node in crowded(nodes, settings)}
    slots = [(node.id in without, (node.lane, node.device_kind)) for node in nodes if node.lane and node.device_kind]
    return {pair for full, pair in slots if full} - {pair for full, pair in slots if not full}


def waits(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """What a job is like whose last attempt found the disk full and whose pause is not over."""
    return (Job.status == "queued", Job.not_before > now, Job.failure["code"].as_string() == "disk_full")


def end_waits(engine: Engine) -> int:
    """Let jobs go on ahead of time where a slot on the host that was full has room again; gives their number."""
    with engine.db.read() as session:
        now = engine.db.now(session)
        wanted = select(Job.id, Job.lane, Job.device_kind, Job.failure).where(*waits(now))
        jobs = session.execute(wanted.limit(BATCH)).all()
        nodes = [node for node in workers.live(session, now) if not node.draining] if jobs else []
    ids = [job.id for job in jobs if any(_has_room(node, job, engine.settings) for node in nodes)]
    if not ids:
        return 0
    with engine.db.begin() as session:
        now = engine.db.now(session)
        full = untouched(Job.id.in_(ids), Job.status == "queued", Job.not_before > now)
        changes = {"not_before": now, "dispatched_at": None, "version": Job.version + 1, "updated_at": now}
        moved = update(Job).where(Job.id.in_(full)).values(**changes).returning(Job.id)
        return len(session.scalars(moved.execution_options(synchronize_session=False)).all())


def _has_room(node: WorkerNode, job: Row[Any], settings: Settings) -> bool:
    """Whether clearly more is free than when the attempt failed: what was left then was not enough."""
    if node.free_disk is None or (node.lane, node.device_kind) != (job.lane, job.device_kind):
        return False
    seen = job.failure.get("disk") or {"host": node.host, "free": 0}
    more = seen["free"] + max(1, settings.min_free_disk // 4)
    return bool(node.host == seen["host"] and node.free_disk >= max(settings.min_free_disk, more))
