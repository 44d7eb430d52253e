"""What the two networks minimise. Scores are higher for "real"; each function returns a mean over the batch.

``real`` and ``fake`` are the discriminator's scores (B,) of as many real and generated pictures.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Critic = Callable[[Tensor], Tensor]


class Loss(NamedTuple):
    """One adversarial loss: what each side minimises, given the scores of real and generated pictures."""

    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]


def _relativistic_d(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(fake - real).mean()


def _relativistic_g(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(real - fake).mean()


def _non_saturating_d(real: Tensor, fake: Tensor) -> Tensor:
    return (F.softplus(-real) + F.softplus(fake)).mean()


def _non_saturating_g(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-fake).mean() + 0 * real.sum()


def _hinge_d(real: Tensor, fake: Tensor) -> Tensor:
    return (F.relu(1 - real) + F.relu(1 + fake)).mean()


def _minus_fake(real: Tensor, fake: Tensor) -> Tensor:
    return -fake.mean() + 0 * real.sum()


def _wasserstein_d(real: Tensor, fake: Tensor) -> Tensor:
    return (fake - real).mean()


# relativistic: each real picture beside a generated one (Jolicoeur-Martineau 2018; R3GAN, Huang et al. 2024).
# non_saturating: Goodfellow et al. 2014, section 3. hinge: Lim and Ye 2017. wgan_gp: Gulrajani et al. 2017.
LOSSES = {
    "relativistic": Loss(_relativistic_d, _relativistic_g),
    "non_saturating": Loss(_non_saturating_d, _non_saturating_g),
    "hinge": Loss(_hinge_d, _minus_fake),
    "wgan_gp": Loss(_wasserstein_d, _minus_fake),
}


def squared_gradient(critic: Critic, x: Tensor) -> Tensor:
    """Mean squared length of the score's gradient at x: R1 at real pictures, R2 at generated ones.

    Shape: x (B, C, H, W) to (). Source: Mescheder et al. 2018, equation 9 (without the half).
    """
    return _gradient(critic, x).square().sum((1, 2, 3)).mean()


def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """How far the gradient's length is from one, between real and generated pictures.

    Shape: mix (B, 1, 1, 1) in [0, 1]. Source: Gulrajani et al. 2017, equation 3.
    """
    between = torch.lerp(fake, real, mix)
    length = _gradient(critic, between).square().sum((1, 2, 3)).add(1e-12).sqrt()
    return (length - 1).square().mean()


def _gradient(critic: Critic, x: Tensor) -> Tensor:
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.float()
