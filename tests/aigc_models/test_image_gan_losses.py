import math

import pytest
import torch
from torch import Tensor

from aigc_models.image_gan.losses import LOSSES, gradient_penalty, squared_gradient

REAL, FAKE = torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 1.0])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


@pytest.mark.parametrize(
    ("name", "discriminator", "generator"),
    [
        ("relativistic", (softplus(-3) + softplus(1)) / 2, (softplus(3) + softplus(-1)) / 2),
        (
            "non_saturating",
            (softplus(-2) + softplus(-1) + softplus(0) + softplus(1)) / 2,
            (softplus(1) + softplus(-1)) / 2,
        ),
        ("hinge", (0 + 0 + 1 + 2) / 2, 0.0),
        ("wgan_gp", -1.0, 0.0),
    ],
)
def test_losses_by_hand(name: str, discriminator: float, generator: float) -> None:
    loss = LOSSES[name]
    assert loss.discriminator(REAL, FAKE).item() == pytest.approx(discriminator, rel=1e-5)
    assert loss.generator(REAL, FAKE).item() == pytest.approx(generator, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize("name", LOSSES)
def test_each_side_wants_the_opposite(name: str) -> None:
    fake = torch.zeros(4, requires_grad=True)
    (for_d,) = torch.autograd.grad(LOSSES[name].discriminator(torch.zeros(4), fake), fake)
    (for_g,) = torch.autograd.grad(LOSSES[name].generator(torch.zeros(4), fake), fake)
    assert (for_d > 0).all()  # the discriminator lowers the scores of generated pictures
    assert (for_g < 0).all()  # the generator raises them


def critic(x: Tensor) -> Tensor:
    weight = torch.linspace(-1, 1, x[0].numel(), dtype=x.dtype)
    return torch.tanh(x.flatten(1) @ weight) + x.flatten(1).square().sum(1) / 3


def slope(x: Tensor, step: float = 1e-6) -> Tensor:
    """The gradient's length at one picture, by finite differences."""
    flat = x.flatten()
    parts = []
    for index in range(len(flat)):
        there, back = flat.clone(), flat.clone()
        there[index] += step
        back[index] -= step
        parts.append((critic(there.view_as(x)) - critic(back.view_as(x))) / (2 * step))
    return torch.cat(parts).square().sum().sqrt()


def test_r1_equals_finite_differences() -> None:
    x = torch.randn(3, 1, 2, 2, dtype=torch.float64)
    expected = sum(float(slope(x[i : i + 1])) ** 2 for i in range(3)) / 3
    assert squared_gradient(critic, x).item() == pytest.approx(expected, rel=1e-5)


def test_wgan_penalty_equals_finite_differences() -> None:
    real, fake = torch.randn(2, 2, 1, 2, 2, dtype=torch.float64)
    mix = torch.tensor([0.25, 0.75], dtype=torch.float64).view(2, 1, 1, 1)
    between = mix * real + (1 - mix) * fake
    expected = sum((float(slope(between[i : i + 1])) - 1) ** 2 for i in range(2)) / 2
    assert gradient_penalty(critic, real, fake, mix).item() == pytest.approx(expected, rel=1e-5)


def test_the_penalty_itself_can_be_descended() -> None:
    weight = torch.tensor([2.0], requires_grad=True)
    penalty = squared_gradient(lambda x: x.flatten(1).sum(1) * weight, torch.zeros(1, 1, 2, 2))
    (gradient,) = torch.autograd.grad(penalty, weight)
    assert penalty.item() == pytest.approx(4 * 4.0)  # four pixels, slope 2 each
    assert gradient.item() == pytest.approx(4 * 2 * 2.0)
