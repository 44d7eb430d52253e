"""Branches with gradients written out beside the same block left to autograd."""

import pytest
import torch
from torch import Tensor

from aigc_models.layers.block_plan import BlockPlan
from aigc_models.layers.rotary import turns
from aigc_models.layers.transformer import Block, causal
from aigc_models.training import seeded

ROWS, LENGTH, WIDTH = 3, 10, 32
HIDDEN = torch.zeros(ROWS, LENGTH).masked_fill(torch.arange(LENGTH) > torch.tensor([[9], [3], [1]]), -torch.inf)
SEEN = {"causal": causal(LENGTH, torch.device("cpu")), "all": None, "padded": HIDDEN[:, None, None]}


def drawn_block() -> Block:
    block, draws = Block(BlockPlan(WIDTH, 4, 4, 64)), seeded(3)
    for weight in block.parameters():
        torch.nn.init.normal_(weight, std=0.3, generator=draws)
    return block


def gradients(block: Block, x: Tensor, seen: Tensor | None) -> list[Tensor]:
    """What comes out, and the gradients of everything that went in."""
    block.zero_grad()
    x = x.clone().requires_grad_()
    out = block(x, turns(torch.arange(LENGTH), WIDTH // 4), seen)
    (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum().backward()
    found = [out.detach(), x.grad, *(weight.grad for weight in block.parameters())]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("seen", SEEN)
def test_written_gradients_are_those_of_autograd(seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    block, x = drawn_block(), torch.randn(ROWS, LENGTH, WIDTH, generator=seeded(4))
    ours = gradients(block, x, SEEN[seen])
    monkeypatch.setattr(Block, "_written_out", lambda _self, _x: False)
    plain = gradients(block, x, SEEN[seen])
    assert len(ours) == 8
    for one, other in zip(ours, plain, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-5 * float(other.abs().max()))


def test_halves_are_as_near_as_autocast_is() -> None:
    block, x = drawn_block(), torch.randn(ROWS, LENGTH, WIDTH, generator=seeded(4))
    exact = gradients(block, x, SEEN["causal"])
    with torch.autocast("cpu", torch.bfloat16):
        rough = gradients(block, x, SEEN["causal"])
    for one, other in zip(rough, exact, strict=True):
        assert one.dtype == other.dtype
        assert float((one - other).norm() / other.norm()) < 0.03
