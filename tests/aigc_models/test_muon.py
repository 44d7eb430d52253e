"""Muon beside that of torch, which goes matrix by matrix."""

import torch
from torch import nn

from aigc_models.training import seeded
from aigc_models.writing.muon import Muon, orthogonal


def test_steps_are_those_of_torch() -> None:
    shapes = [(12, 8), (8, 24), (12, 8), (6, 6)]
    ours, theirs = ([nn.Parameter(torch.randn(s, generator=seeded(n))) for n, s in enumerate(shapes)] for _ in "ab")
    first = Muon(ours, 0.02, 0.1)
    second = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for step in range(3):
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            one.grad = torch.randn(one.shape, generator=seeded(100 * step + place))
            other.grad = one.grad.clone()
        first.step()
        second.step()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other, atol=2e-3)  # both round to bfloat16 on their way, where the device has it


def test_what_was_kept_goes_on_the_same() -> None:
    whole, parted = ([nn.Parameter(torch.ones(4, 3)), nn.Parameter(torch.ones(3, 3))] for _ in "ab")
    optimiser, before = Muon(whole, 0.1, 0.0), Muon(parted, 0.1, 0.0)

    def go(matrices: list[nn.Parameter], chosen: Muon, step: int) -> None:
        for place, matrix in enumerate(matrices):
            matrix.grad = torch.randn(matrix.shape, generator=seeded(10 * step + place))
        chosen.step()

    for step in range(4):
        go(whole, optimiser, step)
    for step in range(2):
        go(parted, before, step)
    after = Muon(parted, 0.1, 0.0)
    after.load_state_dict(before.state_dict())
    for step in range(2, 4):
        go(parted, after, step)
    assert all(torch.equal(one, other) for one, other in zip(whole, parted, strict=True))


def test_all_directions_are_moved_alike() -> None:
    found = orthogonal(torch.randn(2, 5, 9, generator=seeded(1)), 5).float()
    sizes = torch.linalg.svdvals(found)
    assert float(sizes.min()) > 0.5
    assert float(sizes.max()) < 1.3
