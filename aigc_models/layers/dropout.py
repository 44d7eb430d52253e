"""Dropout from random bytes: on CPUs drawing a number for each cell costs more than the rest of a small network."""

import torch
from torch import Tensor

_LEVELS = 256  # of a byte; shares are rounded to these


def drop(x: Tensor, share: float) -> Tensor:
    """Set a share of the cells to zero, at random, and scale the others so that the mean stays.

    Draws from the global generator of ``x``'s device, eight cells from each 64-bit number.
    Source: Srivastava et al. 2014, inverted.

    Args:
        x: Any shape.
        share: Between 0 and 1, rounded to 1/256.
    """
    level = min(round(share * _LEVELS), _LEVELS - 1)
    if level == 0:
        return x
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= level
    return x * kept.to(x.dtype).mul_(_LEVELS / (_LEVELS - level))
