"""Layers of rectified linear units one after the other, with their gradients written out.

On small batches the bookkeeping between small matrix products takes longer than the products: a node of the graph for
each cast, transposition, product and rectifier. Here a whole stack is one node, and weights are cast once a step.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def perceptron(x: Tensor, layers: Sequence[nn.Linear]) -> Tensor:
    """Linear layers with ReLU between them, in the numbers that autocast asks for. Shape: (B, in) to (B, out)."""
    kind = x.device.type
    dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32
    weights = [part for layer in layers for part in (layer.weight, layer.bias)]
    y: Tensor = _Perceptron.apply(x, dtype, *weights)  # type: ignore[no-untyped-call]
    return y


class _Perceptron(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: torch.dtype, *given: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            cast = [each.to(dtype) for each in given]
            weights, biases = cast[::2], cast[1::2]
            hidden = [x.to(dtype)]
            for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
                hidden.append(torch.addmm(bias, hidden[-1], weight.T).relu_())
            ctx.save_for_backward(*hidden, *weights)
            return torch.addmm(biases[-1], hidden[-1], weights[-1].T).float()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        count = len(ctx.saved_tensors) // 2
        hidden, weights = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        gradient, found = upstream[0].to(weights[0].dtype), list[Tensor | None]()
        for place in reversed(range(count)):
            found = [(gradient.T @ hidden[place]).float(), gradient.sum(0, dtype=torch.float32), *found]
            if place:
                onward = gradient @ weights[place]
                gradient = torch.ops.aten.threshold_backward(onward, hidden[place], 0)
        onward = (gradient @ weights[0]).float() if ctx.needs_input_grad[0] else None
        return onward, None, *found
