"""Accepting a job: validate, insert, commit, then announce. A dead broker costs a second and loses nothing."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic import ValidationError
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from aigc_models import registry
from aigc_models.base import Fault, Params
from aigc_models.faults import explain
from jobs import details, fitting, graph, inputs, needs, rows, tracing
from jobs.db import Database
from jobs.engine import Engine
from jobs.errors import InvalidParams, UnknownTask
from jobs.idempotency import fingerprint, recall, remember
from jobs.ids import new_id
from jobs.moves import add_events, state_event
from jobs.naming import LONGEST, is_printable, slug, wish
from jobs.picking import NEVER
from jobs.principal import Principal
from jobs.tables import Artifact, Job, JobDependency, JobStatus, Metric, OwnerTurn
from jobs.webhooks import Webhook
from jobs.workers import code_version, device_kind_for, live

LONGEST_KEY = 255
MOST_AFTER = 32
BAD_LIMIT = "invalid-time-limit"
LONGEST_RUN = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Draft:
    """A validated job that is about to be written.

    Attributes:
        task: ``<family>.<operation>``.
        params: Its settings; ``stored`` replaces what is written of them.
        waits: Jobs that must succeed first, with the setting that takes what the job makes.
        snapshot: What held at the submission, beside the version of the code.
        said: Its tags and notes.
    """

    task: str
    params: Params
    name: str
    priority: int = 0
    retried_from: str | None = None
    expires_in: timedelta | None = None
    webhook: Webhook | None = None
    time_limit: timedelta | None = None
    stored: Mapping[str, Any] | None = None
    waits: Mapping[str, str | None] = field(default_factory=dict)
    snapshot: Mapping[str, Any] = field(default_factory=dict)
    said: details.Details = field(default_factory=details.Details)
    memory_needed: int = 0


@dataclass(frozen=True, slots=True)
class Submission:
    """What a user asks for.

    Attributes:
        task: ``<family>.<operation>``.
        params: Its settings.
        preset: Named settings that lie beneath ``params``.
        name: What the job and the model version it makes are called; a fitting one if left out.
        idempotency_key: The same key within 24 hours gives the same job.
        priority: Higher goes first.
        retried_from: Job whose settings these are.
        from_checkpoint: Whether to go on from the last checkpoint of ``retried_from``; its
            settings must then be the same.
        expires_in: The job fails if it has not started by then.
        webhook: Where its events are sent; made by :func:`jobs.webhooks.accept`.
        time_limit: The job fails when its attempts have run that long together.
        after: Jobs that must succeed first.
        tags: What it is found by.
        notes: What people should know about it.
    """

    task: str
    params: Mapping[str, Any] = field(default_factory=dict)
    preset: str | None = None
    name: str | None = None
    idempotency_key: str | None = None
    priority: int = 0
    retried_from: str | None = None
    from_checkpoint: bool = False
    expires_in: timedelta | None = None
    webhook: Webhook | None = None
    time_limit: timedelta | None = None
    after: Sequence[str] = ()
    tags: Sequence[str] = ()
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The job, and whether it was there already because its key was used before."""

    job: Job
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Order:
    """A submission whose settings have been checked, and who sent it where."""

    engine: Engine
    principal: Principal
    submission: Submission
    params: Params


def unknown_task(task: str) -> UnknownTask:
    """That there is no such task, with the one that was meant where one is like it."""
    near = get_close_matches(task, registry.tasks(), n=1)
    if not near:
        return UnknownTask(task=task[:100])
    sentence = "There is no task called {task}. Did you mean {near}? List them with: {command}"
    return UnknownTask(sentence, task=task[:100], near=near[0], command="aigc tasks")


def validate(task: str, params: Mapping[str, Any], preset: str | None = None) -> Params:
    """Check settings without looking at the database.

    Raises:
        UnknownTask: There is no such task.
        InvalidParams: With one fault for each wrong setting.
    """
    try:
        kind = registry.task(task)
    except registry.UnknownTask:
        raise unknown_task(task) from None
    if preset is not None and preset not in kind.presets:
        names = ", ".join(kind.presets)
        sentence = "There is no preset called {preset}. The presets are: {names}."
        raise InvalidParams(faults=[Fault(sentence, {"preset": preset, "names": names}, code="unknown-preset")])
    beneath = kind.presets[preset] if preset is not None else {}
    try:
        return kind.model_validate_json(json.dumps(kind.over(beneath, params)))
    except ValidationError as error:
        raise InvalidParams(faults=explain(error, kind)) from None


def check(engine: Engine, principal: Principal, submission: Submission) -> Params:
    """Check everything about a submission and write nothing; gives its settings.

    Raises:
        UnknownTask: There is no such task.
        InvalidParams: With one fault for each wrong setting, input or name.
        NeededJobFailed: What it is to wait for will not succeed any more.
    """
    params = validate(submission.task, submission.params, submission.preset)
    check_words(submission)
    with engine.db.read() as session:
        jobs = graph.look(session, principal, [*inputs.named_jobs(params), *submission.after])
        _, faults = graph.judge(submission.after, jobs)
        if faults:
            raise inputs.refused(faults)
        inputs.find(session, principal, params, jobs)
        check_devices(session, params, engine.db.now(session))
    return params


