"""Convolutions that enlarge and shrink, and norms that know the class."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UpConv(nn.Module):
    """Nearest-neighbour doubling followed by a 3 x 3 convolution, computed in one step.

    The doubling repeats pixels, so the two together are one transposed convolution with a
    4 x 4 kernel made from sums of the 3 x 3 kernel's weights: the same function with 16
    instead of 36 products per pixel.
    """

    def __init__(self, channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, 3, padding=1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, C, H, W) to (B, out_channels, 2H, 2W)."""
        kernel = upsampling_kernel(self.conv.weight)
        return F.conv_transpose2d(x, kernel, self.conv.bias, stride=2, padding=1)


def upsampling_kernel(weight: Tensor) -> Tensor:
    """The transposed 4 x 4 kernel of "double, then convolve with this 3 x 3 kernel".

    Shape: (O, I, 3, 3) to (I, O, 4, 4).
    """
    padded = F.pad(weight, (1, 1, 1, 1))
    rows = padded[:, :, 1:] + padded[:, :, :-1]
    return (rows[..., 1:] + rows[..., :-1]).transpose(0, 1).flip(2, 3)


class ClassNorm(nn.Module):
    """Batch normalisation whose gain and bias are learnt per class (or once, without classes).

    Source: de Vries et al. 2017. The statistics are kept as running means for sampling, so that
    a picture never depends on the ones generated beside it.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Parameter(torch.ones(max(classes, 1), channels))
        self.bias = nn.Parameter(torch.zeros(max(classes, 1), channels))

    def initialise_own(self, generator: torch.Generator) -> None:
        """Start near the identity; classes differ a little from the start."""
        nn.init.normal_(self.gain, 1.0, 0.02, generator=generator)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """Shape: x (B, C, H, W), labels (B,) or None."""
        x = self.norm(x)
        if labels is None:
            return x * self.gain[0].to(x.dtype)[:, None, None] + self.bias[0].to(x.dtype)[:, None, None]
        gain, bias = self.gain[labels].to(x.dtype), self.bias[labels].to(x.dtype)
        return torch.addcmul(bias[:, :, None, None], x, gain[:, :, None, None])


def down_conv(channels: int, out_channels: int) -> nn.Conv2d:
    """The halving convolution of DCGAN: 4 x 4, stride 2."""
    return nn.Conv2d(channels, out_channels, 4, stride=2, padding=1)
