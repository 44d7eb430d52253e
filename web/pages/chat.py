"""Talking with an assistant: a page that keeps no state, as its address names the jobs of the dialogue.

Without JavaScript every question loads the page anew with its answer; with it only the new turn is added, sentence by
sentence. Each turn is an ordinary job.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from aigc_models import registry
from aigc_models.base import families_of
from aigc_models.data.replies import Reply, Source
from jobs import feedback, lifecycle
from jobs.errors import InvalidParams, JobNotFound
from jobs.filtering import ModelFilter
from jobs.submit import Submission, submit
from jobs.tables import FINAL, Job, ModelVersion
from jobs.verdicts import ReplyFeedback
from web import context, failures, reply_files
from web.api.replies import keep
from web.auth import audit, scoped
from web.pages.states import Situation, hint, situation
from web.translate import say
from web.waiting import Seen, watch

OPERATION = "reply"
MOST_TURNS, MOST_QUESTION, PATIENCE = 40, 4_000, 4.0
MOST_WRITERS = 50
PART = "X-Part"  # sent by the script, which wants one turn and not the page

blueprint = Blueprint("chat", __name__)


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and what came of it.

    Attributes:
        job: Id of the job.
        question: What was asked.
        reply: What was said; None while it is not known, and where it failed.
        part: What is written of it so far.
        seen: The number of the job's last event, to ask for what comes after it.
        waiting: What is to be said while it is not known; empty when the job has ended.
        failure: Why there is no reply; empty where there is one.
        verdict: What the reader thinks of it: ``up``, ``down`` or nothing.
        better: What the reader would have answered.
        cited: The sources that sentences cite, by number.
    """

    job: str
    question: str
    reply: Reply | None
    waiting: str = ""
    failure: str = ""
    verdict: str = ""
    better: str = ""
    cited: Mapping[int, Source] = field(default_factory=dict)
    part: Reply | None = None
    seen: int = 0


@blueprint.get("/models/<model_id>/chat")
def show(model_id: str) -> str:
    """The dialogue so far, and the form for the next question."""
    row = _assistant(model_id)
    return _page(row, _turns(row, request.args.getlist("turn")))


@blueprint.post("/models/<model_id>/chat")
@scoped("submit")
def ask(model_id: str) -> Response | BaseResponse | str:
    """Ask; the reply is waited for a while, as a warm assistant answers at once."""
    row = _assistant(model_id)
    question = request.form.get("question", "").strip()
    ids = request.form.getlist("turn")[-MOST_TURNS:]
    earlier = [_job(row, one) for one in ids]
    sentence = "" if question else "Ask something: the question is blank."
    if len(question) > MOST_QUESTION:
        sentence = "The question is longer than {most} characters. Shorten it."
    if sentence:
        return _refused(row, ids, question, say(sentence, {"most": MOST_QUESTION}))
    try:
        made = submit(context.engine(), context.principal(), _submission(row, question, earlier)).job
    except InvalidParams as error:
        return _refused(row, ids, question, " ".join(say(one.message, one.values) for one in error.faults))
    if not _writer():  # what is written comes bit by bit, and is waited for there
        _wait(made.id)
    if PART in request.headers:
        return render_template("chat_turn.html", model=row, turn=_turn(made.id))
    return redirect(_address(row, [*ids, made.id], "ask"), 303)


@blueprint.get("/models/<model_id>/chat/<job_id>")
def turn(model_id: str, job_id: str) -> str:
    """One turn, once it is known, or once more of it is than after the event ``seen``."""
    row = _assistant(model_id)
    seen = request.args.get("seen", "")
    _wait(_job(row, job_id).id, int(seen) if seen.isdecimal() else None)
    return render_template("chat_turn.html", model=row, turn=_turn(job_id))


@blueprint.post("/models/<model_id>/chat/<job_id>/stop")
@scoped("submit")
def stop(model_id: str, job_id: str) -> BaseResponse:
    """Cancel an answer that is being looked for or written."""
    row = _assistant(model_id)
    job = _job(row, job_id)
    if job.status not in FINAL:
        lifecycle.request_cancel(context.engine(), context.principal(), job.id)
        audit.info("cancel %s by %s, request %s", job.id, context.principal().owner, context.request_id())
    return redirect(_address(row, request.form.getlist("turn"), f"turn-{job.id}"), 303)


@blueprint.post("/models/<model_id>/chat/<job_id>/feedback")
@scoped("submit")
def judge(model_id: str, job_id: str) -> BaseResponse | str:
    """Keep what the reader thinks of a reply; the same thumb again takes it back."""
    row = _assistant(model_id)
    job = _job(row, job_id)
    verdict = request.form.get("verdict", "")
    if verdict in ("up", "down"):
        keep(job, verdict, request.form.get("better", "")[: feedback.LONGEST])
    else:
        feedback.take_back(context.engine(), context.principal(), job.id)
    if PART in request.headers:
        return render_template("chat_turn.html", model=row, turn=_turn(job.id))
    return redirect(_address(row, request.form.getlist("turn"), f"turn-{job.id}"), 303)


@blueprint.get("/models/<model_id>/feedback")
def heard(model_id: str) -> str:
    """What people think of a model version's replies, and what can be learnt of it."""
    row = _assistant(model_id)
    page = feedback.of_model(context.engine(), context.principal(), row.id, request.args.get("cursor") or None)
    return render_template("feedback.html", model=row, rows=page.items, older=page.next_cursor)


