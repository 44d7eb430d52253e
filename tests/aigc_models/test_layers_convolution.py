import torch
import torch.nn.functional as F

from aigc_models.layers.convolution import ClassNorm, ThinConv, UpConv, down_conv, same_conv


def plainly(layer: UpConv, x: torch.Tensor) -> torch.Tensor:
    weight = layer.weight.unflatten(2, (3, 3)).transpose(0, 1)
    return F.conv2d(F.interpolate(x, scale_factor=2.0), weight, padding=1)


def test_up_conv_equals_doubling_then_convolving() -> None:
    layer, x = UpConv(3, 5), torch.randn(2, 3, 7, 6)
    assert torch.allclose(layer(x), plainly(layer, x), atol=1e-5)


def test_up_conv_has_the_same_gradients() -> None:
    layer, x = UpConv(2, 2), torch.randn(1, 2, 4, 4)
    (mine,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    (theirs,) = torch.autograd.grad(plainly(layer, x).square().sum(), layer.weight)
    assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-4)


def test_up_conv_starts_as_convolutions_do() -> None:
    layer = UpConv(64, 64)
    layer.initialise_own(torch.Generator().manual_seed(0))
    assert abs(layer.weight.std().item() - (2 / 1.04 / (64 * 9)) ** 0.5) < 1e-3


def test_conv_adds_its_bias() -> None:
    layer, x = same_conv(2, 3), torch.randn(2, 2, 5, 5)
    assert layer.bias is not None
    torch.nn.init.normal_(layer.bias)
    assert torch.allclose(layer(x), F.conv2d(x, layer.weight, layer.bias, padding=1), atol=1e-6)


def test_thin_conv_equals_an_ordinary_one() -> None:
    layer, x = ThinConv(8, 3), torch.randn(2, 8, 6, 7)
    expected = F.conv2d(x, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(x), expected, atol=1e-5)
    (mine,) = torch.autograd.grad(layer(x).square().sum(), layer.weight)
    (theirs,) = torch.autograd.grad(F.conv2d(x, layer.weight, layer.bias, padding=1).square().sum(), layer.weight)
    assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-3)


def test_down_conv_halves() -> None:
    assert down_conv(2, 4)(torch.zeros(1, 2, 14, 14)).shape == (1, 4, 7, 7)


def test_class_norm_gives_each_class_its_own_gain_and_bias() -> None:
    norm, x = ClassNorm(2, 3), torch.randn(8, 2, 4, 4)
    with torch.no_grad():
        norm.gain[1], norm.bias[1] = 2.0, 5.0
    out = norm(x, torch.ones(8, dtype=torch.int64))
    assert torch.allclose(out.mean((0, 2, 3)), torch.full((2,), 5.0), atol=1e-5)
    assert torch.allclose(out.std((0, 2, 3), correction=0), torch.full((2,), 2.0), atol=1e-3)
    assert torch.allclose(ClassNorm(2, 0)(x, None).mean((0, 2, 3)), torch.zeros(2), atol=1e-5)
