"""The two branches of a block with their gradients written out, for CPUs.

Small networks spend most of a step between the multiplications: in the many small steps that autograd makes of a norm,
of turned heads and of a gate. Here each branch is one step forward and one backward, the norm's weight is folded into
the matrix behind it, and what is kept for the way back is kept once.

B rows, T tokens, S tokens that can be seen, D width, H heads, E = D / H, F numbers inside the feed-forward layer. Large
multiplications are done in ``dtype``; everything that comes in and goes out is in 32 bits.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class NormedAttention(torch.autograd.Function):
    """RMSNorm, queries, keys and values, rotary positions, attention, output: (B, T, D) to the same."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: tuple[Tensor, Tensor, Tensor], place: tuple[Tensor, Tensor], heads: int, dtype: torch.dtype) -> Tensor:  # fmt: skip
        raise NotImplementedError