@blueprint.post("/models/<model_id>/feedback")
@scoped("submit")
def learn(model_id: str) -> BaseResponse:
    """Make the next version of a dataset of it."""
    row = _assistant(model_id)
    made, _ = feedback.make_dataset(context.engine(), context.principal(), row.id, f"{row.name}-feedback")
    audit.info("make %s of feedback by %s, request %s", made.id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.datasets.show", dataset_id=made.id), 303)


def offered(row: ModelVersion) -> bool:
    """Whether a model version's family replies."""
    return f"{row.family}.{OPERATION}" in registry.tasks()


def result(job_id: str) -> Turn | None:
    """The turn of a job, for its own page; None where it is none."""
    job = context.repository().job(job_id)
    return _turn(job_id) if job.operation == OPERATION and job.status == "succeeded" else None


def _assistant(model_id: str) -> ModelVersion:
    row = context.repository().model(model_id)
    if not offered(row):
        abort(404)
    return row


def _job(row: ModelVersion, job_id: str) -> Job:
    """A reply of this model version's.

    Raises:
        JobNotFound: There is none of that id.
    """
    job = context.repository().job(job_id)
    if job.operation != OPERATION or job.params.get("model") != row.id:
        raise JobNotFound(kind="job", id=job_id)
    return job


def _turns(row: ModelVersion, ids: Sequence[str]) -> list[Turn]:
    """The turns of a dialogue; those whose job was deleted are left out."""
    known = []
    for one in dict.fromkeys(ids[-MOST_TURNS:]):
        try:
            known.append(_job(row, one))
        except JobNotFound:
            continue
    said = feedback.of_jobs(context.engine(), context.principal(), [job.id for job in known])
    return [_of(job, said.get(job.id)) for job in known]


def _turn(job_id: str) -> Turn:
    job = context.repository().job(job_id)
    return _of(job, feedback.of_jobs(context.engine(), context.principal(), [job.id]).get(job.id))


def _of(job: Job, said: ReplyFeedback | None) -> Turn:
    found = reply_files.of_job(job)
    part = reply_files.part_of_job(job)
    shown = found or part
    now = situation(job, context.repository())
    return Turn(
        job=job.id,
        question=str(job.params.get("question", "")),
        reply=found,
        waiting="" if now.final else _waiting(now),
        failure=_failure(job) if now.final and found is None else "",
        verdict=said.verdict if said else "",
        better=said.better if said else "",
        cited={one.number: one for one in shown.sources} if shown else {},
        part=part,
        seen=job.last_seq,
    )


def _waiting(now: Situation) -> str:
    return hint(now) or say("Looking for an answer …")


def _failure(job: Job) -> str:
    if job.status == "cancelled":
        return say("The question was cancelled.")
    title, detail, _ = failures.describe(job.failure or {"code": "internal"})
    return f"{title}. {detail}"


def _submission(row: ModelVersion, question: str, earlier: Sequence[Job]) -> Submission:
    params: dict[str, Any] = {"model": row.id, "question": question}
    if earlier:
        params["history"] = [str(job.params.get("question", "")) for job in earlier]
    if _writer():
        params["writer"] = _writer()
    key = request.form.get("_key", "")[:64] or None
    return Submission(task=f"{row.family}.{OPERATION}", params=params, idempotency_key=key)


def _wait(job_id: str, after: int | None = None) -> None:
    """Wait for a job's end, or for an event after one that is known."""
    shared = context.process()

    def enough(seen: Seen) -> bool:
        return seen.final or shared.stopping() or (after is not None and seen.last_seq > after)

    with shared.waits.hold() as taken:
        if taken:
            watch(shared.engine, job_id, enough, PATIENCE)


def _writer() -> str:
    """The model that was chosen to word the answers; empty where they are quoted."""
    return request.values.get("writer", "")[:128].strip()


def _address(row: ModelVersion, ids: Sequence[str], anchor: str) -> str:
    writer = _writer() or None  # None is left out of the address
    return url_for("pages.chat.show", model_id=row.id, turn=list(ids)[-MOST_TURNS:], writer=writer, _anchor=anchor)


def _refused(row: ModelVersion, ids: Sequence[str], typed: str, sentence: str) -> Response:
    page = _page(row, _turns(row, ids), typed, sentence)
    return Response(page, status=422, content_type="text/html; charset=utf-8")


def _page(row: ModelVersion, turns: Sequence[Turn], typed: str = "", error: str = "") -> str:
    pending = any(one.waiting for one in turns)
    return render_template(
        "chat.html",
        model=row,
        turns=turns,
        typed=typed,
        error=error,
        pending=pending,
        key=uuid4().hex,
        writers=_writers(row),
        writer=_writer(),
    )


def _writers(row: ModelVersion) -> list[tuple[str, str]]:
    """Model versions that can word answers: their ids and what they are called."""
    params = registry.task(f"{row.family}.{OPERATION}")
    own = params.model_json_schema()["properties"].get("writer")
    if own is None:
        return []
    reads = context.repository()
    wanted = [ModelFilter(family=family) for family in families_of(own["x-kind"])]
    rows = [row for one in wanted for row in reads.models(None, MOST_WRITERS, one).items]
    return [(one.id, f"{one.name} v{one.number}") for one in rows]
