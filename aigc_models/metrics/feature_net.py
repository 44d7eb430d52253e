"""The small network in whose features pictures are compared, and its weights.

Trained by ``python -m aigc_models.metrics.train_feature_net`` on the Fashion-MNIST starter
set to tell classes and rotations apart. It sees grey 28 px pictures; other sizes are
resized, each colour channel is looked at by itself.
"""

import hashlib
from functools import cache
from importlib.resources import files

import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

SIDE = 28
WIDTH = 96
WEIGHTS_FILE = "feature_net.safetensors"
WEIGHTS_SHA256 = "9b31024b3ff0e8600cde09f5c6ab51a133366ca634832d262cb6fcdad36f5867"
_BATCH = 250


class FeatureNet(nn.Module):
    """Three convolutions and a linear layer; the pooled middle and the linear output are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 24, 3, padding=1)
        self.conv2 = nn.Conv2d(24, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.norm1, self.norm2, self.norm3 = nn.BatchNorm2d(24), nn.BatchNorm2d(32), nn.BatchNorm2d(64)
        self.linear = nn.Linear(64 * 7 * 7, 64)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (B, 1, 28, 28) in [-1, 1] to features (B, 96)."""
        x = F.max_pool2d(F.relu(self.norm1(self.conv1(x))), 2)  # (B, 24, 14, 14)
        middle = F.relu(self.norm2(self.conv2(x)))
        last = F.relu(self.norm3(self.conv3(F.max_pool2d(middle, 2))))  # (B, 64, 7, 7)
        return torch.cat([middle.mean((2, 3)), self.linear(last.flatten(1))], 1)


@cache
def feature_net() -> FeatureNet:
    """The shipped network, ready to use.

    Raises:
        ValueError: The weights are not the ones the figures were made with.
    """
    content = (files("aigc_models.metrics") / WEIGHTS_FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise ValueError(f"{WEIGHTS_FILE} is not the file that this version's figures were made with")
    net = FeatureNet()
    net.load_state_dict(load(content))
    return net.eval().requires_grad_(False)


@torch.inference_mode()
def features(images: Tensor) -> Tensor:
    """What the network sees in pictures.

    Shape: images (N, C, H, W), bytes or floats in [-1, 1], to (N, C * 96) in 64 bits.
    """
    net, channels = feature_net(), images.shape[1]
    found = []
    for part in images.split(_BATCH):
        pixels = part.float().div(127.5).sub(1) if part.dtype == torch.uint8 else part.float()
        if pixels.shape[-2:] != (SIDE, SIDE):
            pixels = F.interpolate(pixels, (SIDE, SIDE), mode="bilinear", antialias=True)
        grey = pixels.reshape(-1, 1, SIDE, SIDE)
        found.append(net(grey).reshape(len(part), channels * WIDTH))
    return torch.cat(found).double()
