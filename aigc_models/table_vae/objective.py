"""The loss of a table VAE (Xu et al. 2019, section 4.5)."""

from torch import Tensor

from aigc_models.tables.layout import Layout, cross_entropy

# Deviations below this are not learnt: a number would be certain, and its loss without bound.
LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION = -4.6, 0.0


def reconstruction(logits: Tensor, log_deviation: Tensor, scalars: Tensor, codes: Tensor, layout: Layout) -> Tensor:
    """Negative log-likelihood of rows in nats, summed over them, without constants.

    Shape: logits (B, D), deviations (S,), numbers (B, S), codes (B, K).
    """
    certain = log_deviation.clamp(LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION)
    error = (scalars - logits[:, : layout.scalars].tanh()) / certain.exp()
    numbers = 0.5 * error.square().sum() + len(scalars) * certain.sum()
    return numbers + cross_entropy(logits[:, layout.scalars :], codes, layout)


def kl_to_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q || N(0, I)) in nats, summed over rows and latent numbers."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
