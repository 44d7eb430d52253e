"""One declaration per operation: the route, what it reads and gives, and so its OpenAPI description.

``@operation(...)`` keeps the declaration on the function; :func:`bind` turns the functions into
Flask views that parse the query and body, check the scope and the Accept header, and call them.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Literal, TypeVar

from flask import Blueprint, Response, request
from pydantic import BaseModel

from jobs.errors import AigcError, Forbidden, JobNotFound, NotFound, Unauthorized, Unavailable
from jobs.principal import Scope
from web import auth
from web.api import parsing
from web.problems import (
    AddressTooLong,
    BadRequest,
    BodyTooLarge,
    HeadersTooLarge,
    Internal,
    NotAcceptable,
    TooManyRequests,
)

JSON = "application/json"
COMMON: tuple[type[AigcError], ...] = (
    BadRequest, Unauthorized, Forbidden, NotAcceptable, AddressTooLong, HeadersTooLarge, TooManyRequests, Internal,
    Unavailable,
)  # fmt: skip
BODY: tuple[type[AigcError], ...] = (BodyTooLarge,)


@dataclass(frozen=True)
class IdKind:
    """What an id in an address looks like and names."""

    prefix: str
    noun: str
    or_else: str = ""

    @property
    def pattern(self) -> str:
        """The form of such an id, or of what may stand in its place."""
        own = f"{self.prefix}_[0-9a-v]{{26}}"
        return f"(?:{own}|{self.or_else})" if self.or_else else own


NAMED = r"[^@/_\s\x00-\x1f\x7f]{1,120}"  # no name has an underscore, every id has one

IDS: Mapping[str, IdKind] = {
    "job_id": IdKind("job", "job"),
    "dataset_id": IdKind("ds", "dataset", or_else=NAMED),
    "model_id": IdKind("mdl", "model", or_else=f"{NAMED}(?:@(?:production|staging))?"),
    "artifact_id": IdKind("art", "artifact"),
    "token_id": IdKind("tok", "token"),
    "delivery_id": IdKind("dlv", "delivery"),
    "upload_id": IdKind("upl", "upload"),
    "worker_id": IdKind("wrk", "worker"),
    "pause_id": IdKind("pse", "pause"),
}

Method = Literal["GET", "POST", "PATCH", "DELETE"]
View = Callable[..., Response]
V = TypeVar("V", bound=View)


@dataclass(frozen=True)
class Reply:
    """One possible answer that is no error.

    Attributes:
        description: One sentence.
        model: What the JSON body holds.
        media: Media types of other bodies, such as ``image/png``.
        headers: Headers that matter, with a sentence each.
    """

    description: str
    model: type[BaseModel] | None = None
    media: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """What an address does with a method.

    Attributes:
        method: HTTP method.
        path: Address under ``/api/v1``, with ``{name}`` gaps.
        tag: The noun it belongs to.
        replies: Answers by status.
        errors: What can go wrong, beside :data:`COMMON`.
        query: Query parameters.
        body: JSON body, given to the view as ``body``.
        optional_body: Whether no body at all reads as an empty object.
        forms: Schemas of other bodies by media type; the view reads those itself.
        raw: Media types of a body that is bytes; the view reads those itself.
        headers: Names of request headers that it reads (described in :mod:`web.openapi`).
        scope: What a token must allow.
    """

    method: Method
    path: str
    tag: str
    replies: Mapping[int, Reply]
    errors: tuple[type[AigcError], ...] = ()
    query: type[parsing.Query] = parsing.Query
    body: type[BaseModel] | None = None
    optional_body: bool = False
    forms: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    raw: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    scope: Scope = "read"

    @property
    def all_errors(self) -> tuple[type[AigcError], ...]:
        """Everything that can go wrong, with the errors every operation shares."""
        with_body = BODY if self.body or self.forms or self.raw else ()
        return (*COMMON, *with_body, *self.errors)

    @property
    def offers(self) -> tuple[str, ...]:
        """Media types of the answers, the default one first."""
        found = {media: None for reply in self.replies.values() for media in reply.media}
        if any(reply.model for reply in self.replies.values()):
            found = {JSON: None} | found
        return tuple(found)


def operation(**declared: Any) -> Callable[[V], V]:
    """Declare what a view does; the view's docstring is its summary and description."""

    def decorate(view: V) -> V:
        view.operation = Operation(**declared)  # type: ignore[attr-defined]
        return view

    return decorate


def declared(view: View) -> Operation:
    """The declaration of a view."""
    found: Operation = view.operation  # type: ignore[attr-defined]
    return found


def bind(blueprint: Blueprint, views: Iterable[View]) -> None:
    """Add views to the blueprint at their addresses."""
    for view in views:
        what = declared(view)
        rule = what.path.replace("{", "<").replace("}", ">")
        blueprint.add_url_rule(rule, view.__name__, _wrapped(view, what), methods=[what.method])


def _wrapped(view: View, what: Operation) -> View:
    @wraps(view)
    def call(**path: str) -> Response:
        auth.require(what.scope)
        _check_accept(what.offers)
        _check_ids(path)
        arguments: dict[str, Any] = dict(path)
        query = parsing.query(what.query)
        if what.query is not parsing.Query:
            arguments["query"] = query
        if what.body is not None:
            arguments["body"] = parsing.body(what.body, optional=what.optional_body)
        return view(**arguments)

    return call


def _check_ids(path: Mapping[str, str]) -> None:
    """What cannot be an id names nothing; SQL is not asked."""
    for name, value in path.items():
        kind = IDS.get(name)
        if kind is not None and not re.fullmatch(kind.pattern, value):
            shown = "".join(char for char in value if char.isprintable())[:100]
            raise JobNotFound(kind="job", id=shown) if name == "job_id" else NotFound(kind=kind.noun, id=shown)


def _check_accept(offers: tuple[str, ...]) -> None:
    accepted = request.accept_mimetypes
    if offers and accepted and not any(accepted[offer] for offer in offers):
        raise NotAcceptable(offered=", ".join(offers))


def prefers(media: str, over: str = JSON) -> bool:
    """Whether the client would rather have one media type than another."""
    accepted = request.accept_mimetypes
    return bool(accepted) and accepted.best_match([over, media]) == media and accepted[media] > 0
