"""The rows of deliveries: made once for each event, claimed by one scheduler at a time, kept as the job's log of them.

A delivery's ``seq`` is the first event it carries; it goes on to the next delivery's. So its content
never changes, and a repeated delivery has the same id and the same body.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, null, select, update
from sqlalchemy.orm import Session

from jobs.engine import Engine
from jobs.errors import NotFound
from jobs.ids import new_id
from jobs.paging import LIMIT, Page, newest, page
from jobs.principal import Principal
from jobs.repository import Repository
from jobs.tables import Job, JobEvent, WebhookDelivery
from jobs.webhooks import Webhook, of
from jobs.webhooks.content import content
from jobs.webhooks.sending import GONE, Outcome

JOBS, EVENTS, MOST_PENDING = 100, 500, 100
MOST_LINES, MOST_TEXT = 100, 64 * 1024
CLAIM = timedelta(seconds=30)  # a try takes a few seconds; after this the scheduler that made it is taken for dead
PAUSES = (5, 30, 120, 600, 3_600, 5 * 3_600, 16 * 3_600)  # seconds between the eight tries
JITTER = 0.1
LIFETIME = timedelta(hours=25)  # the eight tries fit in, however they fall

TRIMMED = "The events of this delivery are no longer kept."


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery whose time has come, and which is the next one of its job."""

    id: str
    attempts: int
    webhook: Webhook


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery that was claimed: only its holder may settle it, and only until somebody else claims it."""

    id: str
    job_id: str
    attempt: int
    webhook: Webhook
    created_at: datetime
    body: bytes


def enqueue(engine: Engine) -> int:
    """Make deliveries of the events that have none; gives their number.

    A job whose receiver does not keep up gets no further ones for now: its events wait where they are.
    """
    heap = select(WebhookDelivery.job_id).where(WebhookDelivery.state == "pending").group_by(WebhookDelivery.job_id)
    behind = heap.having(func.count() >= MOST_PENDING)
    with engine.db.read() as session:
        untold = (Job.webhook.is_not(null()), Job.webhook_seq < Job.last_seq, Job.id.not_in(behind))
        found = session.scalars(select(Job.id).where(*untold).limit(JOBS)).all()
    return sum(_enqueue(engine, job_id) for job_id in found)


def due(engine: Engine, limit: int) -> Sequence[Due]:
    """What should be sent now: of each job the earliest event that is not settled."""
    pending = select(WebhookDelivery.job_id, func.min(WebhookDelivery.seq).label("seq"))
    first = pending.where(WebhookDelivery.state == "pending").group_by(WebhookDelivery.job_id).subquery()
    with engine.db.read() as session:
        now = engine.db.now(session)
        rows = select(WebhookDelivery.id, WebhookDelivery.attempts, Job.webhook).join(
            Job, Job.id == WebhookDelivery.job_id
        )
        rows = rows.join(first, (first.c.job_id == WebhookDelivery.job_id) & (first.c.seq == WebhookDelivery.seq))
        rows = rows.where(WebhookDelivery.next_at <= now)
        found = session.execute(rows.order_by(WebhookDelivery.next_at, WebhookDelivery.id).limit(limit)).all()
    return [Due(id_, attempts, hook) for id_, attempts, stored in found if (hook := of(stored)) is not None]


def claim(engine: Engine, wanted: Due) -> Parcel | None:
    """Take a delivery for one try; None if another scheduler was faster, or there is nothing left to tell."""
    with engine.db.begin() as session:
        now = engine.db.now(session)
        mine = _untouched(wanted.id, wanted.attempts)
        taken = update(WebhookDelivery).where(*mine, WebhookDelivery.next_at <= now)
        taken = taken.values(attempts=WebhookDelivery.attempts + 1, next_at=now + CLAIM)
        row = session.execute(
            taken.returning(
                WebhookDelivery.job_id, WebhookDelivery.seq, WebhookDelivery.attempts, WebhookDelivery.created_at
            ).execution_options(synchronize_session=False)
        ).one_or_none()
        if row is None:
            return None
        body = content(session, row.job_id, row.seq)
        if body is None:
            gone = {"state": "failed", "error": TRIMMED, "finished_at": now}
            session.execute(update(WebhookDelivery).where(WebhookDelivery.id == wanted.id).values(**gone))
            return None
        return Parcel(wanted.id, row.job_id, row.attempts, wanted.webhook, row.created_at, body)


def settle(engine: Engine, parcel: Parcel, outcome: Outcome) -> str | None:
    """Write down how a try ended; gives the delivery's new state, or None if somebody else has claimed it since."""
    with engine.db.begin() as session:
        now = engine.db.now(session)
        again = None if outcome.error is None else _next_try(parcel, outcome, now)
        state = "delivered" if outcome.error is None else "pending" if again else "failed"
        values: dict[str, Any] = {"state": state, "http_status": outcome.status, "error": outcome.error}
        values |= {"next_at": again} if again else {"finished_at": now}
        written = update(WebhookDelivery).where(*_untouched(parcel.id, parcel.attempt)).values(**values)
        row = session.execute(written.returning(WebhookDelivery.id).execution_options(synchronize_session=False))
        return state if row.one_or_none() is not None else None


