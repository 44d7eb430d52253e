"""Workers and queues: who is there, how much waits, and who takes no new jobs."""

from flask import Response

from jobs import errors, pausing
from web import context, library_facts, schemas
from web.api import shapes
from web.api.render import answer, nothing, whole
from web.api.routing import Reply, operation
from web.auth import audit
from web.problems import not_found


@operation(
    method="GET",
    path="/workers",
    tag="workers",
    headers=("If-None-Match",),
    replies={200: Reply("Live workers and schedulers.", schemas.Listing[schemas.Worker])},
)
def list_workers() -> Response:
    """List the workers and schedulers that are alive."""
    reads = context.repository()
    busy, pauses = reads.jobs_of_workers(), reads.pauses
    rows = [shapes.worker(row, busy.get(row.id), pauses.holding(row)) for row in reads.workers()]
    return whole(rows, schemas.Worker)


@operation(
    method="POST",
    path="/workers/{worker_id}/pause",
    tag="workers",
    scope="admin",
    replies={200: Reply("The worker ends what it runs and takes nothing new.", schemas.Worker)},
    errors=(errors.NotFound,),
)
def pause_worker(worker_id: str) -> Response:
    """Let a worker take no new jobs, also after it starts again on its host and device; what it runs goes on."""
    pausing.pause_slot(context.engine(), context.principal(), worker_id)
    _note("pause", worker_id)
    return _worker(worker_id)


@operation(
    method="POST",
    path="/workers/{worker_id}/resume",
    tag="workers",
    scope="admin",
    replies={200: Reply("The worker takes jobs again, unless its whole queue is paused.", schemas.Worker)},
    errors=(errors.NotFound,),
)
def resume_worker(worker_id: str) -> Response:
    """End a worker's own pause."""
    pausing.resume_slot(context.engine(), worker_id)
    _note("resume", worker_id)
    return _worker(worker_id)


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


@operation(
    method="POST",
    path="/queues/{queue}/pause",
    tag="workers",
    scope="admin",
    replies={200: Reply("The queue's workers take nothing new.", schemas.QueueLength)},
    errors=(errors.NotFound,),
)
def pause_queue(queue: str) -> Response:
    """Let every worker of a queue take no new jobs, those too that start later; what runs goes on."""
    pausing.pause_queue(context.engine(), context.principal(), queue)
    _note("pause", queue)
    return _queue(queue)


@operation(
    method="POST",
    path="/queues/{queue}/resume",
    tag="workers",
    scope="admin",
    replies={200: Reply("The queue's workers take jobs again.", schemas.QueueLength)},
    errors=(errors.NotFound,),
)
def resume_queue(queue: str) -> Response:
    """End the pause of a whole queue; workers that were paused one by one stay so."""
    pausing.resume_queue(context.engine(), queue)
    _note("resume", queue)
    return _queue(queue)


@operation(
    method="GET",
    path="/pauses",
    tag="workers",
    headers=("If-None-Match",),
    replies={200: Reply("What is paused.", schemas.Listing[library_facts.Pause])},
)
def list_pauses() -> Response:
    """List what takes no new jobs, also workers that do not run at this moment."""
    return whole([shapes.pause(row) for row in context.repository().pauses.rows], library_facts.Pause)


@operation(
    method="DELETE",
    path="/pauses/{pause_id}",
    tag="workers",
    scope="admin",
    replies={204: Reply("The pause has ended.")},
    errors=(errors.NotFound,),
)
def end_pause(pause_id: str) -> Response:
    """End a pause, also one of a worker that does not run at this moment."""
    pausing.end(context.engine(), pause_id)
    _note("resume", pause_id)
    return nothing()


def _worker(worker_id: str) -> Response:
    reads = context.repository()
    row = next((node for node in reads.workers() if node.id == worker_id), None)
    if row is None:
        raise not_found("worker", worker_id)
    return answer(shapes.worker(row, reads.jobs_of_workers().get(row.id), reads.pauses.holding(row)))


def _queue(name: str) -> Response:
    return answer(shapes.queue(next(row for row in context.repository().queues() if row.name == name)))


def _note(what: str, id_: str) -> None:
    audit.info("%s %s by %s, request %s", what, id_, context.principal().owner, context.request_id())


VIEWS = (
    list_workers, pause_worker, resume_worker, list_queues, pause_queue, resume_queue, list_pauses, end_pause,
)  # fmt: skip