def check_devices(session: Session, params: Params, now: datetime) -> None:
    """Refuse a job that wants more devices than any worker has.

    Raises:
        InvalidParams: With one fault.
    """
    asked = getattr(params, "devices", 1)
    if asked > 1:
        kind = device_kind_for(session, params.lane, now)
        faults = fitting.too_few_devices(asked, live(session, now), params.lane, kind)
        if faults:
            raise InvalidParams(faults=faults)


def submit(engine: Engine, principal: Principal, submission: Submission) -> Submitted:
    """Make a durable job, then wake a worker.

    Raises:
        UnknownTask: There is no such task.
        InvalidParams: With one fault for each wrong setting, input or name.
        NeededJobFailed: What it is to wait for will not succeed any more.
        IdempotencyKeyReused: The key belongs to a request with another content.
    """
    params = validate(submission.task, submission.params, submission.preset)
    check_words(submission)
    print_ = _print(submission, params)
    order = _Order(engine, principal, submission, params)

    def work(session: Session, now: datetime) -> Submitted:
        if submission.idempotency_key is not None:
            known = recall(session, principal, submission.idempotency_key, print_, now)
            if known is not None:
                return Submitted(known, replayed=True)
        job = _insert(session, now, order)
        if submission.idempotency_key is not None:
            remember(session, principal, submission.idempotency_key, print_, job)
        return Submitted(job, replayed=False)

    result = engine.db.transact(work)
    if not result.replayed and result.job.status == "queued":
        announce(engine, result.job)
    return result


def announce(engine: Engine, job: Job) -> None:
    """Wake a worker for a committed job, and note it; the scheduler announces what is not noted."""
    if not engine.dispatcher.announce(job.lane, job.device_kind):
        return
    # A worker may be faster; then there is nothing to write, and no disk to wait for.
    engine.db.later(lambda session, now: session.connection().execute(_MARK, {"job": job.id, "now": now}))


_MARK = (
    update(Job.__table__)  # type: ignore[arg-type]
    .where(Job.id == bindparam("job"), Job.status == "queued", Job.dispatched_at.is_(None))
    .values(dispatched_at=bindparam("now"))
)


@lru_cache(maxsize=2)
def _turn(db: Database) -> Any:
    """What gives an owner a turn in a lane, if there is none yet."""
    return db.insert(OwnerTurn).on_conflict_do_nothing()


def insert_job(session: Session, engine: Engine, principal: Principal, draft: Draft, now: datetime) -> Job:
    """Write a queued or blocked job with its first event, and give its owner a turn in the lane."""
    status: JobStatus = "blocked" if draft.waits else "queued"
    family, _, operation = draft.task.partition(".")
    lane = draft.params.lane
    job = Job(
        id=new_id("job"),
        tenant_id=principal.tenant_id,
        owner=principal.owner,
        name=draft.name,
        family=family,
        operation=operation,
        params=dict(draft.stored) if draft.stored is not None else draft.params.model_dump(mode="json"),
        lane=lane,
        device_kind=device_kind_for(session, lane, now),
        priority=draft.priority,
        status=status,
        last_seq=1,
        created_at=now,
        updated_at=now,
        not_before=now,
        expires_at=now + draft.expires_in if draft.expires_in is not None else None,
        time_limit_seconds=_seconds(draft.time_limit),
        retried_from=draft.retried_from,
        webhook=draft.webhook.stored() if draft.webhook else None,
        tags=details.unique(draft.said.tags or ()),
        notes=(draft.said.notes or "").strip(),
        snapshot={"code_version": code_version(), **draft.snapshot, **_trace(engine)},
        devices=getattr(draft.params, "devices", 1),
        memory_needed=draft.memory_needed,
    )
    rows.add(session, job)
    session.add_all(JobDependency(job_id=job.id, needs_id=id_, field=name) for id_, name in draft.waits.items())
    add_events(session, [job], [state_event(status, by=principal.owner)], now)
    turn = {"lane": lane, "tenant_id": principal.tenant_id, "owner": principal.owner, "claimed_at": NEVER}
    session.connection().execute(_turn(engine.db), turn)
    return job


def _trace(engine: Engine) -> dict[str, str]:
    """The trace that the job belongs to: its attempts are parts of the request that asked for it."""
    parent = engine.tracing.current()
    return {tracing.HEADER: parent} if parent else {}


