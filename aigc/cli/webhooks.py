"""``aigc webhooks``: what was sent to a job's webhook, and sending it again."""

import click

from aigc.cli import completing, naming
from aigc.cli.session import Group, session
from aigc.errors import NotFound, Problem
from aigc.speech import say

_SHOWN = ("id", "seq", "state", "attempts", "http_status", "error", "next_at")


@click.group(cls=Group)
def webhooks() -> None:
    """See what was sent to a job's webhook, and send it again."""


@webhooks.group()
def deliveries() -> None:
    """The messages to a job's webhook: sent, to be sent, given up."""


@deliveries.command("list")
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.option("-L", "--limit", default=20, show_default=True, type=click.IntRange(1), help="At most this many.")
def list_(job_id: str, limit: int) -> None:
    """List what was sent, or is to be sent, to a job's webhook; the newest first."""
    found = naming.job(session().client, job_id).deliveries(limit)
    rows = [["" if raw.get(name) is None else str(raw[name]) for name in _SHOWN] for raw in found]
    session().table(("id", "event", "state", "tries", "status", "error", "next try"), rows, found)


@deliveries.command()
@click.argument("job_id", metavar="ID", shell_complete=completing.jobs)
@click.argument("delivery_id", metavar="[DELIVERY]", required=False)
def retry(job_id: str, delivery_id: str | None) -> None:
    """Send a delivery once more: the one named, or the newest that was given up."""
    job = naming.job(session().client, job_id)
    if delivery_id is None:
        given_up = [str(raw["id"]) for raw in job.deliveries() if raw["state"] == "failed"]
        if not given_up:
            sentence = say("No delivery of the job {job} was given up.", job=job.id)
            raise NotFound(Problem(404, "not-found", say("Not found"), sentence))
        delivery_id = given_up[0]
    delivery = job.redeliver(delivery_id)
    session().show(delivery, str(delivery["id"]))
    session().say("It is sent again soon.")
