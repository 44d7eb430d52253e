"""What the networks look like, and what they cost, without torch: the form shows it before a job is queued."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """What the networks look like.

    Attributes:
        items: Items of the catalogue.
        hidden_dim: Numbers of the hidden layers.
        latent_dim: Numbers a user is described by.
        composite: Whether the prior is RecVAE's.
    """

    items: int
    hidden_dim: int
    latent_dim: int
    composite: bool

    @property
    def parameters(self) -> int:
        """Trainable numbers, close to what the networks really have."""
        encoder = self.items * self.hidden_dim + 2 * self.hidden_dim * self.latent_dim
        decoder = self.hidden_dim * self.latent_dim + self.items * self.hidden_dim
        return encoder + decoder + self.items + 3 * self.hidden_dim + 3 * self.latent_dim

    @property
    def millions(self) -> float:
        """Millions of multiplications for one user forward."""
        return self.parameters * (1.5 if self.composite else 1) / 1e6