def _insert(session: Session, now: datetime, order: _Order) -> Job:
    submission = order.submission
    named = inputs.named_jobs(order.params)
    jobs = graph.lock(session, order.principal, [*named, *submission.after])
    after, faults = graph.judge(submission.after, jobs)
    if faults:
        raise inputs.refused(faults)
    found = inputs.find(session, order.principal, order.params, jobs)
    check_devices(session, order.params, now)
    draft = Draft(
        task=submission.task,
        params=order.params,
        name=submission.name.strip() if submission.name else _name(order, found),
        priority=submission.priority,
        retried_from=submission.retried_from,
        expires_in=submission.expires_in,
        webhook=submission.webhook,
        time_limit=submission.time_limit,
        stored=found.params,
        waits=dict.fromkeys(after) | {id_: name for name, id_ in reversed(found.waits.items())},
        snapshot={"preset": submission.preset, "after": list(submission.after), "inputs": found.contents},
        said=details.Details(tags=submission.tags, notes=submission.notes),
        memory_needed=needs.memory_needed(
            session, submission.task, order.params, {row.field: row.dataset_id for row in found.rows}
        ),
    )
    job = insert_job(session, order.engine, order.principal, draft, now)
    for row in found.rows:
        row.job_id = job.id
        session.add(row)
    if submission.from_checkpoint and submission.retried_from is not None:
        _inherit_checkpoint(session, job, submission.retried_from, now)
    session.flush()
    return job


def _name(order: _Order, found: inputs.Found) -> str:
    """``fashion-mnist-image-gan`` for a training, ``fashion-mnist-image-gan-generate`` for what uses its model.

    What is asked of a model comes after that: ``help-desk-reply-how-do-i-print``.
    """
    family, _, operation = order.submission.task.partition(".")
    parts = [*found.names[:1], *([] if found.names and operation != "train" else [family])]
    name = slug("-".join([*parts, *([] if operation == "train" else [operation])]))
    wanted = wish(found.params, order.params.named_by)
    return f"{name[: LONGEST - 1 - len(wanted)].rstrip('-')}-{wanted}" if wanted else name


def _print(submission: Submission, params: Params) -> str:
    """The request's fingerprint: everything in it, with the settings as they are when all defaults are filled in."""
    content = {one.name: getattr(submission, one.name) for one in fields(submission)}
    del content["preset"], content["idempotency_key"]
    content |= {"params": params.model_dump(mode="json"), "after": sorted(submission.after)}
    content["webhook"] = submission.webhook.stored() if submission.webhook else None
    for name in ("tags", "notes"):  # keys of before there were any still fit
        if not content[name]:
            del content[name]
    return fingerprint(**content)


def check_words(submission: Submission) -> None:
    """Refuse a name, a tag, a time limit and the like that cannot be kept."""
    key = submission.idempotency_key
    faults = details.faults(details.Details(submission.name, submission.tags, submission.notes))
    if len(submission.after) > MOST_AFTER:
        sentence = "A job can wait for at most {most} others."
        faults.append(Fault(sentence, {"most": MOST_AFTER}, "/after/0", code="too-many-needed"))
    if key is not None and not (is_printable(key) and len(key) <= LONGEST_KEY):
        sentence = "The idempotency key must have 1 to {longest} printable characters."
        faults.append(Fault(sentence, {"longest": LONGEST_KEY}, code="invalid-idempotency-key"))
    if submission.time_limit is not None and not timedelta(seconds=1) <= submission.time_limit <= LONGEST_RUN:
        faults.append(Fault("The time limit must be between 1 second and 365 days.", {}, "/time_limit", code=BAD_LIMIT))
    if faults:
        raise InvalidParams(faults=faults)


def _seconds(time: timedelta | None) -> int | None:
    return None if time is None else int(time.total_seconds())


def _learns(job: Job) -> tuple[str, str, dict[str, Any]]:
    """What makes one training go on where another has stopped; on how many devices makes no difference."""
    return job.family, job.operation, {**job.params, "devices": 1}


def _inherit_checkpoint(session: Session, job: Job, source_id: str, now: datetime) -> None:
    """Give a retried job the last checkpoint and the curves up to it, if its settings are the same."""
    source = session.scalar(select(Job).where(Job.id == source_id, Job.tenant_id == job.tenant_id))
    same = source is not None and _learns(source) == _learns(job)
    if source is None or not same or source.checkpoint_step < 0:
        return
    named = select(Artifact).where(Artifact.job_id == source.id, Artifact.role == "checkpoint")
    kept = session.scalars(named).all()
    if not kept:  # retention has removed it: begin anew
        return
    for file in kept:
        copied = {name: getattr(file, name) for name in ("tenant_id", "role", "name", "step", "sha256", "size")}
        session.add(Artifact(id=new_id("art"), job_id=job.id, media_type=file.media_type, created_at=now, **copied))
    figures = select(Metric.step, Metric.values).where(
        Metric.job_id == source.id, Metric.step <= source.checkpoint_step
    )
    for step, values in session.execute(figures):
        session.add(Metric(job_id=job.id, step=step, values=values))
    job.checkpoint_step = job.step = source.checkpoint_step
    job.total = source.total
