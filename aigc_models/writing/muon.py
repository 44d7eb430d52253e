"""Muon for many small matrices: those of one shape are orthogonalised together.

In networks of a few million numbers ``torch.optim.Muon`` takes half of a step, one matrix after the other. The steps
are the same.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from aigc_models import training

_MOMENTUM, _ROUNDS = 0.95, 5
_FIRST, _THIRD, _FIFTH = 3.4445, -4.7750, 2.0315  # of the quintic (Jordan et al. 2024)


class Muon(torch.optim.Optimizer):
    """Momentum whose steps move all directions of a matrix alike, as long as AdamW's (Liu et al. 2025, section 2.2).

    Args:
        matrices: What it moves.
        learning_rate: Step size, as AdamW's.
        weight_decay: How strongly matrices are drawn towards zero.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], learning_rate: float, weight_decay: float) -> None:
        super().__init__(list(matrices), {"lr": learning_rate, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move the matrices that have a gradient."""
        for group in self.param_groups:
            moved = [matrix for matrix in group["params"] if matrix.grad is not None]
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for matrix in moved:
                by_shape.setdefault(matrix.shape, []).append(matrix)
            if moved and group["weight_decay"]:
                torch._foreach_mul_(moved, 1 - group["lr"] * group["weight_decay"])
            for shape, matrices in by_shape.items():
                step = orthogonal(self._follow(matrices), _ROUNDS)
                length = 0.2 * max(shape) ** 0.5 * group["lr"]
                torch._foreach_add_(list[Tensor](matrices), list(step.to(matrices[0].dtype).unbind()), alpha=-length)

    def _follow(self, matrices: list[nn.Parameter]) -> Tensor:
        """Nesterov's momentum of matrices of one shape, (N, rows, columns)."""
        gradients = [matrix.grad for matrix in matrices if matrix.grad is not None]
        kept = [self.state[matrix].setdefault("momentum", torch.zeros_like(matrix)) for matrix in matrices]
        torch._foreach_lerp_(kept, gradients, 1 - _MOMENTUM)
        return torch.stack(torch._foreach_lerp(gradients, kept, _MOMENTUM))


def orthogonal(matrices: Tensor, rounds: int) -> Tensor:
    """About the nearest matrices whose rows or columns are orthogonal, (N, rows, columns), by Newton-Schulz rounds."""
    exact = training.choose_precision(matrices.device.type).name == "float32"
    x = matrices if exact else matrices.bfloat16()
    upright = x.shape[1] > x.shape[2]
    x = x.mT if upright else x
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp(min=1e-7)
    for _ in range(rounds):
        squared = torch.bmm(x, x.mT)
        change = torch.baddbmm(squared, squared, squared, beta=_THIRD, alpha=_FIFTH)
        x = torch.baddbmm(x, change, x, beta=_FIRST)
    return x.mT if upright else x
