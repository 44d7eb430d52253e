"""The HTTP API under ``/api/v1``: one small module per noun."""

from importlib.metadata import PackageNotFoundError, version

from flask import Blueprint, Response

from web import schemas
from web.api import (
    artifacts,
    datasets,
    deliveries,
    dialogues,
    job_actions,
    job_details,
    job_parts,
    jobs,
    model_library,
    models,
    recommendations,
    replies,
    tasks,
    tokens,
    uploads,
    workers,
)
from web.api.render import PREFIX, address, answer, api, tagged
from web.api.routing import Operation, Reply, View, bind, declared, operation

LISTS = ("jobs", "datasets", "models", "tasks", "workers", "queues", "pauses", "tokens")


def product_version() -> str:
    """The installed version."""
    try:
        return version("aigc-foundry")
    except PackageNotFoundError:
        return "0"


@operation(
    method="GET",
    path="/",
    tag="index",
    headers=("If-None-Match",),
    replies={200: Reply("Where to go from here.", schemas.Index)},
)
def index() -> Response:
    """See what there is."""
    links = {name: api(f"/{name}") for name in LISTS}
    links |= {"openapi": api("/openapi.json"), "docs": address("/docs/api"), "health": address("/healthz")}
    return tagged(answer(schemas.Index(name="AIGC Foundry", version=product_version(), links=links)))


VIEWS: tuple[View, ...] = (
    index,
    *jobs.VIEWS,
    *job_details.VIEWS,
    *job_actions.VIEWS,
    *job_parts.VIEWS,
    *deliveries.VIEWS,
    *datasets.VIEWS,
    *uploads.VIEWS,
    *models.VIEWS,
    *model_library.VIEWS,
    *recommendations.VIEWS,
    *replies.VIEWS,
    *dialogues.VIEWS,
    *tasks.VIEWS,
    *artifacts.VIEWS,
    *workers.VIEWS,
    *tokens.VIEWS,
)


def operations() -> list[tuple[View, Operation]]:
    """All operations with their views, for OpenAPI."""
    return [(view, declared(view)) for view in VIEWS]


def blueprint() -> Blueprint:
    """A blueprint of all operations."""
    made = Blueprint("api", __name__, url_prefix=PREFIX)
    bind(made, VIEWS)
    return made
