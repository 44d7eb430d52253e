"""A job in one file to keep or send: figures, pictures, curves, settings, origin and hashes, without any script."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any

from flask import Blueprint, Response, render_template
from markupsafe import Markup

from aigc_models import registry
from jobs import durations, log_lines
from jobs.tables import Artifact, Job
from web import context
from web.pages import (
    assistant_sentences,
    curves,
    frame,
    job,
    lineage,
    result_views,
    results,
    snippets,
    timeline,
)
from web.pages.states import hint, look, situation

SHEET = frame.STATIC / "css" / "report.css"
POINTS, LOG_LINES, MOST_SAMPLES = 1_000, 200, 8
LARGEST_PICTURE = 4 * 2**20

blueprint = Blueprint("report", __name__)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its bytes in its address."""

    name: str
    step: int | None
    address: str


@blueprint.get("/jobs/<job_id>/report.html")
def show(job_id: str) -> Response:
    """The report, in the reader's language; what it may load is nothing but what it holds."""
    reads = context.repository()
    now = situation(reads.job(job_id), reads)
    row = now.job
    files = results.files(reads.artifacts(row.id))
    made = result_views.Results(row.id, row.family, row.metrics or {}, files.everything)
    views = result_views.of(made) if row.status == "succeeded" else []
    wanted = log_lines.Wanted()
    text = render_template(
        "report.html",
        job=row,
        task=f"{row.family}.{row.operation}",
        look=look(now.state),
        hint=hint(now),
        failure=job.failure(now),
        said=assistant_sentences.verdict(row.metrics or {}),
        figures=results.figures(row.family, row.metrics or {}) if row.status == "succeeded" else [],
        pictures=list(_pictures(result_views.pictures(files.pictures, views))),
        views=views,
        standalone=True,
        samples=list(_pictures(results.spread(files.samples, MOST_SAMPLES))),
        charts=curves.charts(reads.metrics(row.id, -1, None, POINTS), row.family, ended=now.final),
        settings=results.settings(registry.tasks().get(f"{row.family}.{row.operation}"), row.params),
        steps=timeline.steps(row, reads.events(row.id, 0, job.EVENTS, kinds=("state", "phase"))),
        inputs=_inputs(row),
        lineage=lineage.of(row, reads),
        time_limit=durations.spoken(row.time_limit_seconds) if row.time_limit_seconds else "",
        files=files.everything,
        log=log_lines.newest(context.engine(), context.principal(), row.id, wanted, LOG_LINES),
        worker=job.worker(row, reads),
        server=snippets.server(),
        made_at=datetime.now(UTC),
        sheet=_sheet()[0],
        policy=_policy(),
    )
    reply = Response(text, content_type="text/html; charset=utf-8")
    reply.headers["Content-Security-Policy"] = f"{_policy()}; frame-ancestors 'none'"
    return reply


@cache
def _sheet() -> tuple[Markup, str]:
    """The sheet as it stands in the report, and its hash, which alone the report's policy allows."""
    text = SHEET.read_text(encoding="utf-8")
    digest = base64.b64encode(sha256(text.encode()).digest()).decode()
    return Markup(f"<style>{text}</style>"), digest  # noqa: S704 - our own file


def _policy() -> str:
    shown = f"style-src 'sha256-{_sheet()[1]}'; img-src data:; media-src data:"
    return f"default-src 'none'; {shown}; base-uri 'none'; form-action 'none'"


def _pictures(files: Iterable[Artifact]) -> Iterable[Picture]:
    """Pictures whose bytes are there and not too many to send around."""
    for file in files:
        if file.size > LARGEST_PICTURE:
            continue
        try:
            with context.engine().store.open(file.sha256) as stream:
                coded = base64.b64encode(stream.read()).decode()
        except FileNotFoundError:
            continue
        yield Picture(file.name, file.step, f"data:{file.media_type};base64,{coded}")


def _inputs(row: Job) -> list[Mapping[str, Any]]:
    """What the job read, by name, version and hash, as it was when it was submitted."""
    return list(((row.snapshot or {}).get("inputs") or {}).values())
