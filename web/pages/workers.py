"""Workers: who is alive, on what device, with which job; how much waits; and who takes no new jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, redirect, render_template, url_for
from werkzeug.wrappers import Response as BaseResponse

from jobs import disk, pausing, workforce
from jobs.repository import QueueState
from jobs.tables import WorkerNode
from web import context
from web.auth import audit, scoped
from web.pages import amounts, live
from web.translate import say

UNFIT = {
    "gone": "The device does not answer. It is tried again by itself.",
    "memory": "The device's memory had an error that could not be corrected. It is tried again by itself.",
    "fault": "The driver reports a fault of the device. It is tried again by itself.",
    "runners": "Processes on the device died several times in a row. It is tried again by itself.",
    "held": "A process that should be gone still holds the device. It is tried again by itself.",
}
blueprint = Blueprint("workers", __name__)


@dataclass(frozen=True, slots=True)
class Slot:
    """One process with what it does now, and what keeps it from taking more.

    ``job`` is known if it is the reader's; a worker is busy with other tenants' jobs, too.
    """

    node: WorkerNode
    job: str | None
    busy: bool
    held: pausing.Held | None
    pausable: bool
    own_pause: bool

    @property
    def state(self) -> str:
        """What it does, in a word; nothing for schedulers."""
        if self.node.role != "worker":
            return ""
        if self.node.draining:
            return say("stopping")
        if self.node.unfit:
            return say("unwell")
        if self.held:
            return say("pausing") if self.busy else say("paused")
        return say("running") if self.busy else say("free")

    @property
    def tone(self) -> str:
        """The colour of the state, which never stands alone."""
        if self.node.unfit:
            return "bad"
        if self.held or self.node.draining:
            return "wait"
        return "run" if self.busy else "ok"

    @property
    def why(self) -> str:
        """What the state means, where the word does not say it."""
        if self.node.role == "worker" and self.node.unfit:
            return say(UNFIT.get(self.node.unfit, UNFIT["fault"]))
        if self.node.role != "worker" or self.node.draining or not self.held:
            return ""
        if self.busy:
            return say("It ends its job and takes no other.")
        return say("Its whole queue is paused.") if self.held == "queue" else ""

    @property
    def readings(self) -> str:
        """How busy, how warm, and how hungry its device is."""
        node = self.node
        told = [
            (say("{percent} % busy"), {"percent": node.utilisation}),
            (say("{degrees} °C"), {"degrees": node.temperature}),
            (say("{watts} W"), {"watts": None if node.watts is None else round(node.watts)}),
        ]
        return ", ".join(text.format(**value) for text, value in told if None not in value.values())

    @property
    def silent(self) -> str:
        """How long ago it was heard of."""
        return amounts.duration(max(0.0, (datetime.now(UTC) - self.node.heartbeat_at).total_seconds()))


@blueprint.get("/workers")
def index() -> str:
    """Show workers and queues."""
    return render_template("workers.html", **_view())


@blueprint.get("/workers/live")
def part() -> Response:
    """The same again, if it changed."""
    view = _view()
    slots = [
        (
            slot.node.id,
            slot.node.heartbeat_at,
            slot.node.draining,
            slot.node.memory_free,
            slot.node.unfit,
            slot.readings,
            slot.job,
            slot.busy,
            slot.held,
        )
        for slot in view["slots"]
    ]
    absent = [row.id for row in view["absent"]]
    tag = live.tag_of(slots, view["queues"], absent, view["full"], view["waiting_for_room"])
    return live.part(tag, lambda: render_template("workers_live.html", **view))


@blueprint.post("/workers/<worker_id>/pause")
@scoped("admin")
def pause(worker_id: str) -> BaseResponse:
    """Let a worker take no new jobs."""
    return _do("pause", worker_id, lambda: pausing.pause_slot(context.engine(), context.principal(), worker_id))


@blueprint.post("/workers/<worker_id>/resume")
@scoped("admin")
def resume(worker_id: str) -> BaseResponse:
    """End a worker's own pause."""
    return _do("resume", worker_id, lambda: pausing.resume_slot(context.engine(), worker_id))


@blueprint.post("/queues/<queue>/pause")
@scoped("admin")
def pause_queue(queue: str) -> BaseResponse:
    """Let every worker of a queue take no new jobs."""
    return _do("pause", queue, lambda: pausing.pause_queue(context.engine(), context.principal(), queue))


@blueprint.post("/queues/<queue>/resume")
@scoped("admin")
def resume_queue(queue: str) -> BaseResponse:
    """End the pause of a queue."""
    return _do("resume", queue, lambda: pausing.resume_queue(context.engine(), queue))


@blueprint.post("/pauses/<pause_id>/end")
@scoped("admin")
def end(pause_id: str) -> BaseResponse:
    """End a pause, also of a worker that does not run."""
    return _do("resume", pause_id, lambda: pausing.end(context.engine(), pause_id))


def _do(what: str, id_: str, act: Callable[[], None]) -> BaseResponse:
    act()
    audit.info("%s %s by %s, request %s", what, id_, context.principal().owner, context.request_id())
    return redirect(url_for("pages.workers.index"), 303)


def _view() -> dict[str, Any]:
    reads = context.repository()
    nodes, pauses, running = reads.workers(), reads.pauses, reads.jobs_of_workers()
    with reads.engine.db.read() as session:
        busy = workforce.busy(session)
    queues = [queue for queue in reads.queues() if queue.workers or queue.queued or queue.running or queue.paused]
    settings = context.settings()
    full = {node.host: amounts.size(node.free_disk or 0) for node in disk.crowded(nodes, settings)}
    return {
        "slots": [_slot(node, running.get(node.id), node.id in busy, pauses) for node in nodes],
        "queues": queues,
        "unserved": _unserved(queues, nodes),
        "absent": pauses.absent(nodes),
        "may_pause": context.principal().scope == "admin",
        "full": sorted(full.items()),
        "needed": amounts.size(settings.min_free_disk),
        "waiting_for_room": reads.waiting_for_room(),
    }


def _slot(node: WorkerNode, job: str | None, busy: bool, pauses: pausing.Pauses) -> Slot:
    return Slot(node, job, busy, pauses.holding(node), bool(node.lane and node.device_name), pauses.of_slot(node))


def _unserved(queues: Sequence[QueueState], nodes: Sequence[WorkerNode]) -> list[QueueState]:
    """Queues in which jobs wait although workers are there, but none for them."""
    working = any(node.role == "worker" for node in nodes)
    return [queue for queue in queues if working and queue.queued and not queue.workers]
