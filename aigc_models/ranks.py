"""Several processes that train one network together, each on a device of its own: data parallelism.

Every process (a *rank*) makes the same network from the same seed and draws every batch, and all its noise, whole.
It computes the loss of its rows alone; the gradients are averaged while they are computed, each weighted by its share
of the batch, and every rank takes the same step. So what is learnt is what one process learns from whole batches, up
to rounding, and a checkpoint does not know how many ranks there were. With one rank, nothing here does anything.

Only rank 0 measures and shows: what it finds decides for all of them (:func:`agreed`).
"""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from aigc_models.base import Fault, InputError

TOO_FEW_ROWS = "A batch of {rows} rows cannot be shared by {devices} devices. Choose a larger batch, or fewer devices."
NO_SUCH_GPU = "{devices} devices were to train together, and this process sees only {found} GPUs."
_SHARED_GPU = "Two ranks were to share {device}; NCCL needs a GPU for each."

# What has the loss of some rows, a mean over them, and figures to report.
Part = Callable[[], "tuple[Tensor, dict[str, Tensor]]"]


@dataclass(frozen=True, slots=True)
class Meeting:
    """How ranks find each other.

    Attributes:
        file: They meet by a file that no meeting before has used; so they are on one machine.
        rank: This one's number.
        devices: The torch device of each, by rank.
        seconds: How long one waits for the others before it gives up.
    """

    file: Path
    rank: int
    devices: Sequence[str]
    seconds: float

    @property
    def device(self) -> str:
        """This rank's device."""
        return self.devices[self.rank]


def join(meeting: Meeting) -> None:
    """Meet the others; returns when all are there.

    Raises:
        RuntimeError: There is no GPU for each, or somebody did not come.
    """
    on_gpus = meeting.device.startswith("cuda")
    if on_gpus:
        _check_gpus(meeting.devices)
        torch.cuda.set_device(meeting.device)
    elif sys.platform == "linux":  # they are on one machine, whatever its name resolves to
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    dist.init_process_group(
        "nccl" if on_gpus else "gloo",
        init_method=meeting.file.absolute().as_uri(),
        rank=meeting.rank,
        world_size=len(meeting.devices),
        timeout=timedelta(seconds=meeting.seconds),
    )


def _check_gpus(wanted: Sequence[str]) -> None:
    found = torch.cuda.device_count()
    if len(set(wanted)) < len(wanted):
        raise RuntimeError(_SHARED_GPU.format(device=wanted[0]))
    if found < len(wanted):
        raise RuntimeError(NO_SUCH_GPU.format(devices=len(wanted), found=found))


def leave() -> None:
    """Part from the others: each goes on alone. All must call it at the same point."""
    if size() > 1:
        dist.destroy_process_group()


def size() -> int:
    """How many train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def leads() -> bool:
    """Whether this rank measures, shows and saves."""
    return size() == 1 or dist.get_rank() == 0


def own_rows(rows: int) -> slice:
    """This rank's rows of a batch; the ranks' differ by one at most.

    Raises:
        InputError: There are fewer rows than ranks.
    """
    count, place = size(), dist.get_rank()
    if rows < count:
        raise InputError(Fault(TOO_FEW_ROWS, {"rows": rows, "devices": count}, "/devices", code="too-many-devices"))
    return slice(rows * place // count, rows * (place + 1) // count)


def agreed(measure: Callable[[], float]) -> float:
    """What rank 0 measures, told to all, so that they decide alike; the others wait for it."""
    if size() == 1:
        return measure()
    found = torch.zeros(1, dtype=torch.float64, device=_device())
    if leads():
        found[0] = measure()
    dist.broadcast(found, 0)
    return float(found)


def added(figures: dict[str, Tensor]) -> dict[str, Tensor]:
    """The sums of some scalars over all ranks, under the same names in the same order."""
    stacked = torch.stack([value.detach().float() for value in figures.values()]).to(_device())
    dist.all_reduce(stacked)
    return dict(zip(figures, stacked, strict=True))


def _device() -> str:
    """Where the ranks exchange numbers."""
    return "cuda" if dist.get_backend() == "nccl" else "cpu"


class _Step(nn.Module):
    """A module whose forward pass is whatever loss it is given: what needs its weights' gradients averaged."""

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        super().__init__()
        self.weights = nn.ParameterList(weights)

    def forward(self, part: Part) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute it."""
        return part()


class Averaged:
    """Weights whose gradients all ranks average while they are computed.

    Source: Li et al. 2020 (PyTorch Distributed), section 3: gradients in buckets, each exchanged while the next one
    is computed.

    Args:
        weights: In the same order on every rank. They become those of rank 0.
    """

    def __init__(self, weights: Iterable[nn.Parameter]) -> None:
        self._step = DistributedDataParallel(_Step(weights))

    def add(self, part: Part, share: float, last: bool) -> dict[str, Tensor]:
        """Add the gradient of a part of the batch; gives its figures.

        Args:
            part: Its loss.
            share: Its share of the whole batch, all ranks' rows together.
            last: Whether it is this rank's last of the batch: then gradients are averaged.
        """
        with nullcontext() if last else self._step.no_sync():
            minimised, figures = self._step(part)
            (minimised * (share * size())).backward()
        return {name: value.detach() * share for name, value in figures.items()}
