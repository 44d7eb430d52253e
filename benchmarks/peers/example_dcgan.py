"""The widely used PyTorch DCGAN example at 32 pixels and batch 64: same networks, losses, optimisers and loop.

Mirrors ``implementations/dcgan/dcgan.py`` of PyTorch-GAN by its description: a linear layer to
128 x 8 x 8, two nearest doublings with 3 x 3 convolutions, batch norm with eps 0.8; four strided
convolutions with dropout; a sigmoid and binary cross-entropy; generator first; a line printed
each batch (here: formatted, not shown); pictures loaded one by one.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.peers.loading import loader

SIDE, BATCH, LATENT = 32, 64, 100


class ExampleGenerator(nn.Module):
    """1.05 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT, 128 * 8 * 8)
        self.blocks = nn.Sequential(
            nn.BatchNorm2d(128),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 128, 3, stride=1, padding=1),
            nn.BatchNorm2d(128, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 64, 3, stride=1, padding=1),
            nn.BatchNorm2d(64, 0.8),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(64, 1, 3, stride=1, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        """Shape: z (B, 100) to (B, 1, 32, 32)."""
        return torch.as_tensor(self.blocks(self.first(z).view(len(z), 128, 8, 8)))


class ExampleDiscriminator(nn.Module):
    """98 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for entering, leaving, norm in ((1, 16, False), (16, 32, True), (32, 64, True), (64, 128, True)):
            layers += [nn.Conv2d(entering, leaving, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
            if norm:
                layers.append(nn.BatchNorm2d(leaving, 0.8))
        self.blocks = nn.Sequential(*layers)
        self.last = nn.Sequential(nn.Linear(128 * 2 * 2, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (B, 1, 32, 32) to (B, 1)."""
        h = self.blocks(x)
        return torch.as_tensor(self.last(h.view(len(h), -1)))


class ExampleDcgan:
    """The example's training loop, one batch at a time."""

    def __init__(self, images: Tensor, seed: int) -> None:
        torch.manual_seed(seed)
        np.random.seed(seed)
        self.generator, self.discriminator = ExampleGenerator(), ExampleDiscriminator()
        self.generator.apply(_initialise)
        self.discriminator.apply(_initialise)
        self._adam_g = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._adam_d = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self._loader = loader(images, SIDE, BATCH, normalised=True)
        self._batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        self._cross_entropy = nn.BCELoss()
        self.line = ""

    def step(self) -> int:
        """One batch, as the example does it; returns how many real pictures it took."""
        real = self._next()
        valid, fake = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        self._adam_g.zero_grad()
        z = torch.from_numpy(np.random.normal(0, 1, (len(real), LATENT)).astype(np.float32))
        made = self.generator(z)
        g_loss = self._cross_entropy(self.discriminator(made), valid)
        g_loss.backward()
        self._adam_g.step()
        self._adam_d.zero_grad()
        real_loss = self._cross_entropy(self.discriminator(real), valid)
        fake_loss = self._cross_entropy(self.discriminator(made.detach()), fake)
        d_loss = (real_loss + fake_loss) / 2
        d_loss.backward()
        self._adam_d.step()
        self.line = f"[D loss: {d_loss.item():f}] [G loss: {g_loss.item():f}]"
        return len(real)

    def _next(self) -> Tensor:
        for real, _ in self._batches:
            if len(real) == BATCH:  # only whole batches, so that both sides do equal work
                return real
        self._batches = iter(self._loader)
        return next(self._batches)[0]

    @torch.no_grad()
    def draw(self, count: int) -> Tensor:
        """Shape: (count, 1, 32, 32) in [-1, 1]."""
        self.generator.eval()
        drawn = [self.generator(torch.randn(250, LATENT)) for _ in range(-(-count // 250))]
        self.generator.train()
        return torch.cat(drawn)[:count]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
