"""Caches of rows that stand at places of their own: what a row reads is the same whatever rows stand beside it.

Every row looks at as many places as its own length rounded up to :data:`STEP`, and rows are filled up to a multiple of
:data:`UNIT`. So a row is multiplied by the same kernels alone and in company, and its numbers are the same bit for
bit, where a machine's matrix products do not depend on the number of rows (:func:`agrees`).

B rows, K heads of keys and values, S places, E numbers of a head.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import torch
import torch.nn.functional as F
from torch import Tensor

from aigc_models.layers.transformer import Attend, LayerCache

UNIT, STEP = 4, 64
_PROBED = (4, 8, 12, 24, 64)  # numbers of rows for which products are compared


def filled_up(rows: int) -> int:
    """The least multiple of :data:`UNIT` that holds so many rows."""
    return -(-rows // UNIT) * UNIT


class Places:
    """Where each row stands, shared by the caches of all blocks.

    Args:
        lengths: How many places of each row are filled.
        context: Places there are.
        device: Where the caches lie.
    """

    def __init__(self, lengths: Sequence[int], context: int, device: torch.device) -> None:
        self.lengths, self._context, self._device = list(lengths), context, device
        self.spans: list[tuple[slice, int, Tensor]] = []
        self.next = torch.empty(0)

    def advance(self) -> None:
        """Each row gets a place more, which the caches are about to fill."""
        rows = filled_up(len(self.lengths))
        self.next = torch.tensor(self.lengths + [0] * (rows - len(self.lengths)), device=self._device)
        self.lengths = [length + 1 for length in self.lengths]
        looked = [min(-(-length // STEP) * STEP, self._context) for length in self.lengths]
        self.spans, start = [], 0
        for places, group in groupby(looked):
            stop = start + len(list(group))
            filled = torch.tensor(self.lengths[start:stop])[:, None] > torch.arange(places)[None]
            hidden = torch.zeros(stop - start, places).masked_fill(~filled, -torch.inf)
            self.spans.append((slice(start, stop), places, hidden[:, None, None].to(self._device)))
            start = stop

    @property
    def scattered(self) -> bool:
        """Whether rows that look at as many places stand apart, so that it is worth sorting them."""
        return len(self.spans) > 1 + len({places for _, places, _ in self.spans})


class RowCache(LayerCache):
    """Keys and values of one block for many rows.

    Args:
        places: Where the rows stand.
        shape: (B, K, S, E), with B filled up.
        like: Numbers of the same kind.
    """

    def __init__(self, places: Places, shape: tuple[int, int, int, int], like: Tensor) -> None:
        super().__init__(like.new_zeros(shape), like.new_zeros(shape))
        self._places = places

    def put(self, row: int, read: LayerCache) -> None:
        """Take in what was read of one row by itself."""
        self.keys[row, :, : read.used] = read.keys[0, :, : read.used]
        self.values[row, :, : read.used] = read.values[0, :, : read.used]

    def take(self, rows: Tensor) -> None:
        """Keep some of the rows, in this order, filled up."""
        more = rows.new_zeros(filled_up(len(rows)) - len(rows))
        super().take(torch.cat([rows, more]))

    def mix(self, query: Tensor, key: Tensor, value: Tensor, _seen: Tensor | None, attend: Attend) -> Tensor:
        """What the rows see with one place more, (B, H, 1, E); rows that fill up see nothing."""
        own = torch.arange(len(query), device=query.device)
        self.keys[own, :, self._places.next] = key[:, :, 0]
        self.values[own, :, self._places.next] = value[:, :, 0]
        parts = [
            attend(query[rows], self.keys[rows, :, :places], self.values[rows, :, :places], hidden)
            for rows, places, hidden in self._places.spans
        ]
        rest = len(query) - sum(map(len, parts))
        return torch.cat([*parts, query.new_zeros(rest, *query.shape[1:])])


@torch.inference_mode()
def agrees(weights: Iterable[Tensor]) -> bool:
    """Whether products with these matrices give a row the same numbers, bit for bit, with any number of rows.

    On CPUs the order of additions may follow from the shape. It is tried with random numbers: another order shows in
    nearly every sum. On other devices nothing is promised.

    Args:
        weights: (out, in) each.
    """
    generator = torch.Generator().manual_seed(0)
    for weight in weights:
        if weight.device.type != "cpu":
            return True
        rows = torch.randn(max(_PROBED), weight.shape[1], generator=generator).to(weight.dtype)
        alone = torch.cat([F.linear(part, weight) for part in rows.split(UNIT)])
        if not all(torch.equal(F.linear(rows[:count], weight), alone[:count]) for count in _PROBED):
            return False
    return True
