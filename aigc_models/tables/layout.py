"""Where in an encoded row each column stands, and what is done to all columns of one width at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_TINY = 1e-20
_NEAR = 60.0
_CHUNK, _FAR = 16, 80.0  # segments at a time; a logit further from its segment's mean stands for no other chance


@dataclass(frozen=True)
class Layout:
    """An encoded row: numbers from -1 to 1 first, then segments of which one entry is one.

    Attributes:
        scalars: How many numbers.
        widths: Entries of each segment, rising, so that segments of one width lie side by side.
        modes: Of each number, the segment that says its mode (-1 for none), the first code there that is a mode with a
            number, and how many of them there are; none given makes one mode of each number.
    """

    scalars: int
    widths: tuple[int, ...]
    modes: tuple[tuple[int, int, int], ...] = ()

    @property
    def dim(self) -> int:
        """Entries of a row (D)."""
        return self.scalars + sum(self.widths)

    @cached_property
    def offsets(self) -> Tensor:
        """Where each segment starts, (K,)."""
        return torch.tensor([0, *self.widths]).cumsum(0)[:-1] + self.scalars

    @cached_property
    def groups(self) -> tuple[tuple[int, int, int], ...]:
        """Start, number of segments and their width, for each width there is."""
        found, start = [], self.scalars
        for width, same in groupby(self.widths):
            count = len(list(same))
            found.append((start, count, width))
            start += count * width
        return tuple(found)

    @cached_property
    def _modes(self) -> Tensor:
        """Segment, first code, count and first place of each number's modes, (4, S)."""
        modes = torch.tensor(self.modes or [(-1, 0, 1)] * self.scalars, dtype=torch.int64).reshape(-1, 3).T
        return torch.cat([modes, (modes[2].cumsum(0) - modes[2])[None]])

    @property
    def numbers(self) -> int:
        """Modes of all numbers together (M)."""
        return int(self._modes[2].sum())

    def mode_of(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Place of each number's mode among all modes, and whether its code is one that has a number.

        Shape: codes (B, K) to places and yes or no, each (B, S).
        """
        segment, first, count, start = self._modes.to(codes.device)
        code = torch.cat([codes, codes.new_zeros(len(codes), 1)], 1)[:, segment].long()  # no segment: the last, 0
        place = code - first
        return start + torch.minimum(place.clamp(min=0), count - 1), (place >= 0) & (place < count)

    @cached_property
    def _chunks(self) -> tuple[tuple[slice, Tensor, Tensor], ...]:
        """Some neighbouring segments at a time: their entries, what belongs to which, (m, k), and shares of a mean."""
        found, entry = [], 0
        for first in range(0, len(self.widths), _CHUNK):
            widths = torch.tensor(self.widths[first : first + _CHUNK])
            owner = torch.arange(len(widths)).repeat_interleave(widths)
            member = F.one_hot(owner, len(widths)).float()
            found.append((slice(entry, entry + len(owner)), member, member / member.sum(0)))
            entry += len(owner)
        return tuple(found)

    def log_chances(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """The softmax of every segment, and the logarithms of it, by two matrix products for some segments at a time.

        A softmax over each few entries by itself takes several times longer.

        Shape: logits (B, D - S) to (B, D - S), twice.
        """
        shifted, chances = torch.empty_like(logits), torch.empty_like(logits)
        for entries, member, mean in self._chunks:
            member, mean = member.to(logits.device), mean.to(logits.device)
            part = logits[:, entries]
            centre = part @ mean
            near = (part - centre @ member.T).clamp_(-_FAR, _FAR)
            likely = near.exp()
            total = likely @ member
            torch.mul(likely, total.reciprocal() @ member.T, out=chances[:, entries])
            torch.sub(near, total.log() @ member.T, out=shifted[:, entries])
        return chances, shifted

    def views(self, rows: Tensor) -> Iterator[Tensor]:
        """The segments of each width. Shape: (B, D) to (B, segments, width), sharing memory."""
        for start, count, width in self.groups:
            yield rows[:, start : start + count * width].unflatten(1, (count, width))

    def rows(self, scalars: Tensor, codes: Tensor) -> Tensor:
        """Shape: numbers (B, S) and codes (B, K) to rows (B, D)."""
        places = codes.long() + self.offsets.to(codes.device)
        rows = scalars.new_zeros(len(scalars), self.dim)
        rows[:, : self.scalars] = scalars
        return rows.scatter_(1, places, 1.0)

    def soft(self, logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Rows that gradients flow through: tanh, and a Gumbel softmax for all segments (Jang et al. 2017).

        Shape: logits (B, D), uniform draws (B, D - S), to (B, D).
        """
        rows: Tensor = _Soft.apply(logits, gumbel(uniform), self, temperature)  # type: ignore[no-untyped-call]
        return rows

    def hard(self, logits: Tensor, uniform: Tensor) -> Tensor:
        """Codes drawn with the chances that logits stand for, by one uniform draw for each segment.

        Rows lie in the last dimension here, as reductions over a short last dimension are slow; so the logits come that
        way.

        Shape: logits of the segments (D - S, B), uniform draws (B, K), to codes (B, K).
        """
        codes = torch.zeros(uniform.shape[1], uniform.shape[0], dtype=torch.int16, device=logits.device)
        draws, first = uniform.T.contiguous(), 0
        near = bool(logits.numel()) and bool(
            logits.abs().amax() < _NEAR
        )  # then no exponential overflows, nor is nought
        for start, count, width in self.groups:
            begin = start - self.scalars
            part = logits[begin : begin + count * width].unflatten(0, (count, width))  # (k, w, B)
            upto = part.exp() if near else (part - part.amax(1, keepdim=True)).exp_()
            for entry in range(1, width):
                upto[:, entry] += upto[:, entry - 1]
            own, reached = codes[first : first + count], draws[first : first + count] * upto[:, -1]
            for entry in range(width - 1):
                own += upto[:, entry] <= reached
            first += count
        return codes.T


def gumbel(uniform: Tensor) -> Tensor:
    """Gumbel noise from uniform draws."""
    return -torch.log(-torch.log(uniform.clamp(min=_TINY, max=1 - 1e-7)))


def cross_entropy(logits: Tensor, codes: Tensor, layout: Layout, weights: Tensor | None = None) -> Tensor:
    """Negative log-likelihood in nats of codes, summed over segments and rows.

    Its gradient, the softmax less the one-hot row, is worked out on the way forward, all segments of one width at once.

    Shape: logits (B, D - S) of the segments, codes (B, K), weights of each row's segments (B, K) or None for ones.
    """
    loss: Tensor = _CrossEntropy.apply(logits, codes, layout, weights)  # type: ignore[no-untyped-call]
    return loss


class _Soft(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, noise: Tensor, layout: Layout, temperature: float) -> Tensor:
        rows = logits.float().clone()
        rows[:, layout.scalars :].add_(noise).div_(temperature)
        rows[:, : layout.scalars].tanh_()
        for part in layout.views(rows):
            part.copy_(part.softmax(2))
        ctx.save_for_backward(rows)
        ctx.layout, ctx.temperature = layout, temperature
        return rows

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (rows,) = ctx.saved_tensors
        layout, weighted = ctx.layout, upstream[0] * rows
        gradient = weighted / ctx.temperature
        for part, share, row in zip(layout.views(gradient), layout.views(weighted), layout.views(rows), strict=True):
            part.addcmul_(row, share.sum(2, keepdim=True), value=-1 / ctx.temperature)
        scalars = slice(0, layout.scalars)
        gradient[:, scalars] = upstream[0][:, scalars] * (1 - rows[:, scalars].square())
        return gradient, None, None, None


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, codes: Tensor, layout: Layout, weights: Tensor | None) -> Tensor:
        places = codes.long() + (layout.offsets - layout.scalars).to(codes.device)
        gradient, likely = layout.log_chances(logits.float())
        likely = likely.gather(1, places)
        loss = -(likely if weights is None else likely * weights).sum()
        gradient.scatter_add_(1, places, gradient.new_full((), -1.0).expand(places.shape))
        if weights is not None:
            gradient *= weights.repeat_interleave(torch.tensor(layout.widths, device=weights.device), dim=1)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0], None, None, None


def in_order(widths: Sequence[int]) -> list[int]:
    """The order of segments in which widths rise."""
    return sorted(range(len(widths)), key=lambda place: widths[place])
