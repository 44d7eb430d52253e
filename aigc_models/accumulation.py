"""Batches computed in parts, one after the other, when a device has no room for a whole one.

The gradients of the parts are added up, each weighted by its share of the batch, before the optimiser takes its
one step. So the batch size that counts stays, and with one part every number is what it would be without this module.

What is equal and what is not, with several parts: a loss that is a mean over the rows, and a penalty that is
one, has the same gradient (up to rounding). Two things see a part where they would see the whole batch: batch
normalisation takes its mean and variance from a part (Hoffer et al. 2017 find no harm in that), and a term that is not
linear in the mean, such as free bits, is worked out for each part and averaged.

Several processes may share a batch (:mod:`aigc_models.ranks`): each then computes some of the parts.
"""

import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from aigc_models import ranks
from aigc_models.ranks import Ranks

T = TypeVar("T")

Figures = Mapping[str, Tensor]
# From the rows of a part to what the optimiser minimises (a mean over these rows), and figures to report.
PartLoss = Callable[[slice], tuple[Tensor, Figures]]


class Optimiser(Protocol):
    """What takes a step down the gradients."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """What it moves, below ``params``."""

    def zero_grad(self, set_to_none: bool = ...) -> None:
        """Forget all gradients."""

    def step(self) -> object:
        """Move the weights."""


_LEAST_ROWS = 2  # the variance of a single row is none


@dataclass(frozen=True, slots=True)
class Parts:
    """How each batch is cut.

    Attributes:
        count: Parts of a batch that this process computes; fewer where a part would have less than two rows.
        ranks: Who else computes parts of it.
        norms: Batch norms whose running statistics all ranks share.
    """

    count: int = 1
    ranks: Ranks = field(default_factory=ranks.here)
    norms: list[nn.modules.batchnorm._BatchNorm] = field(default_factory=list)

    def slices(self, rows: int) -> list[slice]:
        """The parts of a batch of so many rows, which differ by one row at most, over all ranks."""
        most = rows // _LEAST_ROWS
        each = max(1, min(self.count, most // self.ranks.count))
        count = each * self.ranks.count if most >= self.ranks.count else max(1, min(self.count, most))
        ends = [rows * place // count for place in range(count + 1)]
        return [slice(start, end) for start, end in pairwise(ends)]

    def mine(self, rows: int) -> list[slice]:
        """The parts that this rank computes; all of them, as every other rank does, of a batch too small to share."""
        parts, (place, count) = self.slices(rows), (self.ranks.place, self.ranks.count)
        if len(parts) % count:
            return parts
        each = len(parts) // count
        return parts[place * each : (place + 1) * each]

    def single(self, rows: int) -> bool:
        """Whether this process computes its rows of a batch at once, so that their graph may serve twice."""
        return len(self.mine(rows)) == 1

    def descend(self, optimiser: Optimiser, rows: int, loss: PartLoss, last: bool = True) -> dict[str, Tensor]:
        """Take one step down the loss of a batch; gives the batch's figures.

        When the device has no room, what is cached is given back and the loss computed once more. It must
        draw the same random numbers then. Only running statistics may take in some rows twice.

        Args:
            optimiser: What steps.
            rows: Rows of the batch.
            loss: Of some of its rows.
            last: Whether no graph that was made here is used again: only then norms may be changed.

        Raises:
            torch.OutOfMemoryError: There was no room the second time either; no weight has changed.
        """
        figures = with_room(lambda: self._add_up(optimiser, rows, loss))
        if self.ranks.joined:
            self._exchange(optimiser, rows, figures, self.norms if last else ())
        optimiser.step()
        return figures

    def soften(self, module: nn.Module, passes: int = 1) -> None:
        """Slow batch normalisation's running statistics, so that a batch in parts moves them as far as a whole one.

        Args:
            module: What holds the norms.
            passes: How often a step takes each row through it.
        """
        found = [norm for norm in module.modules() if isinstance(norm, nn.modules.batchnorm._BatchNorm)]
        self.norms.extend(found)
        for norm in found if self.count > 1 else ():
            if norm.momentum is not None:
                norm.momentum = 1 - (1 - norm.momentum) ** (1 / (self.count * passes))

    def _add_up(self, optimiser: Optimiser, rows: int, loss: PartLoss) -> dict[str, Tensor]:
        optimiser.zero_grad(set_to_none=True)
        parts = self.mine(rows)
        sums: dict[str, Tensor] = {}
        for part in parts:
            minimised, figures = loss(part)
            share = (part.stop - part.start) / rows
            if share == 1:
                minimised.backward()
                return {name: value.detach() for name, value in figures.items()}
            (minimised * share).backward()
            for name, value in figures.items():
                weighted = value.detach() * share
                sums[name] = sums[name] + weighted if name in sums else weighted
        return sums

    def _exchange(
        self,
        optimiser: Optimiser,
        rows: int,
        figures: dict[str, Tensor],
        norms: Sequence[nn.modules.batchnorm._BatchNorm],
    ) -> None:
        """Add up gradients and figures over all ranks, and average what norms remember."""
        weights = [weight for group in optimiser.param_groups for weight in group["params"]]
        sums = [weight.grad for weight in weights if weight.grad is not None]
        sums += [figures[name] for name in sorted(figures)]
        if len(self.mine(rows)) == len(self.slices(rows)):  # everybody has done all of it
            for each in sums:
                each /= self.ranks.count
        kept = [kept for norm in norms for kept in (norm.running_mean, norm.running_var) if kept is not None]
        self.ranks.add_up(sums, kept)


def with_room(work: Callable[[], T]) -> T:
    """Do something; when the device has no room for it, give back what is cached and do it once more."""
    try:
        return work()
    except torch.OutOfMemoryError:
        pass  # the frames that the error holds, and their tensors, are let go of before room is made
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return work()
