"""Is it alive, can it work, how is it doing: for supervisors and for Prometheus."""

import shutil
import tempfile
from collections.abc import Callable

from flask import Blueprint, Response, jsonify
from sqlalchemy import select, text

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
    from web.metrics import lines  # only where somebody looks

    auth.require("read")
    return _uncached(Response("".join(lines(context.engine())), content_type=PROMETHEUS))


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
    """The staging directory takes a file, enough of the disk is free, and the store answers."""
    engine.store.check()
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
