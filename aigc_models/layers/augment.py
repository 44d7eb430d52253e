"""Differentiable augmentation: real and generated pictures are changed alike before they are judged.

Source: Zhao et al. 2020 (DiffAugment). The draws come from the training's own generator, so
that a resumed training sees the same changes.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

KINDS = ("mirror", "shift", "cutout", "brightness")


def augment(x: Tensor, kinds: tuple[str, ...], generator: torch.Generator, chance: float = 1.0) -> Tensor:
    """Change each picture at random, each kind with the given chance; gradients flow through.

    Shape: x (B, C, H, W) in [-1, 1] to the same.
    """
    for kind in kinds:
        x = _KINDS[kind](x, generator, chance)
    return x


def _chosen(x: Tensor, generator: torch.Generator, chance: float) -> Tensor:
    return (torch.rand(len(x), 1, 1, 1, generator=generator) < chance).to(x.device)


def _mirror(x: Tensor, generator: torch.Generator, chance: float) -> Tensor:
    return torch.where(_chosen(x, generator, chance * 0.5), x.flip(3), x)


def _shift(x: Tensor, generator: torch.Generator, chance: float) -> Tensor:
    """Move by up to an eighth of the side; what comes in repeats the border."""
    B, _, H, W = x.shape
    far = max(1, H // 8)
    moves = torch.randint(-far, far + 1, (2, B, 1), generator=generator).to(x.device)
    moves = moves * _chosen(x, generator, chance).view(1, B, 1)
    rows = (torch.arange(H, device=x.device) + moves[0]).clamp_(0, H - 1)  # (B, H)
    columns = (torch.arange(W, device=x.device) + moves[1]).clamp_(0, W - 1)  # (B, W)
    # not x[picture, :, rows, columns]: gradients of the border would be added up in whatever order threads come
    moved = x.gather(2, rows[:, None, :, None].expand_as(x))
    return moved.gather(3, columns[:, None, None, :].expand_as(x))


def _cutout(x: Tensor, generator: torch.Generator, chance: float) -> Tensor:
    """Blank a square of half the side (to grey)."""
    B, _, H, W = x.shape
    half = H // 4
    centre = torch.randint(0, H, (2, B, 1), generator=generator).to(x.device)
    near_y = (torch.arange(H, device=x.device) - centre[0]).abs() < half
    near_x = (torch.arange(W, device=x.device) - centre[1]).abs() < half
    hole = (near_y[:, :, None] & near_x[:, None, :]).unsqueeze(1) & _chosen(x, generator, chance)
    return x.masked_fill(hole, 0.0)


def _brightness(x: Tensor, generator: torch.Generator, chance: float) -> Tensor:
    """Lighter or darker by up to a quarter of the range, contrast between 0.75 and 1.25."""
    draws = torch.rand(2, len(x), 1, 1, 1, generator=generator).to(x.device) - 0.5
    draws = draws * _chosen(x, generator, chance)
    mean = x.mean((1, 2, 3), keepdim=True)
    return (x - mean) * (1 + draws[0] / 2) + mean + draws[1]


_KINDS = {"mirror": _mirror, "shift": _shift, "cutout": _cutout, "brightness": _brightness}


def resize(x: Tensor, side: int) -> Tensor:
    """Pictures of any size as squares; smoothed where they shrink."""
    if x.shape[-2:] == (side, side):
        return x
    return F.interpolate(x, (side, side), mode="bilinear", antialias=True)
