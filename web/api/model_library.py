"""What is kept about a model version: its card, its archive, its aliases, who uses it."""

from typing import Any

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field

from jobs import aliases, catalogue, errors, tables
from web import archives, cards, context, library_facts, schemas
from web.api import parsing, shapes
from web.api.models import tagged_model
from web.api.render import REVALIDATE, answer, nothing, tagged
from web.api.routing import Reply, operation
from web.auth import audit
from web.problems import MalformedJson, WrongMediaType

MARKDOWN, ZIP = "text/markdown", "application/zip"


def _part(title: str, description: str) -> Any:
    length = catalogue.CARD[title.lower().replace(" ", "_")]
    return Field(None, title=title, description=description, max_length=length, pattern=parsing.NO_NUL)


class CardChange(BaseModel):
    """Parts of a card to write anew; what is left out stays, an empty text removes a part."""

    model_config = ConfigDict(extra="forbid")

    intended_use: str | None = _part("Intended use", "What it is meant for.")
    limits: str | None = _part("Limits", "What it cannot do, and what it must not be used for.")
    licence: str | None = _part("Licence", "Under what terms it may be used.")
    notes: str | None = _part("Notes", "Anything else worth knowing.")


class Promotion(BaseModel):
    """The alias that is to stand for a model version."""

    model_config = ConfigDict(extra="forbid")

    alias: library_facts.Alias = Field(title="Alias", description="What it becomes the current version for.")
    replaces: str | None = Field(
        aliases.ANY,
        title="Replaces",
        description="Id of the version that the alias must stand for so far, null for none; * for whatever it is.",
        max_length=40,
        pattern=parsing.NO_NUL,
    )


@operation(
    method="PATCH",
    path="/models/{model_id}",
    tag="models",
    scope="submit",
    headers=("If-Match",),
    body=CardChange,
    replies={200: Reply("The model version.", schemas.Model)},
    errors=(errors.NotFound, errors.InvalidParams, errors.VersionMismatch, MalformedJson, WrongMediaType),
)
def change_card(model_id: str, body: CardChange) -> Response:
    """Write parts of a model version's card anew.

    With `If-Match`, only if nobody else changed it since that ETag.
    """
    row = context.repository().model(model_id)
    changes = body.model_dump(exclude_none=True)
    changed = catalogue.write_card(context.engine(), context.principal(), row.id, changes, parsing.seen_marks())
    _note("change card of", changed)
    return tagged_model(changed)


@operation(
    method="GET",
    path="/models/{model_id}/card",
    tag="models",
    headers=("If-None-Match",),
    replies={200: Reply("The card.", media=(MARKDOWN,))},
    errors=(errors.NotFound,),
)
def get_card(model_id: str) -> Response:
    """Download a model version's card: data, intended use, limits, licence, figures; Markdown with a YAML header."""
    row = context.repository().model(model_id)
    reply = Response(cards.of(row).markdown(), content_type=f"{MARKDOWN}; charset=utf-8")
    reply.headers["Cache-Control"] = REVALIDATE
    reply.headers.set("Content-Disposition", "attachment", filename=f"{row.name}-v{row.number}.md")
    return tagged(reply)


@operation(
    method="GET",
    path="/models/{model_id}/archive",
    tag="models",
    headers=("If-None-Match",),
    replies={200: Reply("The archive.", media=(ZIP,))},
    errors=(errors.NotFound,),
)
def get_archive(model_id: str) -> Response:
    """Download a model version as one ZIP: weights, card, settings and licence."""
    row = context.repository().model(model_id)
    packed = archives.of(row)
    reply = Response(content_type=ZIP)
    reply.set_etag(packed.tag)
    reply.headers["Cache-Control"] = REVALIDATE
    reply.headers.set("Content-Disposition", "attachment", filename=f"{row.name}-v{row.number}.zip")
    reply.make_conditional(request)
    if reply.status_code != 304:
        del reply.headers["Content-Length"]  # that of no body yet; how long the archive gets is not known before
        reply.response = packed.stream()
        _note("download", row)
    return reply


@operation(
    method="POST",
    path="/models/{model_id}/promote",
    tag="models",
    scope="submit",
    body=Promotion,
    replies={200: Reply("The alias stands for this model version.", schemas.Model)},
    errors=(errors.NotFound, errors.AliasMoved, errors.InvalidParams, MalformedJson, WrongMediaType),
)
def promote_model(model_id: str, body: Promotion) -> Response:
    """Let `production` or `staging` stand for this version of its name, instead of another one.

    `name@production` then means it wherever the id of a model version is taken. With `replaces` the
    alias moves only if nobody moved it in the meantime.
    """
    row = context.repository().model(model_id)
    aliases.promote(context.engine(), context.principal(), row.id, body.alias, body.replaces)
    _note(f"promote to {body.alias}", row)
    return tagged_model(row)


@operation(
    method="DELETE",
    path="/models/{model_id}/aliases/{alias}",
    tag="models",
    scope="submit",
    replies={204: Reply("The alias stands for no version now.")},
    errors=(errors.NotFound,),
)
def remove_alias(model_id: str, alias: str) -> Response:
    """Take an alias from a model version."""
    row = context.repository().model(model_id)
    aliases.demote(context.engine(), context.principal(), row.id, alias)
    _note(f"remove {alias} from", row)
    return nothing()


@operation(
    method="GET",
    path="/models/{model_id}/used-by",
    tag="models",
    headers=("If-None-Match",),
    replies={200: Reply("What uses it.", library_facts.Users)},
    errors=(errors.NotFound,),
)
def get_model_users(model_id: str) -> Response:
    """See which jobs read a model version, and which aliases stand for it."""
    row = context.repository().model(model_id)
    found = catalogue.users_of_model(context.engine(), context.principal(), row.id)
    return tagged(answer(shapes.users(found)))


def _note(what: str, row: tables.ModelVersion) -> None:
    audit.info("%s %s by %s, request %s", what, row.id, context.principal().owner, context.request_id())


VIEWS = (change_card, get_card, get_archive, promote_model, remove_alias, get_model_users)
