"""Rotary positions: where a token stands turns its queries and keys, so that attention sees distances only."""

import torch
from torch import Tensor

BASE = 10_000.0


def turns(positions: Tensor, size: int) -> Tensor:
    """How far each pair of numbers of a head is turned at each position, as complex numbers of length one.

    Shape: positions (...,) to complex64 (..., size / 2).
    Source: Su et al. 2021 (RoFormer), equation 34, with pairs of neighbours as there.
    """
    rates = BASE ** (-torch.arange(0, size, 2, dtype=torch.float32, device=positions.device) / size)
    angles = positions.to(torch.float32)[..., None] * rates
    return torch.polar(torch.ones_like(angles), angles)


def rotate(x: Tensor, by: Tensor) -> Tensor:
    """Turn queries or keys; computed in 32 bits, as one complex product, whatever the type of ``x``.

    Shape: x (..., T, H, D), by (..., T, D / 2) to the shape of x.
    """
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * by.unsqueeze(-2)).flatten(-2).to(x.dtype)
