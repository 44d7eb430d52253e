"""The networks of Mult-VAE: from the items a user has to a few numbers, and back to scores of all items.

B users, I items, H hidden numbers, Z latent numbers.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.layers.dropout import scaled
from aigc_models.mult_vae.plan import Plan


class MultVae(nn.Module):
    """Encoder and decoder with one hidden layer each.

    Source: Liang et al. 2018, section 3.1 and figure 2: users' items are normalised to length one, some of them left
    out in training; tanh between layers.
    """

    def __init__(self, plan: Plan, dropout: float = 0.0) -> None:
        super().__init__()
        self.plan, self.dropout = plan, dropout
        self.read = nn.Linear(plan.items, plan.hidden_dim)
        self.posterior = nn.Linear(plan.hidden_dim, 2 * plan.latent_dim)
        self.widen = nn.Linear(plan.latent_dim, plan.hidden_dim)
        self.write = nn.Linear(plan.hidden_dim, plan.items)

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw all matrices after Glorot and Bengio 2010, as the paper does; the biases stay zero."""
        for layer in (self.read, self.posterior, self.widen, self.write):
            nn.init.xavier_normal_(layer.weight, generator=generator)

    def encode(self, held: Tensor, kept: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the latent numbers: (B, I) to twice (B, Z).

        Args:
            held: Which items each user has.
            kept: Those that training does not leave out, bool (B, I); None leaves out none.
        """
        x = F.normalize(held)
        x = x if kept is None else scaled(x, kept, self.dropout)
        mean, log_variance = self.posterior(torch.tanh(self.read(x))).float().chunk(2, 1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Logits of all items: (B, Z) to (B, I)."""
        return torch.as_tensor(self.write(torch.tanh(self.widen(z))))


def log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log-density of independent normal numbers, but for the constant, (..., Z)."""
    return -0.5 * (log_variance + (z - mean).square() / log_variance.exp())


def kl_to_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, I)) in nats, (B,).

    Source: Kingma and Welling 2013, appendix B.
    """
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(1)


def composite_kl(z: Tensor, now: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor]) -> Tensor:
    """log q(z|x) - log p(z) of one draw, where the prior mixes three: standard, the posterior of before, a wide one.

    Source: Shenbin et al. 2020 (RecVAE), section 3.2: weights 3/20, 3/4, 1/10, and log-variance 10 of the wide one.

    Shape: z (B, Z), both posteriors as means and log-variances (B, Z), to (B,).
    """
    zeros = torch.zeros_like(z)
    mixed = torch.stack(
        [
            log_normal(z, zeros, zeros).sum(1) + _LOG_WEIGHTS[0],
            log_normal(z, *before).sum(1) + _LOG_WEIGHTS[1],
            log_normal(z, zeros, zeros + 10.0).sum(1) + _LOG_WEIGHTS[2],
        ]
    )
    return log_normal(z, *now).sum(1) - torch.logsumexp(mixed, 0)


_LOG_WEIGHTS = [float(value) for value in torch.tensor([0.15, 0.75, 0.10], dtype=torch.float64).log()]
