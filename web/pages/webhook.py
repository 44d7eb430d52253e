"""The webhook on a job's page: where events go, how the last deliveries went, and sending one again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, redirect, url_for
from werkzeug.wrappers import Response

from jobs import webhooks
from jobs.tables import Job, WebhookDelivery
from jobs.webhooks import deliveries
from web import context
from web.auth import audit, scoped

SHOWN = 20
STATES = {"pending": "Waiting to be sent", "delivered": "Delivered", "failed": "Given up"}

blueprint = Blueprint("webhook", __name__)


@dataclass(frozen=True, slots=True)
class View:
    """What the section shows."""

    url: str
    events: str
    deliveries: Sequence[WebhookDelivery]
    words: Mapping[str, str]


def of(job: Job) -> View | None:
    """The section of a job that has a webhook."""
    hook = webhooks.of(job.webhook)
    if hook is None:
        return None
    page = deliveries.listing(context.engine(), context.principal(), job.id, limit=SHOWN)
    return View(hook.shown, ", ".join(hook.events), page.items, STATES)


def mark(job: Job) -> tuple[int, ...]:
    """What changes when the section does; nothing for jobs without one."""
    return () if job.webhook is None else (job.webhook_seq, *deliveries.tries(context.engine(), job.id))


@blueprint.post("/jobs/<job_id>/deliveries/<delivery_id>/retry")
@scoped("submit")
def retry(job_id: str, delivery_id: str) -> Response:
    """Send a delivery again."""
    deliveries.retry(context.engine(), context.principal(), job_id, delivery_id)
    audit.info("retry %s by %s, request %s", delivery_id, context.principal().owner, context.request_id())
    return redirect(url_for("pages.job.show", job_id=job_id) + "#webhook", 303)
