"""Whether a waiting job fits any device that is there."""

from collections.abc import Sequence

from jobs.states import Label
from jobs.tables import Job, WorkerNode

TOO_LARGE = (
    "The job needs about {needed} GiB of a GPU's memory, and the largest GPU has {most} GiB. "
    "Retry it with a smaller batch or model, or start a worker on a larger GPU."
)
_GIB = 2**30


def misfit(job: Job, nodes: Sequence[WorkerNode]) -> Label | None:
    """The label of a job that no worker could take even if it were free; None where one could, or none is there."""
    if job.device_kind != "gpu" or not job.memory_needed:
        return None
    here = [node for node in nodes if (node.lane, node.device_kind) == (job.lane, "gpu")]
    here = [node for node in here if not node.draining and not node.unfit]
    if not here:
        return None  # there is another sentence for that
    sizes = [node.memory_total for node in here]
    largest = max((size for size in sizes if size is not None), default=0)
    if None in sizes or job.memory_needed <= largest:
        return None
    values = {"needed": f"{job.memory_needed / _GIB:.1f}", "most": f"{largest / _GIB:.1f}"}
    return Label("waiting_for_worker", TOO_LARGE, values)
