"""The VAE of pytorch/examples at batch 128: same network, loss, optimiser and loop, pictures loaded one by one."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peers.loading import loader

BATCH = 128


class ExampleVae(nn.Module):
    """784 - 400 - 20 - 400 - 784."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
        self.fc3, self.fc4 = nn.Linear(20, 400), nn.Linear(400, 784)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shape: x (B, 1, 28, 28) to brightness (B, 784), mean and log variance (B, 20)."""
        h = F.relu(self.fc1(x.view(-1, 784)))
        mean, log_variance = self.fc21(h), self.fc22(h)
        std = torch.exp(0.5 * log_variance)
        z = mean + torch.randn_like(std) * std
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mean, log_variance


def negative_elbo(output: tuple[Tensor, Tensor, Tensor], x: Tensor) -> Tensor:
    """Binary cross-entropy of the brightness plus KL divergence, summed over pixels and pictures."""
    brightness, mean, log_variance = output
    cross_entropy = F.binary_cross_entropy(brightness, x.view(-1, 784), reduction="sum")
    kl = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
    return cross_entropy + kl


class ExampleVaeTraining:
    """The example's training loop, one batch at a time."""

    def __init__(self, images: Tensor, seed: int) -> None:
        torch.manual_seed(seed)
        self.vae = ExampleVae()
        self._adam = torch.optim.Adam(self.vae.parameters(), lr=1e-3)
        self._loader = loader(images, 28, BATCH, normalised=False)
        self._batches: Iterator[tuple[Tensor, Tensor]] = iter(())
        self.total = 0.0

    def step(self) -> int:
        """One batch; returns how many pictures it took."""
        x = self._next()
        self._adam.zero_grad()
        loss = negative_elbo(self.vae(x), x)
        loss.backward()
        self.total += loss.item()
        self._adam.step()
        return len(x)

    def _next(self) -> Tensor:
        for x, _ in self._batches:
            if len(x) == BATCH:
                return x
        self._batches = iter(self._loader)
        return next(self._batches)[0]

    @torch.no_grad()
    def test_loss(self, images: Tensor) -> float:
        """Negative ELBO in nats of one picture."""
        x = images.float() / 255
        return float(negative_elbo(self.vae(x), x)) / len(x)
