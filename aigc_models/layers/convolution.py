"""Convolutions that enlarge and shrink, and norms that know the class."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class UpConv(nn.Module):
    """Nearest-neighbour doubling followed by a 3 x 3 convolution, computed in one step.

    The doubling repeats pixels, so the two together are one transposed convolution with a
    4 x 4 kernel made from sums of the 3 x 3 kernel's weights: the same function with 16
    instead of 36 products per pixel. It has no bias: a norm follows.
    """

    spread: Tensor

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, out_channels, 9))  # rows of 3 x 3
        self.register_buffer("spread", _spread(), persistent=False)
        nn.init.normal_(self.weight, std=0.02)

    def initialise_own(self, generator: torch.Generator) -> None:
        """As convolutions are: He et al. 2015 for leaky ReLU, over the 3 x 3 kernel."""
        deviation = nn.init.calculate_gain("leaky_relu", 0.2) / (9 * self.weight.shape[0]) ** 0.5
        nn.init.normal_(self.weight, std=deviation, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, C, H, W) to (B, out_channels, 2H, 2W)."""
        entering, leaving = self.weight.shape[:2]
        kernel = (self.weight @ self.spread).view(entering, leaving, 4, 4)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1)


def _spread() -> Tensor:
    """Which of the nine weights each of the sixteen products sums, for a kernel used as transposed.

    Shape: (9, 16). A one at (3 y + x, 4 v + u) where weight (y, x) reaches place (v, u).
    """
    ones = torch.zeros(3, 3, 4, 4)
    for y in range(3):
        for x in range(3):
            ones[y, x, 2 - y : 4 - y, 2 - x : 4 - x] = 1
    return ones.view(9, 16)


class Conv(nn.Conv2d):
    """A convolution that adds its bias afterwards.

    On CPUs the bias's gradient inside the convolution's takes as long as the rest of it; as a
    sum of its own it takes a fiftieth.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Shape: as of ``nn.Conv2d``."""
        assert self.bias is not None
        y = self._conv_forward(x, self.weight, None)
        return torch.as_tensor(y + self.bias.to(y.dtype)[:, None, None])


def same_conv(channels: int, out_channels: int) -> Conv:
    """3 x 3, keeping the size."""
    return Conv(channels, out_channels, 3, padding=1)


def down_conv(channels: int, out_channels: int) -> Conv:
    """The halving convolution of DCGAN: 4 x 4, stride 2."""
    return Conv(channels, out_channels, 4, stride=2, padding=1)


class ThinConv(nn.Conv2d):
    """A 3 x 3 convolution to few channels, as one matrix product and a sum of nine shifted maps.

    Ordinary kernels block over output channels and run at a tenth of their speed when there
    are one or three of those.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, C, H, W) to (B, out_channels, H, W) in 32 bits."""
        assert self.bias is not None
        H, W = x.shape[-2:]
        taps = self.weight.flip(2, 3).permute(0, 2, 3, 1).reshape(-1, x.shape[1])  # (9 O, C)
        maps = x.permute(0, 2, 3, 1).reshape(-1, H * W, x.shape[1]) @ taps.T  # (B, H W, 9 O)
        summed = F.fold(maps.mT.float(), (H, W), 3, padding=1)
        return summed + self.bias[:, None, None]


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
        # not gain[labels]: gradients of a class would be added up in whatever order threads come
        gain, bias = (F.embedding(labels, table).to(x.dtype) for table in (self.gain, self.bias))
        return torch.addcmul(bias[:, :, None, None], x, gain[:, :, None, None])
