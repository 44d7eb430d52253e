"""Several processes that train one model together, each on its share of every batch.

All ranks draw the same batch and the same random numbers, from the same seeds, and each computes the gradient of its
own rows (:class:`aigc_models.accumulation.Parts`). The shares are added up over all ranks before the optimiser steps,
so every rank holds the same weights after it, and the result is that of one process that computes its batches in as
many parts, up to the order of additions. Source: Li et al. 2020, section 3, with one exchange after the backward pass
instead of many during it: these networks are small, and a GAN takes two turns with parts of the weights frozen.

Processes come from ``torch.distributed.run`` (``torchrun``), which says by environment variables who is who, and
starts them all anew from the last checkpoint when one of them dies.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from aigc_models.base import Adjustments, Metrics, Phase

T = TypeVar("T")

PATIENCE = timedelta(minutes=10)  # what a rank waits for the others before it gives up


@dataclass(frozen=True, slots=True)
class Ranks:
    """Who trains together.

    Attributes:
        place: Number of this process; 0 is the one that reports and saves.
        count: How many there are.
        joined: Whether they exchange anything, be it with themselves.
    """

    place: int = 0
    count: int = 1
    joined: bool = False

    @property
    def first(self) -> bool:
        """Whether this process speaks for all."""
        return self.place == 0

    def add_up(self, sums: Sequence[Tensor], means: Sequence[Tensor] = ()) -> None:
        """Replace tensors by their sums over all ranks, and others by their means, in one exchange."""
        every = [*sums, *means]
        if not self.joined or not every:
            return
        flat = torch.cat([each.detach().reshape(-1).float() for each in every])
        averaged = sum(each.numel() for each in means)
        if averaged:
            flat[-averaged:] /= self.count
        _exchanged(lambda: dist.all_reduce(flat))
        with torch.no_grad():
            for each, whole in zip(every, flat.split([each.numel() for each in every]), strict=True):
                each.copy_(whole.view_as(each))

    def agreed(self, value: float, device: str) -> float:
        """What the first rank has measured, so that all decide alike."""
        if not self.joined:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=device)
        _exchanged(lambda: dist.broadcast(told, 0))
        return float(told)


ALONE = Ranks()


def _exchanged(call: Callable[[], object]) -> None:
    try:
        call()
    except RuntimeError as error:  # all that the libraries below say of a connection that is cut
        raise Parted(str(error)) from error


def here() -> Ranks:
    """The ranks that this process trains with; itself where it has not joined any."""
    if not dist.is_available() or not dist.is_initialized():
        return ALONE
    return Ranks(dist.get_rank(), dist.get_world_size(), joined=True)


def called_together(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether ``torch.distributed.run`` started this process."""
    return "TORCHELASTIC_RUN_ID" in environment


def device_of(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The device of this rank: of the GPUs it sees the one of its number, else what all have."""
    return f"cuda:{environment['LOCAL_RANK']}" if name.startswith("cuda") else name


@contextmanager
def joined(device: str, store: Path | None = None, environment: Mapping[str, str] = os.environ) -> Iterator[Ranks]:
    """Meet the others that ``torch.distributed.run`` started, by NCCL on GPUs and by Gloo on CPUs.

    Args:
        device: Torch device string of this rank.
        store: A file, new for every start, by which they find each other; none takes the network.
        environment: Where it is said who is who.
    """
    on_gpu = device.startswith("cuda")
    if on_gpu:
        torch.cuda.set_device(device)
    own: dict[str, Any] = {"device_id": torch.device(device)} if on_gpu else {}
    place, count = int(environment["RANK"]), int(environment["WORLD_SIZE"])
    where = "env://" if store is None else f"file://{store}"
    backend = "nccl" if on_gpu else "gloo"
    dist.init_process_group(backend, init_method=where, rank=place, world_size=count, timeout=PATIENCE, **own)
    try:
        yield here()
    finally:
        dist.destroy_process_group()


class Parted(Exception):
    """Another rank is gone in the middle of a step; whoever started the ranks starts them all anew."""


class Followed(Exception):
    """The training's steps are done, and the first rank does the rest."""


@dataclass(slots=True)
class Follower:
    """The run of a rank that is not the first: it computes its share and says nothing.

    Attributes:
        device: Torch device string.
        inputs: As the first rank has them.
        out_dir: A directory that nobody reads.
        resume_from: The same checkpoint as the first rank's.
        adjustments: The same, too.
    """

    device: str
    inputs: Mapping[str, Path]
    out_dir: Path
    resume_from: Path | None
    adjustments: Adjustments

    def phase(self, name: Phase) -> None:
        """Leave where the steps are over."""
        if name in ("evaluating", "saving"):
            raise Followed

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Say nothing."""

    def preview(self, name: str, step: int, path: Path) -> None:
        """Show nothing."""

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> None:
        """Save nothing: all ranks have the same state."""

    def log(self, message: str) -> None:
        """Say nothing."""

    def warm(self, source: Path, load: Callable[[Path], T]) -> T:
        """Load it."""
        return load(source)


def follow(work: Callable[[Follower], Metrics], run: Follower) -> None:
    """Do a rank's share of some training."""
    try:
        work(run)
    except Followed:
        return
