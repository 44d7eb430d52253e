"""One trace from HTTP to the runner's work, and lines of the log that say what they are about."""

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jobs import logs
from jobs.engine import Engine
from jobs.settings import Settings
from jobs.tracing import Off, OpenTelemetry, open_tracing
from tests.web.acting import ActingWorker, ready_dataset, submit_training
from web import create_app

ROOT = Path(__file__).parents[2]
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Any:
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return InMemorySpanExporter()


@pytest.fixture
def traced(engine: Engine, spans: Any) -> Engine:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return replace(engine, tracing=OpenTelemetry(provider))


def test_an_attempt_is_a_part_of_the_request_that_asked_for_it(traced: Engine, spans: Any) -> None:
    client, worker = create_app(traced.settings, traced).test_client(), ActingWorker(traced)
    dataset = ready_dataset(client, worker)
    spans.clear()
    body = {"task": "image_vae.train", "params": {"dataset": dataset, "epochs": 1}}
    reply = client.post("/api/v1/jobs", json=body, headers={"traceparent": CALLER})
    assert reply.status_code == 202, reply.text
    (asked,) = spans.get_finished_spans()
    assert asked.name == "POST /api/v1/jobs"
    assert f"{asked.context.trace_id:032x}" == CALLER.split("-")[1]
    assert asked.attributes["http.response.status_code"] == 202
    lease = worker.take("training")
    facts = {"job": lease.claim.job_id}
    with traced.tracing.span("attempt", facts, lease.claim.traceparent), traced.tracing.span("run", {}):
        pass
    run, attempt = spans.get_finished_spans()[1:]
    assert attempt.context.trace_id == run.context.trace_id == asked.context.trace_id
    assert attempt.parent.span_id == asked.context.span_id
    assert run.parent.span_id == attempt.context.span_id
    assert "traceparent" not in reply.get_json()["snapshot"]


def test_a_fault_is_noted_and_goes_on(traced: Engine, spans: Any) -> None:
    with pytest.raises(ZeroDivisionError), traced.tracing.span("attempt", {}):
        raise ZeroDivisionError
    (span,) = spans.get_finished_spans()
    assert span.events[0].name == "exception"


def test_nothing_is_traced_or_imported_unless_it_is_set_up(engine: Engine) -> None:
    assert isinstance(open_tracing(engine.settings, "web"), Off)
    client, worker = create_app(engine.settings, engine).test_client(), ActingWorker(engine)
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    assert worker.take("training").claim.traceparent is None
    assert job
    code = (
        "import sys\nfrom jobs.settings import Settings\nfrom web import create_app\n"
        "create_app(Settings(home=sys.argv[1]))\n"
        "print([name for name in ('opentelemetry', 'structlog', 'jobs.object_store') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(engine.settings.home)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """What a logger writes as JSON."""
    stream, logger = io.StringIO(), logging.getLogger("aigc.test")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.removeHandler(handler)


def test_a_line_says_which_job_it_is_about(told: io.StringIO) -> None:
    logger = logging.getLogger("aigc.test")
    with logs.about(job="job_1", attempt=2):
        logger.info("Took %d steps", 3)
        try:
            int("broken")
        except ValueError:
            logger.exception("It failed")
    logger.info("Nothing in particular")
    lines = [json.loads(line) for line in told.getvalue().splitlines()]
    assert lines[0].items() >= {"event": "Took 3 steps", "job": "job_1", "attempt": 2, "level": "info"}.items()
    assert lines[0]["logger"] == "aigc.test"
    assert lines[1]["exception"][0]["exc_type"] == "ValueError"
    assert "job" not in lines[2]


def test_the_scheduler_writes_json_where_that_was_chosen(settings: Settings) -> None:
    code = (
        "import logging\nfrom jobs import logs\nfrom jobs.settings import Settings\n"
        "logs.set_up(Settings())\nlogging.getLogger('aigc.scheduler').warning('one %s', 'two')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"AIGC_LOG_FORMAT": "json"},
    )
    assert json.loads(done.stderr)["event"] == "one two"
