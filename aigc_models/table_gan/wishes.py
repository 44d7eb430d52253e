"""Training by sampling (Xu et al. 2019, section 4.3): the value a row is asked for, and a row that has it."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from aigc_models.tables.columns import CategoryCodec
from aigc_models.tables.encoding import Encoder


@dataclass(frozen=True, slots=True)
class Places:
    """Which values can be wished for.

    Attributes:
        segments: Places of the coded columns among the layout's segments, (n,).
        first: Where each column's values start among all values, (n,).
        size: All values together (C).
    """

    segments: Tensor
    first: Tensor
    size: int

    @classmethod
    def of(cls, encoder: Encoder) -> Self:
        """All values of the coded columns."""
        names = [name for name in encoder.segments if isinstance(encoder.codecs[name], CategoryCodec)]
        segments = torch.tensor([encoder.segments.index(name) for name in names], dtype=torch.int64)
        widths = torch.tensor([0, *(encoder.codecs[name].width for name in names)])
        return cls(segments, widths.cumsum(0)[:-1], int(widths.sum()))

    def draw(self, uniform: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
        """Columns and values from uniform draws (2 or more, B) and shares (C,); each is (B,)."""
        column = (uniform[0] * len(self.segments)).long()
        value = torch.searchsorted(shares, column + uniform[1], right=True)
        last = torch.cat([self.first[1:], self.first.new_tensor([self.size])]) - 1
        return column, torch.minimum(value, last[column])


@dataclass(frozen=True, slots=True)
class Wishes:
    """How often each value is wished for, and the rows that have it.

    Attributes:
        places: Which values there are.
        learning: For each column its number plus the shares up to each value by log-frequency, all in one line, (C,).
        real: The same by frequency.
        start, count: Where the rows of each value start in ``rows``, and how many they are, (C,).
        rows: Row numbers by value, one column after the other, (n * N,).
    """

    places: Places
    learning: Tensor
    real: Tensor
    start: Tensor
    count: Tensor
    rows: Tensor

    @classmethod
    def of(cls, encoder: Encoder, codes: Tensor) -> Self:
        """From the codes of the training rows (N, K)."""
        places = Places.of(encoder)
        counts, learning, real, rows = [], [], [], []
        for place, segment in enumerate(places.segments.tolist()):
            column = codes[:, segment].long()
            count = torch.bincount(column, minlength=encoder.layout.widths[segment])
            counts.append(count)
            learning.append(place + _upto((count + 1).double().log() * (count > 0)))
            real.append(place + _upto(count.double()))
            rows.append(column.argsort(stable=True).int())
        count = torch.cat(counts) if counts else torch.empty(0, dtype=torch.int64)
        return cls(
            places,
            torch.cat(learning) if counts else torch.empty(0),
            torch.cat(real) if counts else torch.empty(0),
            count.cumsum(0) - count,
            count,
            torch.cat(rows) if rows else torch.arange(len(codes)).int(),
        )

    def matching(self, value: Tensor, uniform: Tensor) -> Tensor:
        """A row that has each value. Shape: (B,), (B,) to row numbers (B,)."""
        within = (uniform * self.count[value]).long()
        return self.rows[self.start[value] + torch.minimum(within, self.count[value] - 1)].long()


def _upto(weights: Tensor) -> Tensor:
    shares = weights.cumsum(0) / weights.sum()
    shares[-1] = 1.0
    return shares
