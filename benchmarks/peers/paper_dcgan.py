"""A plain DCGAN: the networks, initialisation and settings of Radford et al. 2015, scaled to 28 pixels.

As in the paper: transposed convolutions and batch norm with ReLU in the generator, strided
convolutions and batch norm with leaky ReLU 0.2 in the discriminator, none at the generator's
output and the discriminator's input, weights from N(0, 0.02), Adam at 0.0002 with momentum
0.5, batches of 128, binary cross-entropy. Two doublings in place of four.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BATCH, LATENT = 128, 100


class PaperDcgan:
    """Both networks and their next step."""

    def __init__(self, images: Tensor, seed: int) -> None:
        torch.manual_seed(seed)
        self._data = images.float().div(127.5).sub(1)
        self.generator = nn.Sequential(
            nn.ConvTranspose2d(LATENT, 128, 7, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.ConvTranspose2d(64, images.shape[1], 4, 2, 1),
            nn.Tanh(),
        )
        self.discriminator = nn.Sequential(
            nn.Conv2d(images.shape[1], 64, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 4, 2, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(128 * 49, 1),
        )
        for network in (self.generator, self.discriminator):
            network.apply(_initialise)
        self._adams = [
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        ]
        self._order = torch.empty(0, dtype=torch.int64)

    def step(self) -> int:
        """One step of both networks; returns how many real pictures it took."""
        if len(self._order) < BATCH:
            self._order = torch.randperm(len(self._data))
        rows, self._order = self._order[:BATCH], self._order[BATCH:]
        real, (adam_g, adam_d) = self._data[rows], self._adams
        fake = self.generator(torch.randn(len(real), LATENT, 1, 1))
        adam_d.zero_grad()
        loss = _cross_entropy(self.discriminator(real), 1.0)
        loss = loss + _cross_entropy(self.discriminator(fake.detach()), 0.0)
        loss.backward()
        adam_d.step()
        adam_g.zero_grad()
        _cross_entropy(self.discriminator(fake), 1.0).backward()
        adam_g.step()
        return len(real)

    @torch.no_grad()
    def draw(self, count: int) -> Tensor:
        """Shape: (count, C, 28, 28) in [-1, 1]."""
        self.generator.eval()
        drawn = [self.generator(torch.randn(250, LATENT, 1, 1)) for _ in range(-(-count // 250))]
        self.generator.train()
        return torch.cat(drawn)[:count]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def _cross_entropy(scores: Tensor, target: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, target))
