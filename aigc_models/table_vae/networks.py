"""Encoder and decoder of a row, after Xu et al. 2019, section 4.5."""

import torch
from torch import Tensor, nn

from aigc_models.table_vae.prior import LatentMixture
from aigc_models.tables.layout import Layout


class RowEncoder(nn.Module):
    """From an encoded row to mean and log-variance of its latent numbers. Shape: (B, D) to twice (B, Z)."""

    def __init__(self, dim: int, width: int, latent_dim: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(dim, width), nn.ReLU(inplace=True), nn.Linear(width, width), nn.ReLU(inplace=True)
        )
        self.head = nn.Linear(width, 2 * latent_dim)

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: (B, D) to twice (B, Z)."""
        mean, log_variance = self.head(self.body(rows)).chunk(2, 1)
        return mean, log_variance


class RowDecoder(nn.Module):
    """From latent numbers to what a row may say: logits of the segments, and a number for each mode it could be in.

    In the paper a column has one number whatever the mode. Modes overlap, and the same value stands for different
    numbers in two of them, so a mode and a number drawn each by itself would seldom belong together.
    """

    def __init__(self, latent_dim: int, width: int, layout: Layout) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(latent_dim, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, layout.numbers + layout.dim - layout.scalars),
        )
        self.layout = layout
        self.log_deviation = nn.Parameter(torch.full((layout.numbers,), -2.3))  # 0.1, as in the paper

    def initialise_own(self, generator: torch.Generator) -> None:
        """Start at the paper's deviation."""
        nn.init.constant_(self.log_deviation, -2.3)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Shape: (B, Z) to numbers of the modes (B, M), before tanh, and logits of the segments (B, D - S)."""
        said: Tensor = self.body(z).float()
        numbers, logits = said.split([self.layout.numbers, said.shape[1] - self.layout.numbers], 1)
        return numbers, logits

    def columns(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """The same to draw from, the other way round: what is drawn goes over all rows at once.

        Shape: (B, Z) to numbers of the modes (M, B), before tanh, and logits of the segments (D - S, B).
        """
        hidden, last = self.body[:-1](z), self.body[-1]
        assert isinstance(last, nn.Linear)
        said = torch.addmm(last.bias[:, None], last.weight, hidden.T).float()
        return said[: self.layout.numbers], said[self.layout.numbers :]


class RowVae(nn.Module):
    """Both, and once they are trained the mixture that latent numbers are drawn from; without one it is N(0, I)."""

    def __init__(self, layout: Layout, width: int, latent_dim: int, components: int = 0) -> None:
        super().__init__()
        self.layout, self.latent_dim = layout, latent_dim
        self.encoder = RowEncoder(layout.dim, width, latent_dim)
        self.decoder = RowDecoder(latent_dim, width, layout)
        self.mixture = LatentMixture(components, latent_dim) if components else None

    def draw(self, count: int, noise: torch.Generator) -> Tensor:
        """Latent numbers of so many new rows, (N, Z)."""
        if self.mixture is not None:
            return self.mixture.draw(count, noise)
        return torch.randn(count, self.latent_dim, generator=noise).to(self.decoder.log_deviation.device)
