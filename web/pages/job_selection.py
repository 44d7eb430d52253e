"""Several jobs at once: what cancelling or deleting them would do to each, and doing it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from jobs import lifecycle, removal
from jobs.errors import AigcError, JobNotFound
from jobs.tables import FINAL, Job
from web import context
from web.auth import audit, scoped
from web.i18n import plural
from web.pages.states import Situation, situation
from web.translate import say, say_fault

MOST = 100
ACTIONS = ("cancel", "delete")
STARTED = ("running",)

blueprint = Blueprint("job_selection", __name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One chosen job, and what will happen to it, has happened, or keeps it as it is."""

    job: Situation
    sentence: str
    acts: bool


@blueprint.get("/jobs/selected")
def ask() -> Response:
    """Say what would happen to each of the chosen jobs, and ask."""
    action = _action(request.args.get("do", ""))
    jobs = _chosen(request.args.getlist("ids"))
    return _page(action, _foreseen(action, jobs), 200 if jobs else 422)


@blueprint.post("/jobs/selected")
@scoped("submit")
def act() -> Response | BaseResponse:
    """Do it to each; what is refused is told, and does not stop the rest."""
    action = _action(request.form.get("do", ""))
    jobs = _chosen(request.form.getlist("ids"))
    refused = _done(action, jobs)
    if jobs and not refused:
        return redirect(_back(request.form.get("back", "")), 303)
    reads = context.repository()
    lines = [Line(situation(job, reads), _reason(refused[job.id]), False) for job in jobs if job.id in refused]
    return _page(action, lines, 409 if jobs else 422, done=len(jobs) - len(refused))


def _done(action: str, jobs: Sequence[Job]) -> Mapping[str, AigcError]:
    """Act on each; gives what was refused."""
    how: Callable[..., object] = lifecycle.request_cancel if action == "cancel" else lifecycle.delete_job
    refused: dict[str, AigcError] = {}
    for job in jobs:
        if action == "cancel" and job.status in FINAL:
            continue  # the page said that it stays as it is
        try:
            how(context.engine(), context.principal(), job.id)
        except JobNotFound:
            continue
        except AigcError as error:
            refused[job.id] = error
        else:
            audit.info("%s %s by %s, request %s", action, job.id, context.principal().owner, context.request_id())
    return refused


def _foreseen(action: str, jobs: Sequence[Job]) -> list[Line]:
    reads = context.repository()
    refused = removal.refusals(context.engine(), context.principal(), [job.id for job in jobs])
    lines = []
    for job in jobs:
        if action == "delete":
            error = refused.get(job.id)
            lines.append(Line(situation(job, reads), _reason(error) if error else _loss(job), error is None))
        else:
            lines.append(Line(situation(job, reads), _end(job), job.status not in FINAL))
    return lines


def _loss(job: Job) -> str:
    """What goes with a job."""
    reads = context.repository()
    if made := reads.models_made_by([job.id]).get(job.id):
        version = reads.model(made)
        values = {"name": version.name, "number": version.number}
        return say(
            "Is deleted with its log and files, and with the model version {name} v{number} that it made.", values
        )
    if made := reads.datasets_made_by([job.id]).get(job.id):
        dataset = reads.dataset(made)
        values = {"name": dataset.name, "number": dataset.number}
        return say("Is deleted with its log and files, and with the dataset {name} v{number} that it made.", values)
    return say("Is deleted with its log and files.")


def _end(job: Job) -> str:
    """What cancelling does to a job."""
    if job.status in FINAL:
        return say("Has ended already and stays as it is.")
    if job.cancel_requested_at is not None:
        return say("Is stopping already.")
    said = say("Stops after its current step; its last checkpoint is kept.") if job.status in STARTED else ""
    said = said or say("Is cancelled at once.")
    waiting = len(context.repository().waiting_for(job.id))
    if waiting:
        more = plural(
            "{count} job that waits for it is cancelled, too.",
            "{count} jobs that wait for it are cancelled, too.",
            waiting,
        )
        return f"{said} {more}"
    return said


def _reason(error: AigcError) -> str:
    """Why a job stays."""
    told = [say(error.message, error.values), *(say_fault(fault) for fault in error.faults[:3])]
    return " ".join(dict.fromkeys(told))


def _chosen(ids: Sequence[str]) -> list[Job]:
    """The caller's jobs among the ids, the newest first, so that what reads another one goes before it."""
    reads = context.repository()
    found: dict[str, Job] = {}
    for id_ in dict.fromkeys(ids[:MOST]):
        try:
            found[id_] = reads.job(id_)
        except JobNotFound:
            continue
    return sorted(found.values(), key=lambda job: (job.created_at, job.id), reverse=True)


def _action(text: str) -> str:
    return text if text in ACTIONS else ACTIONS[0]


def _back(typed: str = "") -> str:
    """The list as it was filtered; the browser names it, as the page before is one of this server's."""
    parts = urlsplit(typed or request.headers.get("Referer", ""))
    here = url_for("pages.job_list.index")
    own = parts.path == here and parts.netloc in ("", request.host)
    return f"{here}?{parts.query}" if own and parts.query else here


def _page(action: str, lines: Sequence[Line], status: int, done: int | None = None) -> Response:
    page = render_template(
        "job_selection.html",
        action=action,
        lines=lines,
        acting=[line for line in lines if line.acts],
        back=_back(request.form.get("back", "")),
        done=done,
    )
    return Response(page, status=status, content_type="text/html; charset=utf-8")
