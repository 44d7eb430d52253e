"""What can be done to a job: cancel (asked once), pause, resume, try again, go on from a checkpoint, delete."""

from dataclasses import replace

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from jobs import again, lifecycle
from jobs.errors import JobAlreadyFinished
from jobs.submit import submit
from jobs.tables import FINAL, Job
from web import context
from web.auth import audit, scoped
from web.rates import limited

blueprint = Blueprint("job_actions", __name__)


@blueprint.get("/jobs/<job_id>/cancel")
def ask_cancel(job_id: str) -> str | Response:
    """Ask whether to cancel; with JavaScript the job's page asks by itself."""
    job = context.repository().job(job_id)
    return _to(job_id) if job.status in FINAL else render_template("job_confirm.html", job=job, what="cancel")


@blueprint.post("/jobs/<job_id>/cancel")
@scoped("submit")
def cancel(job_id: str) -> Response:
    """Cancel. A job that ended in the meantime is shown as it ended."""
    try:
        lifecycle.request_cancel(context.engine(), context.principal(), job_id)
    except JobAlreadyFinished:
        return _to(job_id)
    _note("cancel", job_id)
    return _to(job_id)


@blueprint.post("/jobs/<job_id>/pause")
@scoped("submit")
def pause(job_id: str) -> Response:
    """Hold the job. One that ended in the meantime is shown as it ended."""
    try:
        lifecycle.request_pause(context.engine(), context.principal(), job_id)
    except JobAlreadyFinished:
        return _to(job_id)
    _note("pause", job_id)
    return _to(job_id)


@blueprint.post("/jobs/<job_id>/resume")
@scoped("submit")
def resume(job_id: str) -> Response:
    """Let the job go on. One that ended in the meantime is shown as it ended."""
    try:
        lifecycle.resume(context.engine(), context.principal(), job_id)
    except JobAlreadyFinished:
        return _to(job_id)
    _note("resume", job_id)
    return _to(job_id)


@blueprint.post("/jobs/<job_id>/retry")
@scoped("submit")
@limited("submissions")
def retry(job_id: str) -> Response:
    """Submit the same settings again as a new job, from the last checkpoint if that was asked for."""
    job = context.repository().job(job_id)
    at_checkpoint = request.form.get("from") == "checkpoint"
    wish = again.retry(context.engine(), context.principal(), job, from_checkpoint=at_checkpoint)
    wish = replace(wish, idempotency_key=request.form.get("idempotency_key") or None)
    made: Job = submit(context.engine(), context.principal(), wish).job
    return _to(made.id)


@blueprint.get("/jobs/<job_id>/delete")
def ask_delete(job_id: str) -> str | Response:
    """Ask whether to delete."""
    job = context.repository().job(job_id)
    return _to(job_id) if job.status not in FINAL else render_template("job_confirm.html", job=job, what="delete")


@blueprint.post("/jobs/<job_id>/delete")
@scoped("submit")
def delete(job_id: str) -> Response:
    """Delete a finished job with its files."""
    lifecycle.delete_job(context.engine(), context.principal(), job_id)
    _note("delete", job_id)
    return redirect(url_for("pages.job_list.index"))


def _to(job_id: str) -> Response:
    return redirect(url_for("pages.job.show", job_id=job_id), 303)


def _note(what: str, job_id: str) -> None:
    audit.info("%s %s by %s, request %s", what, job_id, context.principal().owner, context.request_id())
