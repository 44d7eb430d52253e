"""Whether a waiting job fits the devices that are there."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from aigc_models.base import Fault
from jobs import durations
from jobs.states import Label
from jobs.tables import Job, WorkerNode

TOO_MANY = (
    "The job needs {asked} devices of one host, and the largest host has {most} for trainings. "
    "Choose fewer devices, or start a worker with more: {command}"
)
TOO_LARGE = (
    "The job needs about {needed} GiB of a GPU's memory, and the largest GPU has {most} GiB. "
    "Retry it with a smaller batch or model, or start a worker on a larger GPU."
)
TRIED_LATER = (
    "The job needs about {needed} GiB of a GPU's memory, and the largest GPU has {most} GiB. It is tried there all the "
    "same when it has waited {wait}. To be sure, use a smaller batch or model, or start a worker on a larger GPU."
)
_GIB = 2**30


def joins(node: WorkerNode) -> bool:
    """Whether a slot takes jobs and its device can work with others: instances of a divided GPU cannot."""
    return not node.draining and not node.unfit and not (node.device_name or "").startswith("MIG-")


def most_together(nodes: Iterable[WorkerNode], lane: str, device_kind: str) -> int:
    """How many devices of one host can work on a job of a queue; 0 where no worker serves it."""
    hosts, served = defaultdict[str, set[str | None]](set), 0
    for node in nodes:
        if (node.lane, node.device_kind) == (lane, device_kind) and not node.draining and not node.unfit:
            served = 1
            if joins(node):
                hosts[node.host].add(node.device_name)
    return max([served, *map(len, hosts.values())])


def too_few_devices(asked: int, nodes: Iterable[WorkerNode], lane: str, device_kind: str) -> list[Fault]:
    """That no worker has as many devices as a submission asks for; nothing where none is there at all."""
    most = most_together(nodes, lane, device_kind)
    if not most or asked <= most:
        return []
    command = f"aigc worker --devices {f'cpu:{asked}' if device_kind == 'cpu' else 'all'}"
    values = {"asked": asked, "most": most, "command": command}
    return [Fault(TOO_MANY, values, "/devices", code="too-many-devices")]


def misfit(job: Job, nodes: Sequence[WorkerNode], tried_after: float = 0) -> Label | None:
    """The label of a job that no worker could take even if it were free; None where one could, or none is there.

    Args:
        job: It waits.
        nodes: The workers that live.
        tried_after: Seconds after which a job that should fit no GPU is tried all the same; 0 for never.
    """
    faults = too_few_devices(job.devices, nodes, job.lane, job.device_kind) if job.devices > 1 else []
    if faults:
        return Label("waiting_for_worker", faults[0].message, dict(faults[0].values))
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
    if not tried_after:
        return Label("waiting_for_worker", TOO_LARGE, values)
    return Label("waiting_for_worker", TRIED_LATER, values | {"wait": durations.spoken(round(tried_after))})