def listing(
    engine: Engine, principal: Principal, job_id: str, cursor: str | None = None, limit: int = LIMIT
) -> Page[WebhookDelivery]:
    """The deliveries of a job, the newest first.

    Raises:
        JobNotFound: The caller has no such job.
    """
    Repository(engine, principal).job(job_id)
    with engine.db.read() as session:
        rows = select(WebhookDelivery).where(*_mine(principal, job_id))
        return page(session, rows, newest(WebhookDelivery), cursor, limit)


def tries(engine: Engine, job_id: str) -> tuple[int, int]:
    """What changes whenever a delivery of a job does: the tries in all, and how many deliveries are settled."""
    with engine.db.read() as session:
        row = session.execute(
            select(func.coalesce(func.sum(WebhookDelivery.attempts), 0), func.count(WebhookDelivery.finished_at)).where(
                WebhookDelivery.job_id == job_id
            )
        ).one()
    return int(row[0]), int(row[1])


def retry(engine: Engine, principal: Principal, job_id: str, delivery_id: str) -> WebhookDelivery:
    """Send a delivery again, from its first try if it was settled, else at once.

    Raises:
        JobNotFound: The caller has no such job.
        NotFound: The job has no such delivery.
    """
    Repository(engine, principal).job(job_id)
    with engine.db.begin() as session:
        wanted = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id, *_mine(principal, job_id))
        row = session.scalar(wanted.with_for_update())
        if row is None:
            raise NotFound(kind="delivery", id=delivery_id)
        if row.state != "pending":
            row.state, row.attempts, row.finished_at = "pending", 0, None
        row.next_at = engine.db.now(session)
        session.flush()
        return row


def _enqueue(engine: Engine, job_id: str) -> int:
    def work(session: Session, now: datetime) -> int:
        wanted = select(Job.id, Job.tenant_id, Job.webhook, Job.webhook_seq, Job.last_seq).where(Job.id == job_id)
        job = session.execute(wanted).one_or_none()
        hook = of(job.webhook) if job is not None else None
        if job is None or hook is None:
            return 0
        span = (JobEvent.seq > job.webhook_seq, JobEvent.seq <= job.last_seq, JobEvent.kind.in_(hook.events))
        rows = select(JobEvent).where(JobEvent.job_id == job_id, *span).order_by(JobEvent.seq)
        events = session.scalars(rows.limit(EVENTS)).all()
        told = events[-1].seq if len(events) == EVENTS else job.last_seq
        swap = update(Job).where(Job.id == job_id, Job.webhook_seq == job.webhook_seq).values(webhook_seq=told)
        swap = swap.returning(Job.id).execution_options(synchronize_session=False)
        if session.execute(swap).one_or_none() is None:
            return 0  # another scheduler was faster
        made = [_delivery(job, event, now) for event in firsts(events)]
        session.add_all(made)
        session.flush()
        return len(made)

    return engine.db.transact(work)


def _delivery(job: Any, first: JobEvent, now: datetime) -> WebhookDelivery:
    """A new delivery; it is as old as its event, however long that had to wait for it."""
    return WebhookDelivery(
        id=new_id("dlv"), tenant_id=job.tenant_id, job_id=job.id, seq=first.seq, next_at=now, created_at=first.at
    )


def firsts(events: Sequence[JobEvent]) -> list[JobEvent]:
    """The events at which deliveries begin: every one, but log lines in a row go together."""
    found: list[JobEvent] = []
    lines = text = 0
    for event in events:
        size = len(str(event.data.get("message", ""))) if event.kind == "log" else 0
        if event.kind == "log" and 0 < lines < MOST_LINES and text < MOST_TEXT:
            lines, text = lines + 1, text + size
            continue
        found.append(event)
        lines, text = (1, size) if event.kind == "log" else (0, 0)
    return found


def _next_try(parcel: Parcel, outcome: Outcome, now: datetime) -> datetime | None:
    """When to try again; None to give up: a day after the event, or at once when the receiver says it is gone."""
    if outcome.status == GONE or parcel.attempt > len(PAUSES):
        return None
    pause = PAUSES[parcel.attempt - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter
    later = now + timedelta(seconds=pause)
    return later if later <= parcel.created_at + LIFETIME else None


def _untouched(delivery_id: str, attempts: int) -> tuple[ColumnElement[bool], ...]:
    """A pending delivery that nobody has tried since."""
    return (
        WebhookDelivery.id == delivery_id,
        WebhookDelivery.state == "pending",
        WebhookDelivery.attempts == attempts,
    )


def _mine(principal: Principal, job_id: str) -> tuple[ColumnElement[bool], ...]:
    return WebhookDelivery.job_id == job_id, WebhookDelivery.tenant_id == principal.tenant_id
