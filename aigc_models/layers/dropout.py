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
    kept = kept_cells(x, share)
    return x if kept is None else scaled(x, kept, share)


def kept_cells(x: Tensor, share: float) -> Tensor | None:
    """Which cells :func:`drop` would keep, bool like ``x``; None where it keeps all."""
    level = _level(share)
    if level == 0:
        return None
    words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    return words.view(torch.uint8)[: x.numel()].view(x.shape) >= level


def scaled(x: Tensor, kept: Tensor, share: float) -> Tensor:
    """The cells that are kept, made larger by the share of those that are not; zeros in place of these."""
    return x * kept.to(x.dtype).mul_(_LEVELS / (_LEVELS - _level(share)))


def _level(share: float) -> int:
    return min(round(share * _LEVELS), _LEVELS - 1)
