"""Self-attention, written out: on CPUs this is faster than the fused kernel's backward pass."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float | None = None) -> Tensor:
    """Scaled dot-product attention.

    Shape: query (..., T, D), key (..., S, D), value (..., S, E) to (..., T, E).
    Source: Vaswani et al. 2017, equation 1.
    """
    return attention_weights(query, key, scale) @ value


def attention_weights(query: Tensor, key: Tensor, scale: float | None = None) -> Tensor:
    """How much each query looks at each key; every row sums to one.

    Shape: query (..., T, D), key (..., S, D) to (..., T, S).
    """
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return torch.softmax(query @ key.mT * factor, -1)


class ImageAttention(nn.Module):
    """The self-attention block of SAGAN: every place looks at every (pooled) place, added with a learnt weight.

    Source: Zhang et al. 2019, section 3. As there, queries and keys have an eighth of the
    channels, keys and values are pooled by two, and the weight starts at zero.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(channels // 8, 1), max(channels // 2, 1)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, C, H, W) to the same."""
        B, _, H, W = x.shape
        pooled = F.max_pool2d(x, 2) if min(H, W) > 1 else x
        query = self.query(x).flatten(2).mT  # (B, HW, C/8)
        key = self.key(pooled).flatten(2).mT  # (B, HW/4, C/8)
        value = self.value(pooled).flatten(2).mT  # (B, HW/4, C/2)
        seen = attend(query, key, value, scale=1.0).mT.reshape(B, -1, H, W)
        return torch.as_tensor(x + self.weight.to(x.dtype) * self.out(seen))
