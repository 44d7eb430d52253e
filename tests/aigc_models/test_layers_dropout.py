"""Dropout from random bytes."""

import pytest
import torch

from aigc_models.layers.dropout import drop


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_share_is_dropped_and_the_mean_stays(share: float) -> None:
    torch.manual_seed(1)
    x = torch.ones(333, 301, requires_grad=True)
    dropped = drop(x, share)
    dropped.sum().backward()
    dropped = dropped.detach()
    assert float((dropped == 0).float().mean()) == pytest.approx(share, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.02)
    by_column = (dropped == 0).float().mean(0)
    assert float(by_column.std()) < 0.05, "no byte of a word is drawn otherwise than the others"
    assert x.grad is not None
    assert torch.equal(x.grad, dropped)


def test_nothing_is_dropped_for_nothing_and_a_seed_repeats() -> None:
    x = torch.rand(5, 7)
    assert drop(x, 0.0) is x
    drawn = []
    for _ in range(2):
        torch.manual_seed(4)
        drawn.append(drop(x.bfloat16(), 0.3))
    assert torch.equal(*drawn)
    assert drawn[0].dtype == torch.bfloat16
