"""How networks of text take a step: Muon for the matrices of blocks, AdamW for everything else, one learning rate."""

import math
from typing import Any

import torch
from torch import nn

from aigc_models.writing.muon import Muon

_LARGEST_GRADIENT = 1.0
_WARM_UP_SHARE, _LEAST_WARM_UP, _LAST_SHARE = 0.02, 10, 0.05


class Optimiser:
    """Two optimisers that step as one.

    Muon turns the step of each matrix into one that moves all its directions alike (Jordan et al. 2024), scaled so that
    it is as long as AdamW's (Liu et al. 2025, section 2.2); so both go by the same learning rate.

    Args:
        network: What is trained; ``blocks`` in a parameter's name makes its matrices Muon's.
        kind: ``"muon"``, or ``"adamw"`` for that alone.
        learning_rate: Largest step size.
        weight_decay: How strongly matrices are drawn towards zero.
    """

    def __init__(self, network: nn.Module, kind: str, learning_rate: float, weight_decay: float) -> None:
        named = [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
        matrices = [weight for name, weight in named if weight.dim() == 2 and "blocks." in name and kind == "muon"]
        chosen = {id(weight) for weight in matrices}
        others = [weight for _, weight in named if id(weight) not in chosen]
        self._largest = learning_rate
        self._weights = [weight for _, weight in named]
        groups = [
            {"params": [weight for weight in others if weight.dim() > 1], "weight_decay": weight_decay},
            {"params": [weight for weight in others if weight.dim() <= 1], "weight_decay": 0.0},
        ]
        adam = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=learning_rate, betas=(0.9, 0.95), fused=True
        )
        self._parts: list[torch.optim.Optimizer] = [adam]
        if matrices:
            self._parts.append(Muon(matrices, learning_rate, weight_decay))

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The weights it moves, in groups."""
        return [group for part in self._parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients."""
        for part in self._parts:
            part.zero_grad(set_to_none=set_to_none)

    def schedule(self, step: int, total: int) -> None:
        """Set the step size of a step."""
        for part in self._parts:
            for group in part.param_groups:
                group["lr"] = learning_rate(self._largest, step, total)

    def step(self) -> None:
        """Move the weights, by no more than a gradient of length one would."""
        nn.utils.clip_grad_norm_(self._weights, _LARGEST_GRADIENT, foreach=True)
        for part in self._parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """Everything a later step depends on."""
        return {str(place): part.state_dict() for place, part in enumerate(self._parts)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from it."""
        for place, part in enumerate(self._parts):
            part.load_state_dict(state[str(place)])


def learning_rate(largest: float, step: int, total: int) -> float:
    """Up over the first steps, then down along half a cosine (Loshchilov and Hutter 2017)."""
    warm = max(min(_LEAST_WARM_UP, total // 4), round(_WARM_UP_SHARE * total))
    if step <= warm:
        return largest * step / max(warm, 1)
    progress = (step - warm) / max(total - warm, 1)
    return largest * (_LAST_SHARE + (1 - _LAST_SHARE) * 0.5 * (1 + math.cos(math.pi * progress)))
