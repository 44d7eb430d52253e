"""The log of a job's webhook deliveries, and sending one again."""

from flask import Response

from jobs import errors, tables
from jobs.webhooks import deliveries
from web import context, schemas
from web.api import parsing
from web.api.render import answer, api, listing
from web.api.routing import Reply, operation
from web.auth import audit
from web.translate import say


def delivery(row: tables.WebhookDelivery) -> schemas.Delivery:
    """A delivery as the API shows it."""
    base = api(f"/jobs/{row.job_id}/deliveries/{row.id}")
    return schemas.Delivery.model_validate(
        {
            "id": row.id,
            "job": row.job_id,
            "seq": row.seq,
            "state": row.state,
            "attempts": row.attempts,
            "http_status": row.http_status,
            "error": say(row.error) if row.error else None,
            "next_at": row.next_at if row.state == "pending" else None,
            "created_at": row.created_at,
            "finished_at": row.finished_at,
            "links": schemas.DeliveryLinks(job=api(f"/jobs/{row.job_id}"), retry=f"{base}/retry"),
        }
    )


@operation(
    method="GET",
    path="/jobs/{job_id}/deliveries",
    tag="jobs",
    query=parsing.Page,
    headers=("If-None-Match",),
    replies={
        200: Reply(
            "Deliveries, the newest first.", schemas.Listing[schemas.Delivery], headers={"Link": "The next page."}
        )
    },
    errors=(errors.JobNotFound, parsing.InvalidQuery),
)
def list_deliveries(job_id: str, query: parsing.Page) -> Response:
    """List what was sent, or is to be sent, to a job's webhook."""
    page = deliveries.listing(context.engine(), context.principal(), job_id, query.cursor, query.rows)
    return listing(page, schemas.Delivery, delivery)


@operation(
    method="POST",
    path="/jobs/{job_id}/deliveries/{delivery_id}/retry",
    tag="jobs",
    scope="submit",
    replies={202: Reply("The delivery is sent again soon, under the same id.", schemas.Delivery)},
    errors=(errors.JobNotFound, errors.NotFound),
)
def retry_delivery(job_id: str, delivery_id: str) -> Response:
    """Send a delivery again."""
    row = deliveries.retry(context.engine(), context.principal(), job_id, delivery_id)
    audit.info("retry %s by %s, request %s", delivery_id, context.principal().owner, context.request_id())
    return answer(delivery(row), 202)


VIEWS = (list_deliveries, retry_delivery)
