"""Keys that clients send so that a repeated request makes one job: per tenant, with a fingerprint, for a day."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.errors import IdempotencyKeyReused
from jobs.principal import Principal
from jobs.tables import IdempotencyKey, Job

LIFETIME = timedelta(hours=24)


def fingerprint(**content: Any) -> str:
    """What tells requests apart: the SHA-256 of their content as sorted JSON."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def recall(session: Session, principal: Principal, key: str, print_: str, now: datetime) -> Job | None:
    """The job this key made within the last day, or None; an older use of the key is forgotten.

    Raises:
        IdempotencyKeyReused: It was used for a request with another content.
    """
    row = session.get(IdempotencyKey, (principal.tenant_id, key))
    if row is None:
        return None
    if row.created_at <= now - LIFETIME:
        session.delete(row)
        session.flush()
        return None
    if row.fingerprint != print_:
        raise IdempotencyKeyReused(key=key)
    return session.scalars(select(Job).where(Job.id == row.job_id)).one()


def remember(session: Session, principal: Principal, key: str, print_: str, job: Job) -> None:
    """Bind a key to a job, in the transaction that makes it: of two, the primary key lets one commit."""
    session.add(
        IdempotencyKey(
            tenant_id=principal.tenant_id, key=key, fingerprint=print_, job_id=job.id, created_at=job.created_at
        )
    )
    session.flush()
