"""Tokens: who may call, as far as an administrator may see and say."""

from datetime import timedelta
from typing import Annotated, Literal

from flask import Response
from pydantic import BaseModel, ConfigDict, Field

from jobs import errors, tables, tokens
from web import context, schemas
from web.api import parsing
from web.api.render import answer, api, nothing, whole
from web.api.routing import Reply, operation
from web.auth import audit
from web.problems import MalformedJson, WrongMediaType

# The limits come first: behind a validator they would be missing from the JSON Schema.
Days = Annotated[int, Field(ge=1, le=3_650), parsing.WholeFloats]


class TokenNew(BaseModel):
    """A token to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(title="Name", description="What it is for.", min_length=1, max_length=120, pattern=parsing.NO_NUL)
    scope: Literal["read", "submit", "admin"] = Field(
        "submit", title="Scope", description="What it may do: look, submit jobs as well, or everything."
    )
    expires_days: Days | None = Field(None, title="Expires", description="Days until it stops working.")


@operation(
    method="GET",
    path="/tokens",
    tag="tokens",
    scope="admin",
    replies={200: Reply("Tokens, without their secrets.", schemas.Listing[schemas.Token])},
)
def list_tokens() -> Response:
    """List the tokens that work."""
    rows = tokens.listing(context.engine(), context.principal())
    return whole([schemas.Token.model_validate(_plain(row)) for row in rows], schemas.Token)


@operation(
    method="POST",
    path="/tokens",
    tag="tokens",
    scope="admin",
    body=TokenNew,
    replies={
        201: Reply("The token; its secret is shown this once.", schemas.Token, headers={"Location": "Its address."})
    },
    errors=(errors.InvalidParams, MalformedJson, WrongMediaType),
)
def create_token(body: TokenNew) -> Response:
    """Make a token. Its secret is in this reply only."""
    expires = timedelta(days=body.expires_days) if body.expires_days else None
    row, secret = tokens.create(
        context.engine(), context.principal(), name=body.name, scope=body.scope, expires_in=expires
    )
    audit.info("token %s made by %s, request %s", row.id, context.principal().owner, context.request_id())
    reply = answer(schemas.Token.model_validate({**_plain(row), "secret": secret}), 201)
    reply.headers["Location"] = api(f"/tokens/{row.id}")
    reply.headers["Cache-Control"] = "no-store"
    return reply


@operation(
    method="DELETE",
    path="/tokens/{token_id}",
    tag="tokens",
    scope="admin",
    replies={204: Reply("The token does not work any more.")},
    errors=(errors.NotFound,),
)
def revoke_token(token_id: str) -> Response:
    """Revoke a token at once."""
    tokens.revoke(context.engine(), context.principal(), token_id)
    audit.info("token %s revoked by %s, request %s", token_id, context.principal().owner, context.request_id())
    return nothing()


def _plain(row: tables.ApiToken) -> dict[str, object]:
    names = ("id", "name", "scope", "created_at", "expires_at", "last_used_at")
    return {name: getattr(row, name) for name in names}


VIEWS = (list_tokens, create_token, revoke_token)
