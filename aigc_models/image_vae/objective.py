"""The evidence lower bound and its parts, in nats for each picture.

The bound is ``E[log p(x|z)] - KL(q(z|x) || p(z))``; training maximises it with the second
term weighted by beta (Higgins et al. 2017).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_HALF_BIN = 1 / 255  # levels are 2/255 apart on the scale from -1 to 1
_LEAST_LOG_SCALE = -7.0
_FIRST_LOG_SCALE = -2.0  # networks start near zero, and pixels vary by less than their whole range


def kl_to_prior(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each latent number, in nats.

    Shape: (B, Z) to (B, Z). Source: Kingma and Welling 2013, appendix B.
    """
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance)


def free_kl(kl: Tensor, free_nats: float) -> Tensor:
    """Sum over latent numbers of their mean KL in the batch, none counted below its free nats.

    Shape: (B, Z) to a scalar. Source: Kingma et al. 2016, equation 15, with groups of one.
    """
    return kl.mean(0).clamp(min=free_nats).sum()


def log_likelihood(x: Tensor, output: Tensor, likelihood: str) -> Tensor:
    """log p(x|z) of each picture in nats.

    Shape: x (B, C, H, W) in [-1, 1], output (B, outputs, C, H, W), to (B,).
    """
    if likelihood == "bernoulli":
        losses = F.binary_cross_entropy_with_logits(output[:, 0], (x + 1) / 2, reduction="none")
        return -losses.flatten(1).sum(1)
    return logistic_log_likelihood(x, output[:, 0], output[:, 1] + _FIRST_LOG_SCALE).flatten(1).sum(1)


def logistic_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log-probability of each pixel's level under a logistic distribution cut into 256 levels.

    The lowest and highest level take the whole tail, so that probabilities sum to one.
    Source: Salimans et al. 2017, equation 2, with one component; written as
    ``sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))``, which never cancels.
    """
    inverse = torch.exp(-log_scale.clamp(min=_LEAST_LOG_SCALE))
    above, below = (x - mean + _HALF_BIN) * inverse, (x - mean - _HALF_BIN) * inverse
    up_to, beyond = F.logsigmoid(above), F.logsigmoid(-below)
    between = up_to + beyond + torch.log(-torch.expm1(-2 * _HALF_BIN * inverse))
    return torch.where(x < -1 + _HALF_BIN, up_to, torch.where(x > 1 - _HALF_BIN, beyond, between))


def picture(output: Tensor, likelihood: str) -> Tensor:
    """The most plausible picture of the decoder's numbers.

    Shape: (B, outputs, C, H, W) to (B, C, H, W) in [-1, 1].
    """
    if likelihood == "bernoulli":
        return torch.sigmoid(output[:, 0]) * 2 - 1
    return output[:, 0].clamp(-1, 1)


def bits_per_dimension(nats: float, dimensions: int) -> float:
    """Bits needed for each pixel value, from the log-likelihood of a picture in nats."""
    return -nats / (dimensions * math.log(2))


def warmed_up(step: int, total: int, share: float) -> float:
    """Weight of the KL term at a step: from near 0 to 1 over the first share of all steps."""
    return min(1.0, step / max(share * total, 1.0))
