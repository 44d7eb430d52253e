"""Encoders and decoders of the image VAE: convolutional, or one hidden layer.

B batch, C channels, Z latent. Pictures are in [-1, 1]; sides may be odd and differ.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.image_vae.plan import Plan
from aigc_models.layers.convolution import ThinConv, UpConv, down_conv, same_conv


class Vae(nn.Module):
    """An encoder to the mean and log-variance of the latent numbers, and a decoder back."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        conv = plan.backbone == "conv"
        self.encoder: nn.Module = ConvEncoder(plan) if conv else MlpEncoder(plan)
        self.decoder: nn.Module = ConvDecoder(plan) if conv else MlpDecoder(plan)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: x (B, C, H, W) to mean and log-variance, each (B, Z)."""
        mean, log_variance = self.encoder(x).float().chunk(2, 1)
        return mean, log_variance.clamp(-12, 6)

    def decode(self, z: Tensor) -> Tensor:
        """Shape: z (B, Z) to the likelihood's numbers (B, outputs, C, H, W)."""
        plan = self.plan
        maps: Tensor = self.decoder(z).float()
        return maps.view(-1, plan.outputs, plan.channels, plan.height, plan.width)


class ConvEncoder(nn.Module):
    """Strided convolutions down to a small map, then two linear layers."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        widths = [plan.channels, *plan.widths]
        self.downs = nn.ModuleList(down_conv(a, b) for a, b in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in widths[1:])
        self.last = same_conv(widths[-1], widths[-1])
        self.hidden = nn.Linear(widths[-1] * math.prod(plan.base), plan.hidden)
        self.out = Small(plan.hidden, 2 * plan.latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (B, C, H, W) to (B, 2 Z)."""
        h = pad(x, 2**self.plan.levels).contiguous(memory_format=torch.channels_last)
        for down, norm in zip(self.downs, self.norms, strict=True):
            h = F.leaky_relu(norm(down(h)), 0.2)
        h = F.leaky_relu(h + self.last(h), 0.2)
        out: Tensor = self.out(F.leaky_relu(self.hidden(h.flatten(1)), 0.2))
        return out


class ConvDecoder(nn.Module):
    """Two linear layers to a small map, which is doubled and convolved until it is a picture."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        widths = [*reversed(plan.widths), plan.features]
        self.hidden = nn.Linear(plan.latent_dim, plan.hidden)
        self.first = nn.Linear(plan.hidden, widths[0] * math.prod(plan.base))
        self.start = same_conv(widths[0], widths[0])
        self.ups = nn.ModuleList(UpConv(a, b) for a, b in itertools.pairwise(widths))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) for b in widths[1:])
        self.out = ThinConv(widths[-1], plan.outputs * plan.channels)

    def forward(self, z: Tensor) -> Tensor:
        """Shape: z (B, Z) to (B, outputs * C, H, W)."""
        h = F.leaky_relu(self.first(F.leaky_relu(self.hidden(z), 0.2)), 0.2)
        h = h.view(len(z), -1, *self.plan.base).contiguous(memory_format=torch.channels_last)
        h = F.leaky_relu(h + self.start(h), 0.2)
        for up, norm in zip(self.ups, self.norms, strict=True):
            h = F.leaky_relu(norm(up(h)), 0.2)
        out: Tensor = self.out(h)
        return out[:, :, : self.plan.height, : self.plan.width].contiguous()


class MlpEncoder(nn.Module):
    """One hidden layer, as in Kingma and Welling 2013."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.hidden = nn.Linear(plan.dimensions, plan.hidden)
        self.out = Small(plan.hidden, 2 * plan.latent_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (B, C, H, W) to (B, 2 Z)."""
        out: Tensor = self.out(F.relu(self.hidden(x.flatten(1))))
        return out


class MlpDecoder(nn.Module):
    """One hidden layer."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.hidden = nn.Linear(plan.latent_dim, plan.hidden)
        self.out = Small(plan.hidden, plan.outputs * plan.dimensions)

    def forward(self, z: Tensor) -> Tensor:
        """Shape: z (B, Z) to (B, outputs * C * H * W)."""
        out: Tensor = self.out(F.relu(self.hidden(z)))
        return out


class Small(nn.Linear):
    """A linear layer that starts near zero, so that posteriors start at the prior and pixels at grey."""

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw small weights."""
        nn.init.normal_(self.weight, std=0.3 * self.in_features**-0.5, generator=generator)
        nn.init.zeros_(self.bias)


def pad(x: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides are multiples."""
    below, right = -x.shape[2] % multiple, -x.shape[3] % multiple
    return F.pad(x, (0, right, 0, below), mode="replicate") if below or right else x
