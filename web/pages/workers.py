"""Workers: who is alive, on what device, with which job; how much waits."""

from typing import Any

from flask import Blueprint, Response, render_template

from jobs import disk
from web import context
from web.pages import amounts, live

blueprint = Blueprint("workers", __name__)


@blueprint.get("/workers")
def index() -> str:
    """Show workers and queues."""
    return render_template("workers.html", **_view())


@blueprint.get("/workers/live")
def part() -> Response:
    """The same again, if it changed."""
    view = _view()
    nodes = [(node.id, node.draining) for node in view["workers"]]
    tag = live.tag_of(nodes, sorted(view["running"].items()), view["queues"], view["full"], view["waiting_for_room"])
    return live.part(tag, lambda: render_template("workers_live.html", **view))


def _view() -> dict[str, Any]:
    reads = context.repository()
    nodes = reads.workers()
    queues = [queue for queue in reads.queues() if queue.workers or queue.queued or queue.running]
    settings = context.settings()
    full = {node.host: amounts.size(node.free_disk or 0) for node in disk.crowded(nodes, settings)}
    return {
        "workers": nodes,
        "running": reads.jobs_of_workers(),
        "queues": queues,
        "full": sorted(full.items()),
        "needed": amounts.size(settings.min_free_disk),
        "waiting_for_room": reads.waiting_for_room(),
    }
