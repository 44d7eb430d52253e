"""Blocks of self-attention as decoders of text have them today: RMSNorm in front, rotary positions, SwiGLU, no biases.

B rows, T tokens, S tokens that can be seen, D width, H heads of queries, K heads of keys and values, E = D / H.
"""

import math
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.layers.block_plan import BlockPlan
from aigc_models.layers.dropout import drop
from aigc_models.layers.rotary import rotate

EPSILON = 1e-5

Attend = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


class LayerCache:
    """Keys and values of the tokens that were read, for one block.

    Shape: keys and values (B, K, S, E), of which the first ``used`` places are filled.
    """

    def __init__(self, keys: Tensor, values: Tensor, used: int = 0) -> None:
        self.keys, self.values, self.used = keys, values, used

    @classmethod
    def empty(cls, shape: tuple[int, int, int, int], like: Tensor) -> "LayerCache":
        """One that holds nothing yet, for (B, K, S, E), with numbers like some others."""
        return cls(like.new_zeros(shape), like.new_zeros(shape))

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add what was read now, (B, K, T, E); gives all there is."""
        end = self.used + keys.shape[2]
        self.keys[:, :, self.used : end] = keys
        self.values[:, :, self.used : end] = values
        self.used = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def take(self, rows: Tensor) -> None:
        """Keep some of the rows."""
        self.keys, self.values = self.keys[rows], self.values[rows]

    def mix(self, query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, attend: Attend) -> Tensor:
        """Add what was read now, and let it attend to all there is, (B, H, T, E)."""
        return attend(query, *self.extend(key, value), seen)


class SelfAttention(nn.Module):
    """Attention with rotary positions; causal, among all tokens, or over what a cache holds."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        self.plan = plan
        self.query_key_value = nn.Linear(plan.width, plan.width + 2 * plan.key_heads * plan.head_width, bias=False)
        self.out = nn.Linear(plan.width, plan.width, bias=False)

    def forward(self, x: Tensor, turned: Tensor, seen: Tensor | None, cache: LayerCache | None = None) -> Tensor:
        """Shape: x (B, T, D), turned as :func:`~aigc_models.layers.rotary.turns` gives it, to (B, T, D).

        Args:
            x: What came before, normed.
            turned: By how much positions turn queries and keys.
            seen: What is added to the attention of each place to each, 0 or minus infinity, (..., T, S); None looks at
                everything.
            cache: What was read before; it grows.
        """
        B, T, D = x.shape
        plan = self.plan
        heads = self.query_key_value(x).view(B, T, -1, plan.head_width)
        turned_heads = rotate(heads[:, :, : plan.heads + plan.key_heads], turned).transpose(1, 2)
        query, key = turned_heads[:, : plan.heads], turned_heads[:, plan.heads :]  # (B, H, T, E), (B, K, T, E)
        value = heads[:, :, plan.heads + plan.key_heads :].transpose(1, 2)
        attend = self._attend if cache is None else partial(cache.mix, attend=self._attend)
        mixed = attend(query, key, value, seen)
        return torch.as_tensor(self.out(mixed.transpose(1, 2).reshape(B, T, D)))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None) -> Tensor:
        """The fused kernel where no gradient is needed, or on a GPU; its backward pass is slow on CPUs."""
        shared = self.plan.heads // self.plan.key_heads
        if not torch.is_grad_enabled() or query.is_cuda:
            mask = None if seen is None else seen.to(query.dtype)
            return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, enable_gqa=shared > 1)
        if shared > 1:
            key, value = key.repeat_interleave(shared, 1), value.repeat_interleave(shared, 1)
        scores = query @ key.mT * (1 / math.sqrt(self.plan.head_width))
        if seen is not None:
            scores = scores + seen.to(scores.dtype)
        return torch.softmax(scores, -1, dtype=torch.float32).to(value.dtype) @ value


class Block(nn.Module):
    """Attention and SwiGLU, each behind a norm and beside the way on (Touvron et al. 2023, section 2.2)."""

    def __init__(self, plan: BlockPlan) -> None:
        super().__init__()
        self.norm, self.norm_forward = (nn.RMSNorm(plan.width, eps=EPSILON) for _ in range(2))
        self.attention = SelfAttention(plan)
        self.wide = nn.Linear(plan.width, 2 * plan.hidden, bias=False)
        self.narrow = nn.Linear(plan.hidden, plan.width, bias=False)
        self.dropout = plan.dropout

    def forward(self, x: Tensor, turned: Tensor, seen: Tensor | None, cache: LayerCache | None = None) -> Tensor:
        """Shape: (B, T, D) to the same."""
        x = x + self._drop(self.attention(self.norm(x), turned, seen, cache))
        gate, up = self.wide(self.norm_forward(x)).chunk(2, -1)
        return x + self._drop(self.narrow(F.silu(gate) * up))

    def _drop(self, x: Tensor) -> Tensor:
        return drop(x, self.dropout) if self.training else x


def draw_weights(blocks: nn.ModuleList, width: int, generator: torch.Generator) -> None:
    """Draw all matrices of blocks: those that read with deviation 1 / sqrt(width), those that write with zeros.

    So a fresh network passes its input on, whatever its depth (Zhang et al. 2019, Fixup).
    """
    for block in blocks:
        for layer in (block.attention.query_key_value, block.wide):  # type: ignore[union-attr]
            nn.init.normal_(layer.weight, std=width**-0.5, generator=generator)  # type: ignore[union-attr,arg-type]
        for layer in (block.attention.out, block.narrow):  # type: ignore[union-attr]
            nn.init.zeros_(layer.weight)  # type: ignore[union-attr,arg-type]


def causal(length: int, device: torch.device) -> Tensor:
    """What is added so that no place sees a later one, (T, T)."""
    return torch.full((length, length), -torch.inf, device=device).triu(1)
