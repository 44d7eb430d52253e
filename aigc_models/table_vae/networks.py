"""Encoder and decoder of a row, after Xu et al. 2019, section 4.5."""

import torch
from torch import Tensor, nn

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
    """From latent numbers to logits of a row, with a learnt deviation for each number."""

    def __init__(self, latent_dim: int, width: int, layout: Layout) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(latent_dim, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, width),
            nn.ReLU(inplace=True),
            nn.Linear(width, layout.dim),
        )
        self.layout = layout
        self.log_deviation = nn.Parameter(torch.full((layout.scalars,), -2.3))  # 0.1, as in the paper

    def initialise_own(self, generator: torch.Generator) -> None:
        """Start at the paper's deviation."""
        nn.init.constant_(self.log_deviation, -2.3)

    def forward(self, z: Tensor) -> Tensor:
        """Shape: (B, Z) to (B, D)."""
        logits: Tensor = self.body(z)
        return logits


class RowVae(nn.Module):
    """Both."""

    def __init__(self, layout: Layout, width: int, latent_dim: int) -> None:
        super().__init__()
        self.layout, self.latent_dim = layout, latent_dim
        self.encoder = RowEncoder(layout.dim, width, latent_dim)
        self.decoder = RowDecoder(latent_dim, width, layout)
