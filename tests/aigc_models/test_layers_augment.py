import pytest
import torch

from aigc_models.layers.augment import KINDS, augment, resize


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_keeps_the_shape_and_lets_gradients_through(kind: str) -> None:
    x = (torch.rand(16, 3, 16, 16) * 2 - 1).requires_grad_()
    out = augment(x, (kind,), generator())
    assert out.shape == x.shape
    assert not torch.equal(out, x)
    (gradient,) = torch.autograd.grad(out.square().sum(), x)
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_no_chance_changes_nothing(kind: str) -> None:
    x = torch.rand(4, 1, 8, 8) * 2 - 1
    assert torch.allclose(augment(x, (kind,), generator(), chance=0.0), x, atol=1e-6)


def test_the_same_draws_give_the_same_changes() -> None:
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(augment(x, KINDS, generator()), augment(x, KINDS, generator()))


def test_shift_moves_whole_pictures() -> None:
    x = torch.arange(16.0).repeat(64, 1, 16, 1)
    moved = augment(x, ("shift",), generator())
    assert torch.equal(moved[:, :, :1], moved[:, :, 5:6])
    assert set((moved[:, 0, 0, 8] - 8).tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}


def test_resize_makes_squares() -> None:
    assert resize(torch.zeros(1, 3, 20, 30), 16).shape == (1, 3, 16, 16)
    x = torch.zeros(1, 1, 8, 8)
    assert resize(x, 8) is x
