"""Pictures as a grid of discrete tokens: an autoencoder whose middle is rounded to a few values.

Source: Mentzer et al. 2023 (finite scalar quantisation), which needs no codebook and no
further losses; the straight-through gradient is theirs.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.image_vae.networks import pad
from aigc_models.image_vae.plan import TokenPlan
from aigc_models.layers.convolution import ThinConv, UpConv, down_conv, same_conv

_MARGIN = 1e-3


class Rounding(nn.Module):
    """Bounds each number of a place and rounds it to one of a few values.

    Args:
        steps: How many values each number has.
    """

    reach: Tensor
    offset: Tensor
    places: Tensor
    counts: Tensor

    def __init__(self, steps: tuple[int, ...]) -> None:
        super().__init__()
        counts = torch.tensor(steps).view(1, -1, 1, 1)
        places = [math.prod(steps[:index]) for index in range(len(steps))]
        self.register_buffer("reach", (counts - 1) / 2 * (1 + _MARGIN), persistent=False)
        self.register_buffer("offset", torch.where(counts % 2 == 0, 0.5, 0.0), persistent=False)
        self.register_buffer("places", torch.tensor(places).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("counts", counts, persistent=False)

    def forward(self, z: Tensor) -> Tensor:
        """Rounded values from -1 to 1; the gradient passes as if nothing were rounded.

        Shape: (B, D, h, w) to the same.
        """
        bounded = torch.tanh(z.float() + torch.atanh(self.offset / self.reach)) * self.reach - self.offset
        rounded = bounded + (bounded.round() - bounded).detach()
        return rounded / (self.counts // 2)

    def to_tokens(self, values: Tensor) -> Tensor:
        """Shape: values (B, D, h, w) as :meth:`forward` gives them, to token numbers (B, h * w)."""
        digits = (values * (self.counts // 2) + self.counts // 2).round().long()
        return (digits * self.places).sum(1).flatten(1)

    def from_tokens(self, tokens: Tensor, grid: tuple[int, int]) -> Tensor:
        """Shape: token numbers (B, h * w) to values (B, D, h, w)."""
        digits = tokens.view(-1, 1, *grid) // self.places % self.counts
        return (digits - self.counts // 2) / (self.counts // 2)


class TokenAutoencoder(nn.Module):
    """Convolutions to a small grid, rounding, and convolutions back."""

    def __init__(self, plan: TokenPlan) -> None:
        super().__init__()
        self.plan, self.rounding = plan, Rounding(plan.steps)
        down, up = [plan.channels, *plan.widths], [*reversed(plan.widths), plan.features]
        deepest = plan.widths[-1]
        self.downs = nn.ModuleList(down_conv(a, b) for a, b in itertools.pairwise(down))
        self.down_norms = nn.ModuleList(nn.BatchNorm2d(b) for b in down[1:])
        self.before = nn.Sequential(Residual(deepest), Residual(deepest), nn.BatchNorm2d(deepest))
        self.to_code = nn.Conv2d(deepest, len(plan.steps), 1)
        self.from_code = nn.Conv2d(len(plan.steps), deepest, 3, padding=1)
        self.after = nn.Sequential(Residual(deepest), Residual(deepest), nn.BatchNorm2d(deepest))
        self.ups = nn.ModuleList(UpConv(a, b) for a, b in itertools.pairwise(up))
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(b) for b in up[1:])
        self.out = ThinConv(up[-1], plan.outputs * plan.channels)

    def encode(self, x: Tensor) -> Tensor:
        """Shape: x (B, C, H, W) to rounded values (B, D, h, w)."""
        h = pad(x, 2**self.plan.levels).contiguous(memory_format=torch.channels_last)
        for down, norm in zip(self.downs, self.down_norms, strict=True):
            h = F.leaky_relu(norm(down(h)), 0.2)
        values: Tensor = self.rounding(self.to_code(self.before(h)))
        return values

    def decode(self, values: Tensor) -> Tensor:
        """Shape: values (B, D, h, w) to the likelihood's numbers (B, outputs, C, H, W)."""
        plan = self.plan
        h = F.leaky_relu(self.after(self.from_code(values)), 0.2)
        for up, norm in zip(self.ups, self.up_norms, strict=True):
            h = F.leaky_relu(norm(up(h)), 0.2)
        maps: Tensor = self.out(h).float()[:, :, : plan.height, : plan.width]
        return maps.reshape(-1, plan.outputs, plan.channels, plan.height, plan.width)

    def tokens(self, x: Tensor) -> Tensor:
        """Shape: x (B, C, H, W) to token numbers (B, T)."""
        return self.rounding.to_tokens(self.encode(x))

    def decode_tokens(self, tokens: Tensor) -> Tensor:
        """Shape: token numbers (B, T) to the likelihood's numbers (B, outputs, C, H, W)."""
        return self.decode(self.rounding.from_tokens(tokens, self.plan.grid))


class Residual(nn.Module):
    """A 3 x 3 and a 1 x 1 convolution beside a short cut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.wide, self.norm = same_conv(channels, channels), nn.BatchNorm2d(channels)
        self.mix = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, C, h, w) to the same."""
        out: Tensor = x + self.mix(F.leaky_relu(self.norm(self.wide(F.leaky_relu(x, 0.2))), 0.2))
        return out
