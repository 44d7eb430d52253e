"""Tokens of programs and people: shown once, kept as a SHA-256."""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import cast

from sqlalchemy import ColumnElement, or_, select, update

from jobs.engine import Engine
from jobs.errors import NotFound
from jobs.group_read import GroupRead
from jobs.ids import new_id
from jobs.principal import Principal, Scope
from jobs.tables import ApiToken

PREFIX = "aigc_"  # secret scanners know tokens by it
USED = timedelta(minutes=1)


def create(
    engine: Engine,
    principal: Principal,
    name: str,
    scope: Scope = "submit",
    expires_in: timedelta | None = None,
) -> tuple[ApiToken, str]:
    """Make a token of the caller's tenant; gives its row and the secret, which cannot be read again."""
    secret = PREFIX + secrets.token_urlsafe(32)
    with engine.db.begin() as session:
        now = engine.db.now(session)
        token = ApiToken(
            id=new_id("tok"),
            tenant_id=principal.tenant_id,
            owner=principal.owner,
            name=name,
            sha256=digest(secret),
            scope=scope,
            created_at=now,
            expires_at=now + expires_in if expires_in is not None else None,
        )
        session.add(token)
    return token, secret


def digest(secret: str) -> str:
    """What is kept of a secret. It has 256 random bits, so nothing slower is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def verify(engine: Engine, secret: str) -> Principal | None:
    """The caller behind a secret, or None."""
    return verify_digest(engine, digest(secret))


def verify_digest(engine: Engine, sha256: str) -> Principal | None:
    """The caller behind a secret of which only the digest is at hand, or None."""
    return _verified(engine, [sha256]).get(sha256)


def verify_together(engine: Engine) -> GroupRead[str, Principal]:
    """Tells the caller behind a digest, as :func:`verify_digest` does, all that are asked for at once in one query."""
    return GroupRead(partial(_verified, engine))


def _verified(engine: Engine, digests: Collection[str]) -> Mapping[str, Principal]:
    with engine.db.read() as session:
        now = engine.db.now(session)
        found = session.scalars(select(ApiToken).where(ApiToken.sha256.in_(list(digests)), *_active(now))).all()
    unnoted = [token.id for token in found if token.last_used_at is None or now - token.last_used_at > USED]
    if unnoted:
        with engine.db.begin() as session:
            session.execute(update(ApiToken).where(ApiToken.id.in_(unnoted)).values(last_used_at=now))
    return {token.sha256: Principal(token.tenant_id, token.owner, cast(Scope, token.scope)) for token in found}


def revoke(engine: Engine, principal: Principal, token_id: str) -> None:
    """End a token for ever; ending it twice is no fault.

    Raises:
        NotFound: The caller's tenant has no such token.
    """
    with engine.db.begin() as session:
        mine = (ApiToken.id == token_id, ApiToken.tenant_id == principal.tenant_id)
        token = session.scalar(select(ApiToken).where(*mine))
        if token is None:
            raise NotFound(kind="token", id=token_id)
        token.revoked_at = token.revoked_at or engine.db.now(session)


def listing(engine: Engine, principal: Principal) -> Sequence[ApiToken]:
    """The active tokens of the caller's tenant, the newest first."""
    with engine.db.read() as session:
        mine = select(ApiToken).where(ApiToken.tenant_id == principal.tenant_id, *_active(engine.db.now(session)))
        return session.scalars(mine.order_by(ApiToken.created_at.desc(), ApiToken.id)).all()


def any_active(engine: Engine) -> bool:
    """Whether any token of any tenant can be used."""
    with engine.db.read() as session:
        return session.scalar(select(ApiToken.id).where(*_active(engine.db.now(session))).limit(1)) is not None


def _active(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return ApiToken.revoked_at.is_(None), or_(ApiToken.expires_at.is_(None), ApiToken.expires_at > now)
