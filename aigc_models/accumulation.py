"""Batches computed in parts, one after the other, when a device has no room for a whole one.

The gradients of the parts are added up, each weighted by its share of the batch, before the optimiser takes its
one step. So the batch size that counts stays, and with one part every number is what it would be without this module.

What is equal and what is not, with several parts: a loss that is a mean over the rows, and a penalty that is
one, has the same gradient (up to rounding). Two things see a part where they would see the whole batch: batch
normalisation takes its mean and variance from a part (Hoffer et al. 2017 find no harm in that), and a term that is not
linear in the mean, such as free bits, is worked out for each part and averaged.

Where several processes train together (:mod:`aigc_models.ranks`), each computes its rows of the batch in the same way.
"""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from aigc_models import ranks

T = TypeVar("T")

Figures = Mapping[str, Tensor]
# From the rows of a part to what the optimiser minimises (a mean over these rows), and figures to report.
PartLoss = Callable[[slice], tuple[Tensor, Figures]]


class Optimiser(Protocol):
    """What takes a step down the gradients."""

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The weights it moves, in groups."""

    def zero_grad(self, set_to_none: bool = ...) -> None:
        """Forget all gradients."""

    def step(self) -> object:
        """Move the weights."""


_LEAST_ROWS = 2  # the variance of a single row is none


@dataclass(frozen=True, slots=True)
class Parts:
    """How each batch is cut.

    Attributes:
        count: Parts of a batch; fewer where a part would have less than two rows.
    """

    count: int = 1
    _averaged: dict[int, ranks.Averaged] = field(default_factory=dict, init=False, repr=False, compare=False)

    def slices(self, rows: int, first: int = 0) -> list[slice]:
        """The parts of so many rows of a batch, from the given one on; they differ by one row at most."""
        count = max(1, min(self.count, rows // _LEAST_ROWS))
        ends = [first + rows * place // count for place in range(count + 1)]
        return [slice(start, end) for start, end in pairwise(ends)]

    def descend(self, optimiser: Optimiser, rows: int, loss: PartLoss) -> dict[str, Tensor]:
        """Take one step down the loss of a batch; gives the batch's figures.

        When the device has no room, what is cached is given back and the loss computed once more. It must
        draw the same random numbers then. Only running statistics may take in some rows twice.

        Raises:
            torch.OutOfMemoryError: There was no room the second time either; no weight has changed.
        """
        if ranks.size() > 1:  # no second try: the others have gone on
            figures = self._add_up_together(optimiser, rows, loss)
        else:
            figures = with_room(lambda: self._add_up(optimiser, rows, loss))
        optimiser.step()
        return figures

    def soften(self, module: nn.Module, passes: int = 1) -> None:
        """Slow batch normalisation's running statistics, so that a batch in parts moves them as far as a whole one.

        Args:
            module: What holds the norms.
            passes: How often a step takes each row through it.
        """
        updates = self.count * passes
        if self.count == 1:
            return
        for norm in module.modules():
            if isinstance(norm, nn.modules.batchnorm._BatchNorm) and norm.momentum is not None:
                norm.momentum = 1 - (1 - norm.momentum) ** (1 / updates)

    def _add_up(self, optimiser: Optimiser, rows: int, loss: PartLoss) -> dict[str, Tensor]:
        optimiser.zero_grad(set_to_none=True)
        parts = self.slices(rows)
        sums: dict[str, Tensor] = {}
        for part in parts:
            minimised, figures = loss(part)
            share = (part.stop - part.start) / rows
            if len(parts) == 1:
                minimised.backward()
                return {name: value.detach() for name, value in figures.items()}
            (minimised * share).backward()
            for name, value in figures.items():
                weighted = value.detach() * share
                sums[name] = sums[name] + weighted if name in sums else weighted
        return sums

    def _add_up_together(self, optimiser: Optimiser, rows: int, loss: PartLoss) -> dict[str, Tensor]:
        """The same for this rank's rows; the figures are those of the whole batch."""
        optimiser.zero_grad(set_to_none=True)
        averaged = self._averaged.get(id(optimiser))
        if averaged is None:
            weights = [weight for group in optimiser.param_groups for weight in group["params"]]
            averaged = self._averaged[id(optimiser)] = ranks.Averaged(weights)
        mine = ranks.own_rows(rows)
        parts = self.slices(mine.stop - mine.start, mine.start)
        sums: dict[str, Tensor] = {}
        for part in parts:
            share = (part.stop - part.start) / rows
            figures = averaged.add(lambda part=part: _computed(loss, part), share, part is parts[-1])  # type: ignore[misc]
            for name, value in figures.items():
                sums[name] = sums[name] + value if name in sums else value
        return ranks.added(sums)


def _computed(loss: PartLoss, part: slice) -> tuple[Tensor, dict[str, Tensor]]:
    minimised, figures = loss(part)
    return minimised, dict(figures)


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
