"""Liveness, readiness, figures for Prometheus."""

import re
from dataclasses import replace
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import event, text

from jobs import tallies, workers
from jobs.db import Database
from jobs.engine import Engine
from jobs.lifecycle import Failure
from jobs.settings import Settings
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from web import create_app


def test_alive(client: FlaskClient) -> None:
    reply = client.get("/healthz")
    assert (reply.status_code, reply.get_json()) == (200, {"status": "ok"})
    assert reply.headers["Cache-Control"] == "no-store"


def test_ready_names_the_parts(client: FlaskClient, engine: Engine) -> None:
    missing = client.get("/readyz")
    assert (missing.status_code, missing.get_json()["status"]) == (200, "degraded")
    works = dict.fromkeys(("database", "storage", "broker", "disks"), "ok")
    assert missing.get_json()["parts"] == {**works, "scheduler": "down"}
    workers.register(engine, "scheduler", None, None, None)
    assert client.get("/readyz").get_json()["status"] == "ok"


def test_not_ready_without_a_database(settings: Settings, engine: Engine) -> None:
    nowhere = Database(f"sqlite:///{settings.home}/missing/aigc.db")
    reply = create_app(settings, replace(engine, db=nowhere)).test_client().get("/readyz")
    assert (reply.status_code, reply.get_json()["status"]) == (503, "unavailable")
    assert reply.get_json()["parts"]["database"] == "down"


def test_not_ready_on_a_full_disk(settings: Settings, engine: Engine) -> None:
    greedy = settings.model_copy(update={"min_free_disk": 2**60})
    reply = create_app(greedy, replace(engine, settings=greedy)).test_client().get("/readyz")
    assert (reply.status_code, reply.get_json()["parts"]["storage"]) == (503, "down")


def test_a_full_disk_of_a_worker_delays_jobs_and_nothing_else(
    client: FlaskClient, engine: Engine, worker: ActingWorker
) -> None:
    workers.register(engine, "scheduler", None, None, None)
    submit_training(client, ready_dataset(client, worker))
    worker.take("training").fail(Failure("disk_full"))
    reply = client.get("/readyz")
    assert (reply.status_code, reply.get_json()["status"]) == (200, "degraded")
    assert [name for name, state in reply.get_json()["parts"].items() if state == "down"] == ["disks"]


def test_figures_in_prometheus_format(client: FlaskClient, engine: Engine, worker: ActingWorker) -> None:
    submit_training(client, ready_dataset(client, worker))
    reply = client.get("/metrics")
    assert reply.content_type.startswith("text/plain; version=0.0.4")
    lines = [line for line in reply.text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+', line) for line in lines)
    assert 'aigc_jobs{status="queued"} 1' in lines
    assert 'aigc_jobs{status="succeeded"}' not in reply.text  # what has ended is counted by a counter
    assert 'aigc_jobs_ended_total{status="succeeded",lane="generation",device="cpu"} 1' in lines
    assert 'aigc_claims_total{lane="generation",device="cpu"} 1' in lines
    assert 'aigc_job_seconds_bucket{lane="generation",device="cpu",le="+Inf"} 1' in lines
    assert 'aigc_queue_length{lane="training",device="cpu"} 1' in lines
    assert any(line.startswith('aigc_worker_up{role="worker",lane="training"') for line in lines)


def test_histograms_are_in_the_order_of_their_bounds(client: FlaskClient, engine: Engine, worker: ActingWorker) -> None:
    ready_dataset(client, worker)
    bounds = re.findall(r'aigc_job_seconds_bucket\{.*le="(.*?)"\}', client.get("/metrics").text)
    assert bounds == [f"{bound:g}" for bound in tallies.BOUNDS] + ["+Inf"]


def test_a_look_at_the_figures_reads_no_ended_jobs(client: FlaskClient, engine: Engine) -> None:
    """Whatever is read of jobs is read by an index of a few, or of what has not ended."""
    client.get("/metrics")
    plans: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        plans.append((statement, parameters))

    event.listen(engine.db.engine, "before_cursor_execute", note)
    assert client.get("/metrics").status_code == 200
    event.remove(engine.db.engine, "before_cursor_execute", note)
    with engine.db.engine.connect() as connection:
        for statement, parameters in plans:
            if " job" in statement and statement.startswith("SELECT"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                assert not any(
                    re.match(r"SCAN job(?! USING (COVERING )?INDEX ix_job_tried)", row[-1]) for row in rows
                ), rows


def test_pages_and_figures_during_an_outage(client: FlaskClient, engine: Engine) -> None:
    with engine.db.begin() as session:
        session.execute(text("ALTER TABLE job RENAME TO elsewhere"))
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 503
