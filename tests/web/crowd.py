"""A database as it is after a long time: thousands of jobs in every state."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from aigc_models import registry
from jobs.engine import Engine
from jobs.ids import new_id
from jobs.principal import Principal
from jobs.tables import Job

TASKS = (
    ("image_gan", "train", "training"),
    ("image_vae", "train", "training"),
    ("image_gan", "generate", "generation"),
)
# Some wait, run or are held; the rest is done.
MIX: tuple[str, ...] = ("succeeded",) * 9 + ("failed",) * 2 + ("cancelled",)
OPEN_EVERY, OPEN = 50, ("queued", "running", "queued", "paused")
AT_ONCE = 500


def crowd(
    engine: Engine, principal: Principal, count: int, open_every: int = OPEN_EVERY, states: Sequence[str] = OPEN
) -> list[str]:
    """Write jobs that came a minute after one another, the last one now; gives their ids, the oldest first.

    Of each ``open_every`` one waits, runs or is held, or is otherwise as ``states`` say.
    """
    with engine.db.read() as session:
        now = engine.db.now(session)
    ids = list[str]()
    for start in range(0, count, AT_ONCE):
        numbers = range(start, min(count, start + AT_ONCE))
        rows = [
            _row(number, principal, now - timedelta(minutes=count - number), _status(number, open_every, states))
            for number in numbers
        ]
        with engine.db.begin() as session:
            session.execute(insert(Job), rows)
        ids += [row["id"] for row in rows]
    return ids


def _status(number: int, open_every: int, states: Sequence[str]) -> str:
    return MIX[number % len(MIX)] if number % open_every else states[number // open_every % len(states)]


def _row(number: int, principal: Principal, created: Any, status: str) -> dict[str, Any]:
    family, operation, lane = TASKS[number % len(TASKS)]
    final, started = status in ("succeeded", "failed", "cancelled"), created + timedelta(seconds=3)
    begun = final or status == "running"
    preset = dict(registry.task(f"{family}.{operation}").presets.get("quick", {}))
    return {
        "id": new_id("job"),
        "tenant_id": principal.tenant_id,
        "owner": principal.owner,
        "name": f"{family}-{number}",
        "family": family,
        "operation": operation,
        "params": preset,
        "lane": lane,
        "status": status,
        "version": 7,
        "last_seq": 0,
        "created_at": created,
        "updated_at": created,
        "not_before": created,
        "dispatched_at": created,
        "started_at": started if begun else None,
        "finished_at": started + timedelta(seconds=40 + number % 60) if final else None,
        "attempt": int(begun),
        "lease_id": new_id("att") if status == "running" else None,
        "lease_until": created + timedelta(days=30) if status == "running" else None,
        "step": 400 if begun else 0,
        "total": 400 if begun else 0,
        "progress_at": started + timedelta(seconds=30) if begun else None,
        "metrics": {"domain_fid": 21.4} if status == "succeeded" else {},
        "failure": {"code": "diverged", "faults": []} if status == "failed" else None,
    }
