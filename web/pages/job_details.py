"""What people call a job: the form for its name, tags and notes."""

from collections.abc import Sequence

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from aigc_models.base import Fault
from jobs import details
from jobs.errors import InvalidParams, VersionMismatch
from jobs.tables import Job
from web import context
from web.auth import scoped
from web.forms import Problem
from web.translate import say, say_fault

blueprint = Blueprint("job_details", __name__)


@blueprint.get("/jobs/<job_id>/edit")
@scoped("submit")
def edit(job_id: str) -> Response:
    """Show the form."""
    job = context.repository().job(job_id)
    return _page(job, details.Details(job.name, job.tags, job.notes))


@blueprint.post("/jobs/<job_id>/edit")
@scoped("submit")
def save(job_id: str) -> Response | BaseResponse:
    """Keep what was typed, or say why not; what somebody else wrote meanwhile is not overwritten unasked."""
    form = request.form
    typed = details.Details(form.get("name", ""), details.split(form.get("tags", "")), _lines(form.get("notes", "")))
    try:
        details.change(context.engine(), context.principal(), job_id, typed, {form.get("seen", "")})
    except InvalidParams as error:
        return _page(context.repository().job(job_id), typed, error.faults, 422)
    except VersionMismatch as error:
        return _page(context.repository().job(job_id), typed, status=error.status)
    return redirect(url_for("pages.job.show", job_id=job_id), 303)


def _lines(typed: str) -> str:
    """Text as browsers send it, with the line ends of everywhere else."""
    return typed.replace("\r\n", "\n")


def _page(job: Job, typed: details.Details, faults: Sequence[Fault] = (), status: int = 200) -> Response:
    problems: list[Problem] = []
    if status == VersionMismatch.status:
        changed = say("Someone else changed this job in the meantime. Send it again to put your words in its place.")
        problems.append(Problem(changed, "#f-name"))
    wrong: dict[str, list[str]] = {}
    for fault in faults:
        field = fault.pointer[1:].partition("/")[0]
        problems.append(Problem(say_fault(fault), f"#f-{field or 'name'}"))
        if field:
            wrong.setdefault(field, []).append(problems[-1].sentence)
    page = render_template(
        "job_edit.html",
        job=job,
        typed=typed,
        tags=", ".join(typed.tags or ()),
        seen=details.mark(job),
        known=[tag for tag, _ in context.repository().tags()],
        problems=problems,
        wrong={name: " ".join(dict.fromkeys(sentences)) for name, sentences in wrong.items()},
        limits=details,
    )
    return Response(page, status=status, content_type="text/html; charset=utf-8")
