"""Generator and critic after Xu et al. 2019, section 4.4."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_SLOPE = 0.2


class Residual(nn.Module):
    """A layer whose output stands before its input. Shape: (B, in) to (B, out + in)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear, self.norm = nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, in) to (B, out + in)."""
        made = self.norm(self.linear(x)).relu_()
        return torch.cat([made, x.to(made.dtype)], 1)


class Generator(nn.Module):
    """From noise and a wish to logits of a row. Shape: (B, Z + C) to (B, D)."""

    def __init__(self, latent_dim: int, wishes: int, width: int, dim: int) -> None:
        super().__init__()
        inputs, self.wishes = latent_dim + wishes, wishes
        self.body = nn.Sequential(Residual(inputs, width), Residual(inputs + width, width))
        self.head = nn.Linear(inputs + 2 * width, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, Z + C) to (B, D)."""
        logits: Tensor = self.head(self.body(x))
        return logits

    def columns(self, noise: Tensor, value: Tensor | None) -> Tensor:
        """The same to draw from: a wish is the number of its value, and what it adds to a layer is looked up.

        Shape: (B, Z) and (B,), or None where nothing can be wished for, to logits (D, B).
        """
        known = noise.to(self._dtype(noise))
        for layer in self.body:
            assert isinstance(layer, Residual)
            weight, added = self._halves(layer.linear, value)
            y = torch.nn.functional.linear(known, weight) + added
            known = torch.cat([layer.norm(y).relu_().to(known.dtype), known], 1)
        weight, added = self._halves(self.head, value)
        return (weight @ known.T).float() + added.T

    def _dtype(self, x: Tensor) -> torch.dtype:
        kind = x.device.type
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype

    def _halves(self, linear: nn.Linear, value: Tensor | None) -> tuple[Tensor, Tensor]:
        """The weights of what is no wish, (out, in), and what bias and wishes add, (B, out) or (1, out)."""
        if value is None:
            return linear.weight, linear.bias[None]
        end = linear.in_features - self.wishes
        return linear.weight[:, :end], (linear.weight[:, end:].T + linear.bias)[value]

    @torch.no_grad()
    def settle(self, batches: list[Tensor]) -> None:
        """Take the norms' statistics from these inputs: an average of weights has none of its own."""
        norms = [module for module in self.modules() if isinstance(module, nn.BatchNorm1d)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
        self.train()
        for batch in batches:
            self(batch)
        self.eval()
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


class Critic(nn.Module):
    """Judges packs of rows (Lin et al. 2018), with a gradient that can be written down. Shape: (P, pack) to (P, 1)."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(inputs, width), nn.Linear(width, width), nn.Linear(width, 1)
        self.width = width

    def keep(self, packs: int, dropout: float, generator: torch.Generator) -> Tensor:
        """Which units stay on, louder by what is off: dropout drawn ahead. Shape: (P, 2, width)."""
        on = torch.rand(packs, 2, self.width, generator=generator) >= dropout
        return on.float().div_(1 - dropout)

    def forward(self, packs: Tensor, keep: Tensor | None) -> Tensor:
        """Shape: (P, pack), (P, 2, width) or None for all units, to (P, 1)."""
        return self.judge(self.first(packs), keep)

    def judge(self, first: Tensor, keep: Tensor | None) -> Tensor:
        """From what the first layer says. Shape: (P, width) to (P, 1)."""
        if keep is None:
            hidden: Tensor = F.leaky_relu(self.second(F.leaky_relu(first, _SLOPE)), _SLOPE)
        else:
            second = self.second(first * _slopes(first, keep[:, 0]))
            hidden = second * _slopes(second, keep[:, 1])
        score: Tensor = self.last(hidden)
        return score

    def gradient(self, first: Tensor, keep: Tensor | None) -> Tensor:
        """The score's gradient with respect to the packs, as a function of the weights: exact, in one pass.

        A leaky ReLU with given dropout is a factor for each unit, which is constant where it is differentiable, so
        the gradient is a product of weight matrices and factors, and no second backward pass is needed.

        Shape: the first layer's outputs (P, width) to (P, pack).
        """
        with torch.no_grad():
            one = _slopes(first, None if keep is None else keep[:, 0])
            two = _slopes(self.second(first * one), None if keep is None else keep[:, 1])
        return (((two * self.last.weight) @ self.second.weight) * one) @ self.first.weight


def _slopes(x: Tensor, keep: Tensor | None) -> Tensor:
    """The factor of each unit: the leaky ReLU's slope, and nought where it is off."""
    slopes = torch.where(x.detach() > 0, 1.0, _SLOPE)
    return slopes if keep is None else slopes * keep
