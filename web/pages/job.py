"""A job's page: where it is, what came of it, from what, with which settings; it moves by itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, render_template, request, stream_with_context, url_for

from aigc_models import registry
from aigc_models.base import Params
from jobs import durations, log_lines
from jobs.repository import Repository
from jobs.tables import FINAL, Job, WorkerNode
from web import context, failures
from web.pages import (
    amounts,
    assistant_sentences,
    curves,
    energies,
    input_facts,
    lineage,
    live,
    recommend,
    result_views,
    results,
    snippets,
    texts,
    timeline,
    webhook,
)
from web.pages.states import Situation, hint, look, situation
from web.translate import say

LOG_LINES = 200
EVENTS = 500
CURVE_POINTS = 300
LONG = 60  # seconds left for which it is worth to be called back

blueprint = Blueprint("job", __name__)


@blueprint.get("/jobs/<job_id>")
def show(job_id: str) -> str:
    """Show a job."""
    reads = context.repository()
    now = situation(reads.job(job_id), reads, forecast=True)
    return render_template("job.html", **_view(now, reads), snippets=snippets.job(job_id, now.job.operation))


@blueprint.get("/jobs/<job_id>/live")
def part(job_id: str) -> Response:
    """What moves on the page, if it moved: the look-up costs three small reads, the rendering waits for a change."""
    reads = context.repository()
    now = situation(reads.job(job_id), reads, forecast=True)
    shown = (now.job.version, now.job.last_seq, now.state, now.position, now.starts_in, now.label.values, _log_wish())
    tag = live.tag_of(*shown, *webhook.mark(now.job))
    return live.part(tag, lambda: render_template("job_live.html", **_view(now, reads)))


@blueprint.get("/jobs/<job_id>/log")
def log(job_id: str) -> Response:
    """The whole log as text."""
    reads = context.repository()
    reads.job(job_id)

    def lines() -> Iterator[str]:
        after = 0
        while rows := reads.events(job_id, after, EVENTS, kinds=("log",)):
            yield from (f"{row.at.isoformat(timespec='seconds')} {row.data.get('message', '')}\n" for row in rows)
            after = rows[-1].seq

    reply = Response(stream_with_context(lines()), content_type="text/plain; charset=utf-8")
    reply.headers["Content-Disposition"] = f'attachment; filename="{job_id}.log"'
    return reply


def _view(now: Situation, reads: Repository) -> dict[str, Any]:
    job = now.job
    files = results.files(reads.artifacts(job.id))
    params_class = registry.tasks().get(f"{job.family}.{job.operation}")
    made = result_views.Results(job.id, job.family, job.metrics or {}, files.everything)
    relatives = lineage.of(job, reads)
    views = result_views.of(made) if job.status == "succeeded" else []
    learns = params_class is not None and params_class.makes == "model"
    return {
        "job": job,
        "now": now,
        "task": f"{job.family}.{job.operation}",
        "look": look(now.state),
        "hint": hint(now),
        "title": _title(now),
        "failure": failure(now),
        "steps": timeline.steps(job, reads.events(job.id, 0, EVENTS, kinds=("state", "phase"))),
        "percent": amounts.percent(job.step, job.total),
        "charts": curves.charts(reads.metrics(job.id, -1, None, CURVE_POINTS), job.family, ended=now.final),
        "log": log_lines.newest(context.engine(), context.principal(), job.id, _log_wish(), LOG_LINES),
        "log_wish": _log_wish(),
        "wrap": "wrap" in request.args,
        "files": files,
        "views": views,
        "pictures": result_views.pictures(files.pictures, views),
        "explained": result_views.explained(views),
        "drawn": results.drawn(job.family),
        "live_text": texts.live(files.texts) if job.status != "succeeded" or job.operation == "train" else None,
        "samples": results.spread(files.samples),
        "said": assistant_sentences.verdict(job.metrics or {}) if job.status == "succeeded" else "",
        "figures": results.figures(job.family, job.metrics or {}) if job.status == "succeeded" else [],
        "settings": results.settings(params_class, job.params),
        "adjusted": results.adjusted(job.adjustments),
        "time_limit": durations.spoken(job.time_limit_seconds) if job.time_limit_seconds else "",
        "attempts": reads.attempts(job.id),
        "energy": energies.lines(reads.energy(job)),
        "worker": worker(job, reads),
        "lineage": relatives,
        "cautions": input_facts.notes(relatives.datasets, job.params) if learns else [],
        "webhook": webhook.of(job),
        "needs": reads.needs(job.id) if job.status == "blocked" else [],
        "can_pause": not now.final and now.state not in ("paused", "pausing", "cancelling", "stalled"),
        "next_task": _next_task(job, params_class),
        "recommends": f"{job.family}.{recommend.OPERATION}" in registry.tasks(),
        "generates": f"{job.family}.generate" in registry.tasks(),
        "can_retry": job.status in FINAL and params_class is not None and params_class.makes != "dataset",
        "live_url": "" if now.final else _live_url(job),
        "long": (now.eta or 0) > LONG or (now.starts_in is not None and now.starts_in.low > LONG),
    }


def _log_wish() -> log_lines.Wanted:
    """Which lines of the log the address asks for."""
    asked = request.args
    return log_lines.Wanted(asked.get("level", "")[:16], asked.get("q", "").strip()[:200])


def _live_url(job: Job) -> str:
    kept: dict[str, Any] = {name: value for name in ("level", "q", "wrap") if (value := request.args.get(name))}
    return url_for("pages.job.part", job_id=job.id, **kept)


def _next_task(job: Job, params_class: type[Params] | None) -> str | None:
    """The task that can be queued now for when this training is done."""
    task = f"{job.family}.generate"
    makes_model = params_class is not None and params_class.makes == "model"
    return task if makes_model and job.status not in FINAL and task in registry.tasks() else None


def _title(now: Situation) -> str:
    """The browser's title: the percent while it runs, then the word for the end."""
    done = amounts.percent(now.job.step, now.job.total)
    if now.state == "running" and done is not None:
        return f"{done} % · {now.job.name}"
    return f"{say(look(now.state).word)} · {now.job.name}"


def failure(now: Situation) -> Mapping[str, Any] | None:
    """What went wrong with a job that failed, in words."""
    stored = now.job.failure
    if now.job.status != "failed" or not stored:
        return None
    title, detail, retryable = failures.describe(stored)
    slug = failures.slug(str(stored.get("code", "internal")))
    faults = failures.faults(stored)
    suggestion = failures.suggestion(stored)
    known = {"title": title, "detail": detail, "code": slug, "retryable": retryable}
    return {**known, "faults": faults[1:], "suggestion": suggestion}


def worker(job: Job, reads: Repository) -> WorkerNode | None:
    """The worker that has a job, while it lives."""
    return next((node for node in reads.workers() if node.id == job.worker_id), None) if job.worker_id else None
