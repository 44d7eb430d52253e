"""Workers and queues: who is there, and how much waits."""

from flask import Response

from web import context, schemas
from web.api import shapes
from web.api.render import whole
from web.api.routing import Reply, operation


@operation(
    method="GET",
    path="/workers",
    tag="workers",
    headers=("If-None-Match",),
    replies={200: Reply("Live workers and schedulers.", schemas.Listing[schemas.Worker])},
)
def list_workers() -> Response:
    """List the workers and schedulers that are alive."""
    busy = context.repository().jobs_of_workers()
    return whole([shapes.worker(row, busy.get(row.id)) for row in context.repository().workers()], schemas.Worker)


@operation(
    method="GET",
    path="/queues",
    tag="workers",
    headers=("If-None-Match",),
    replies={200: Reply("The queues.", schemas.Listing[schemas.QueueLength])},
)
def list_queues() -> Response:
    """See how many jobs wait in each lane, and who serves it."""
    return whole([shapes.queue(row) for row in context.repository().queues()], schemas.QueueLength)


VIEWS = (list_workers, list_queues)
