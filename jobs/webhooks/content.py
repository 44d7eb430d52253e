"""What a delivery says: its events, the job they belong to, and where to read more."""

import json
from itertools import takewhile
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from jobs.tables import Job, JobEvent, WebhookDelivery
from jobs.webhooks import Webhook, of


def content(session: Session, job_id: str, first: int) -> bytes | None:
    """The body of the delivery that begins at an event: the same bytes however often it is sent.

    None when retention has removed the events since, as it may once they have been told.
    """
    job = session.execute(
        select(Job.id, Job.name, Job.family, Job.operation, Job.webhook, Job.webhook_seq).where(Job.id == job_id)
    ).one()
    hook = of(job.webhook)
    assert hook is not None
    # The job's row first: deliveries that are made after it begin beyond what it says has been dealt with.
    following = select(func.min(WebhookDelivery.seq)).where(
        WebhookDelivery.job_id == job_id, WebhookDelivery.seq > first
    )
    end = session.scalar(following) or job.webhook_seq + 1
    rows = select(JobEvent).where(
        JobEvent.job_id == job_id,
        JobEvent.seq >= first,
        JobEvent.seq < min(end, job.webhook_seq + 1),
        JobEvent.kind.in_(hook.events),
    )
    found = session.scalars(rows.order_by(JobEvent.seq)).all()
    if not found or found[0].seq != first:
        return None
    # Only log lines go together; so it ends rightly even when retention has removed the delivery after it.
    length = len(list(takewhile(lambda row: row.kind == "log", found))) or 1
    events = [_event(row) for row in found[:length]]
    said = events[0] | {
        "job": {
            "id": job.id,
            "name": job.name,
            "task": f"{job.family}.{job.operation}",
            "state": _state(session, job_id, events[-1]["seq"]),
        },
        "links": _links(hook, job_id),
        "events": events,
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def _event(row: JobEvent) -> dict[str, Any]:
    return {"seq": row.seq, "kind": row.kind, "at": row.at.isoformat().replace("+00:00", "Z"), "data": row.data}


def _state(session: Session, job_id: str, seq: int) -> str:
    """The job's status at the time of an event, not of the delivery."""
    told = select(JobEvent.data).where(
        JobEvent.job_id == job_id, JobEvent.kind.in_(("state", "end")), JobEvent.seq <= seq
    )
    data = session.scalars(told.order_by(JobEvent.seq.desc()).limit(1)).one()
    return str(data["status"])


def _links(hook: Webhook, job_id: str) -> dict[str, str]:
    base = f"{hook.server}/api/v1/jobs/{job_id}"
    return {"self": base, "web": f"{hook.server}/jobs/{job_id}", "events": f"{base}/events"}
