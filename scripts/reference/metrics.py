"""What ``/metrics`` says, asked of a database with one job of each kind that counts."""

import re
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from jobs import tallies
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.dispatch import CeleryDispatcher
from jobs.engine import Engine
from jobs.settings import Settings
from jobs.tables import FINAL, Attempt, Base, Job
from jobs.workers import DeviceState, beat, register
from scripts.reference.words import Words, code, table
from web.metrics import lines

ABOUT = (
    "What `GET /metrics` answers, in the text format of Prometheus. Figures are read from SQL when asked, so one "
    "address answers for all hosts; where a server asks for tokens, one with the scope `read` will do. This page is "
    "written by `scripts/write_reference.py`."
)


def page(t: Words) -> str:
    """A row for every metric."""
    text = _scrape()
    labels: dict[str, list[str]] = {}
    for name, inner in re.findall(r"^(\w+?)(?:_bucket|_count|_sum)?\{(.*?)\} ", text, re.MULTILINE):
        known = labels.setdefault(name, [])
        known += [label for label in re.findall(r"(\w+)=", inner) if label not in known]
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    rows = [
        (code(name), t(types[name]), t.listed(labels.get(name, [])), t(help_))
        for name, help_ in re.findall(r"^# HELP (\w+) (.*)$", text, re.MULTILINE)
    ]
    head = (t("metric"), t("type"), t("labels"), t("meaning"))
    return f"# {t('Metrics')}\n\n{t(ABOUT)}\n\n" + table(head, rows)


def _scrape() -> str:
    with tempfile.TemporaryDirectory() as directory:
        settings = Settings(home=Path(directory), database_url="")
        database = Database(settings.sql_url)
        try:
            Base.metadata.create_all(database.engine)
            engine = Engine(settings, database, LocalStore(settings.artifacts), CeleryDispatcher(settings))
            node = register(engine, "worker", "training", "CPU", "cpu")
            beat(engine, node, device=DeviceState("CPU", 2, 1, None, 1, 1, 1.0))
            tallies.fold(engine)
            now = datetime.now(UTC) + timedelta(seconds=1)
            with database.begin() as session:
                for status in ("queued", "succeeded", "failed"):
                    ended = now if status in FINAL else None
                    session.add(
                        Job(
                            id=f"job_{status}", tenant_id="default", owner="operator", name="one", family="image_gan",
                            operation="train", params={}, lane="training", status=status, created_at=now,
                            updated_at=now, not_before=now, started_at=ended, finished_at=ended, attempt=1,
                            failure={"code": "diverged"} if status == "failed" else None,
                        )
                    )  # fmt: skip
                session.flush()
                spent = {"joules": 2.0, "joules_kept": 1.0, "energy_source": "estimate"}
                made = {
                    "job_id": "job_succeeded",
                    "number": 1,
                    "lease_id": "att_",
                    "worker_id": node,
                    "started_at": now,
                }
                session.add(Attempt(**made, **spent))
            return "".join(lines(engine))
        finally:
            database.dispose()
