"""Is it alive, can it work, how is it doing: for supervisors and for Prometheus."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable

from flask import Blueprint, Response, jsonify
from sqlalchemy import func, select, text

from jobs import disk, tables, workers
from jobs.engine import Engine
from web import auth, context

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process answers. Touches nothing else."""
    return _uncached(jsonify(status="ok"))


@blueprint.get("/readyz")
def readyz() -> Response:
    """What of the whole works. 503 when requests cannot be served; a missing broker or scheduler only delays jobs."""
    engine = context.engine()
    parts = {
        "database": _works(_database, engine),
        "storage": _works(_storage, engine),
        "broker": _works(lambda each: each.dispatcher.alive(), engine),
        "scheduler": _works(_scheduler, engine),
        "disks": _works(_disks, engine),
    }
    serving = parts["database"] and parts["storage"]
    status = "ok" if all(parts.values()) else "degraded" if serving else "unavailable"
    reply = jsonify(status=status, parts={name: "ok" if works else "down" for name, works in parts.items()})
    reply.status_code = 200 if serving else 503
    return _uncached(reply)


@blueprint.get("/metrics")
def metrics() -> Response:
    """Figures in Prometheus' text format, read from SQL when asked."""
    auth.require("read")
    return _uncached(Response("".join(_lines(context.engine())), content_type=PROMETHEUS))


def _uncached(reply: Response) -> Response:
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _works(check: Callable[[Engine], bool], engine: Engine) -> bool:
    try:
        return check(engine)
    except Exception:  # noqa: BLE001 - whatever is wrong with a part, it does not work
        return False


def _database(engine: Engine) -> bool:
    with engine.db.read() as session:
        session.execute(text("SELECT 1"))
    return True


def _storage(engine: Engine) -> bool:
    """The staging directory takes a file, and enough of the disk is free."""
    staging = engine.settings.staging
    staging.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=staging) as probe:
        probe.write(b"ready")
    return shutil.disk_usage(staging).free >= engine.settings.min_free_disk


def _scheduler(engine: Engine) -> bool:
    with engine.db.read() as session:
        return any(node.role == "scheduler" for node in workers.live(session, engine.db.now(session)))


def _disks(engine: Engine) -> bool:
    """Every slot has room for a job, and no job waits for some."""
    with engine.db.read() as session:
        now = engine.db.now(session)
        full = disk.crowded(workers.live(session, now), engine.settings)
        return not full and session.scalar(select(tables.Job.id).where(*disk.waits(now)).limit(1)) is None


def _lines(engine: Engine) -> Iterable[str]:
    job = tables.Job
    with engine.db.read() as session:
        by_status = {row[0]: row[1] for row in session.execute(select(job.status, func.count()).group_by(job.status))}
        waiting = session.execute(
            select(job.lane, job.device_kind, func.count(), func.min(job.created_at))
            .where(job.status == "queued")
            .group_by(job.lane, job.device_kind)
        ).all()
        now = engine.db.now(session)
        live = workers.live(session, now)
        stored = session.execute(select(func.count(), func.coalesce(func.sum(tables.Blob.size), 0))).one()
    statuses: tuple[str, ...] = tables.STATUSES
    counted = [({"status": name}, by_status.get(name, 0)) for name in statuses]
    yield from _gauge("aigc_jobs", "Jobs by status.", counted)
    lanes = [({"lane": lane, "device": device}, count) for lane, device, count, _ in waiting]
    yield from _gauge("aigc_queue_length", "Jobs that wait.", lanes)
    ages = [({"lane": lane, "device": device}, (now - oldest).total_seconds()) for lane, device, _, oldest in waiting]
    yield from _gauge("aigc_queue_oldest_seconds", "Age of the job that waits longest.", ages)
    alive = [({"role": node.role, "lane": node.lane or "", "host": node.host}, 1) for node in live]
    yield from _gauge("aigc_worker_up", "Live workers and schedulers.", _summed(alive))
    yield from _gauge("aigc_stored_files", "Files in the store.", [({}, stored[0])])
    yield from _gauge("aigc_stored_bytes", "Bytes in the store.", [({}, stored[1])])
    yield from _gauge("aigc_web_resident_bytes", "Memory of this process.", [({}, _resident_bytes())])


def _summed(samples: Iterable[tuple[dict[str, str], int]]) -> list[tuple[dict[str, str], float]]:
    """Equal labels once, with their sum: two slots of a lane on one host are one line."""
    sums: dict[tuple[tuple[str, str], ...], int] = {}
    for labels, value in samples:
        sums[tuple(labels.items())] = sums.get(tuple(labels.items()), 0) + value
    return [(dict(labels), value) for labels, value in sums.items()]


def _gauge(name: str, text_: str, samples: Iterable[tuple[dict[str, str], float]]) -> Iterable[str]:
    yield f"# HELP {name} {text_}\n# TYPE {name} gauge\n"
    for labels, value in samples:
        inner = ",".join(f'{key}="{_escaped(label)}"' for key, label in labels.items())
        yield f"{name}{{{inner}}} {value}\n" if inner else f"{name} {value}\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _resident_bytes() -> int:
    with open("/proc/self/statm") as file:  # noqa: PTH123 - a path object would be longer
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
