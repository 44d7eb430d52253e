"""Chances of values set right after a training: each value of a column as often as in the training rows.

A network that was stopped early, averaged, or trained against a critic gets single columns nearly right: a rare value
twice as often, a missing cell half as often. One number added to each value's logit mends that and leaves alone what
the network has learnt of which values go together.
"""

import torch
from torch import Tensor

from aigc_models.tables.layout import Layout

_ROUNDS, _FURTHEST, _LEAST = 12, 4.0, 1e-6
_MOST_ROWS, _MOST_ENTRIES = 20_000, 8_000_000


def rows_to_calibrate(layout: Layout) -> int:
    """How many made rows are looked at: so many that shares are sure, and no more than fit in little memory."""
    return max(1_000, min(_MOST_ROWS, _MOST_ENTRIES // max(layout.dim, 1)))


def shares_of(codes: Tensor, layout: Layout) -> Tensor:
    """How often each value of each segment is seen. Shape: codes (N, K) to (D - S,)."""
    columns = zip(codes.cpu().T, layout.widths, strict=True)
    counts = [torch.bincount(column.long(), minlength=width) for column, width in columns]
    return torch.cat([torch.zeros(0), *counts]) / max(len(codes), 1)


def offsets(logits: Tensor, shares: Tensor, layout: Layout) -> Tensor:
    """What to add to the logits of made rows so that each value's mean chance becomes its share.

    Source: Saerens, Latinne and Decaestecker 2002 (equation 4, the other way round): chances are multiplied by the
    ratio of what they should be to what they are on the average, until that ratio is one.

    Shape: logits (N, D - S) and shares (D - S,) to (D - S,).
    """
    wanted = shares.clamp(min=_LEAST).to(logits.device)
    found = torch.zeros_like(wanted)
    for _ in range(_ROUNDS):
        chances, _unused = layout.log_chances(logits + found)
        found += (wanted / chances.mean(0).clamp(min=_LEAST)).log()
        found.clamp_(-_FURTHEST, _FURTHEST)
    return found
