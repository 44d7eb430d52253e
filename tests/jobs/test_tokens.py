from datetime import timedelta

import pytest

from jobs import tokens
from jobs.errors import NotFound
from jobs.principal import Principal
from jobs.tables import ApiToken
from tests.conftest import Clock
from tests.jobs.acting import Actor


def test_a_secret_stands_for_its_caller(actor: Actor) -> None:
    token, secret = tokens.create(actor.engine, actor.principal, "notebook", "read")
    assert secret.startswith("aigc_")
    assert tokens.verify(actor.engine, secret) == Principal("acme", "ada", "read")
    assert tokens.verify_digest(actor.engine, tokens.digest(secret)) == Principal("acme", "ada", "read")
    assert secret not in repr(vars(actor.row(ApiToken, token.id)))


def test_other_secrets_stand_for_nobody(actor: Actor) -> None:
    _, secret = tokens.create(actor.engine, actor.principal, "notebook")
    for wrong in ("", secret[:-1], secret + "x", tokens.digest(secret)):
        assert tokens.verify(actor.engine, wrong) is None


def test_tokens_expire_and_are_revoked(actor: Actor, clock: Clock) -> None:
    assert not tokens.any_active(actor.engine)
    _, short = tokens.create(actor.engine, actor.principal, "short", expires_in=timedelta(hours=1))
    token, lasting = tokens.create(actor.engine, actor.principal, "lasting")
    clock.advance(3600)
    assert tokens.verify(actor.engine, short) is None
    assert [row.name for row in tokens.listing(actor.engine, actor.principal)] == ["lasting"]
    assert tokens.any_active(actor.engine)
    tokens.revoke(actor.engine, actor.principal, token.id)
    tokens.revoke(actor.engine, actor.principal, token.id)
    assert tokens.verify(actor.engine, lasting) is None
    assert not tokens.any_active(actor.engine)


def test_the_last_use_is_noted_once_a_minute(actor: Actor, clock: Clock) -> None:
    token, secret = tokens.create(actor.engine, actor.principal, "notebook")
    first = clock()
    for _ in range(3):
        tokens.verify(actor.engine, secret)
        clock.advance(20)
    assert actor.row(ApiToken, token.id).last_used_at == first
    clock.advance(20)
    tokens.verify(actor.engine, secret)
    assert actor.row(ApiToken, token.id).last_used_at == clock()


def test_tokens_of_another_tenant_cannot_be_touched(actor: Actor) -> None:
    token, secret = tokens.create(actor.engine, actor.principal, "notebook")
    stranger = actor.as_owner("eve", tenant="other").principal
    assert tokens.listing(actor.engine, stranger) == []
    with pytest.raises(NotFound):
        tokens.revoke(actor.engine, stranger, token.id)
    assert tokens.verify(actor.engine, secret) is not None
