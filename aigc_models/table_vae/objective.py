"""The loss of a table VAE (Xu et al. 2019, section 4.5)."""

from torch import Tensor

from aigc_models.tables.layout import Layout, cross_entropy

# Deviations below this are not learnt: a number would be certain, and its loss without bound.
LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION = -4.6, 0.0


def reconstruction(
    said: tuple[Tensor, Tensor], log_deviation: Tensor, scalars: Tensor, codes: Tensor, layout: Layout
) -> Tensor:
    """Negative log-likelihood of rows in nats, summed over them, without constants.

    Only the number of the mode that a cell is in counts, and none of a mode without width or a missing cell.

    Shape: numbers of the modes (B, M) and logits (B, D - S), deviations (M,) or, of each row, (B, M), numbers (B, S),
    codes (B, K).
    """
    numbers, logits = said
    places, there = layout.mode_of(codes)
    certain = log_deviation.clamp(LEAST_LOG_DEVIATION, MOST_LOG_DEVIATION)
    certain = certain.expand(len(places), -1).gather(1, places)
    error = (scalars - numbers.gather(1, places).tanh()) / certain.exp()
    return ((0.5 * error.square() + certain) * there).sum() + cross_entropy(logits, codes, layout)


def kl_to_standard(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q || N(0, I)) in nats, summed over rows and latent numbers."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
