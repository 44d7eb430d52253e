"""The two branches of a block with their gradients written out, for CPUs.

Small networks spend most of a step between the multiplications: in the many small steps that autograd makes of a norm,
of turned heads and of a gate. Here each branch is one step forward and one backward, the norm's weight is folded into
the matrix behind it, and what both ways need is computed once. The gradients are those of
:class:`~aigc_models.layers.transformer.Block` written plainly, which a test compares.

B rows, T tokens, D width, H heads, E = D / H, F numbers inside the feed-forward layer, N = B T.
"""

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class Around(NamedTuple):
    """What a branch goes by besides weights.

    Attributes:
        turned: By how much positions turn queries and keys, complex (T, E / 2); unused without attention.
        seen: What is added to the attention, broadcastable to (B, H, T, T); None where all is seen.
        heads: Attentions side by side.
        epsilon: Of the norm.
        dtype: In which numbers the large multiplications are done.
    """

    turned: Tensor | None
    seen: Tensor | None
    heads: int
    epsilon: float
    dtype: torch.dtype


def attend_normed(x: Tensor, norm: Tensor, wide: Tensor, out: Tensor, around: Around) -> Tensor:
    """RMSNorm, queries, keys and values, rotary positions, attention, output: (B, T, D) to the same.

    Args:
        x: In 32 bits (or 64).
        norm: The norm's weight, (D,).
        wide: Matrix of queries, keys and values, (3 D, D).
        out: Matrix of the output, (D, D).
        around: Everything else.
    """
    return torch.as_tensor(_NormedAttention.apply(x, norm, wide, out, around))  # type: ignore[no-untyped-call]


def forward_normed(x: Tensor, norm: Tensor, wide: Tensor, narrow: Tensor, around: Around) -> Tensor:
    """RMSNorm and SwiGLU: (B, T, D) to the same, with matrices (2 F, D) and (D, F)."""
    return torch.as_tensor(_NormedForward.apply(x, norm, wide, narrow, around))  # type: ignore[no-untyped-call]


class _NormedAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Any) -> Tensor:
        norm, wide, out, around = weights
        B, T, D = x.shape
        H, E = around.heads, D // around.heads
        with torch.autocast(x.device.type, enabled=False):
            normed, scale, folded = _norm(x, norm, wide, around)  # (N, D), (N, 1), (3 D, D)
            heads = F.linear(normed, folded).view(B, T, 3 * H, E)
            turned = _turn(heads[:, :, : 2 * H], around.turned)  # (B, T, 2 H, E)
            query, key = (_by_head(half) for half in turned.chunk(2, 2))  # (B H, T, E)
            value = _by_head(heads[:, :, 2 * H :])
            factor = 1 / math.sqrt(E)
            if around.seen is None:
                scores = torch.bmm(query, key.mT).mul_(factor)
            else:
                seen = around.seen.to(query.dtype)
                if seen.dim() > 2:
                    seen = seen.expand(B, H, T, T).reshape(B * H, T, T)
                scores = torch.baddbmm(seen, query, key.mT, alpha=factor)
            shares = torch.softmax(scores, -1)  # (B H, T, T)
            mixed = torch.bmm(shares, value).view(B, H, T, E).transpose(1, 2).reshape(B * T, D)
            rough = out.to(mixed.dtype)
            ctx.save_for_backward(x, norm, wide, rough, normed, scale, folded, query, key, value, shares, mixed)
            ctx.around, ctx.kept = around, out.dtype
            return F.linear(mixed, rough).view(B, T, D).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        x, norm, wide, rough, normed, scale, folded, query, key, value, shares, mixed = ctx.saved_tensors
        B, T, D = x.shape
        H, E = ctx.around.heads, D // ctx.around.heads
        back = gradient.reshape(B * T, D).to(mixed.dtype)
        for_out = back.mT @ mixed
        for_mixed = _by_head((back @ rough).view(B, T, H, E))  # (B H, T, E)
        for_value = torch.bmm(shares.mT, for_mixed)
        for_shares = torch.bmm(for_mixed, value.mT)
        for_scores = torch._softmax_backward_data(for_shares, shares, -1, shares.dtype)
        for_heads = torch.empty(B, T, 3 * H, E, dtype=back.dtype, device=back.device)
        turned = torch.empty(B, T, 2 * H, E, dtype=back.dtype, device=back.device)
        turned[:, :, :H] = torch.bmm(for_scores, key).view(B, H, T, E).transpose(1, 2)
        turned[:, :, H:] = torch.bmm(for_scores.mT, query).view(B, H, T, E).transpose(1, 2)
        turns = ctx.around.turned
        for_heads[:, :, : 2 * H] = _turn(turned, turns.conj() if turns is not None else None, 1 / math.sqrt(E))
        for_heads[:, :, 2 * H :] = for_value.view(B, H, T, E).transpose(1, 2)
        grads = _unfold(for_heads.view(B * T, 3 * D), (x, norm, wide), (normed, scale, folded))
        return *grads, for_out.to(ctx.kept), None


class _NormedForward(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, *weights: Any) -> Tensor:
        norm, wide, narrow, around = weights
        with torch.autocast(x.device.type, enabled=False):
            normed, scale, folded = _norm(x, norm, wide, around)
            both = F.linear(normed, folded)  # (N, 2 F)
            gate, up = both.chunk(2, -1)
            opened = F.silu(gate)
            inside = opened * up  # (N, F)
            rough = narrow.to(inside.dtype)
            ctx.save_for_backward(x, norm, wide, rough, normed, scale, folded, both, opened, inside)
            ctx.kept = narrow.dtype
            return F.linear(inside, rough).view(x.shape).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, None]:
        x, norm, wide, rough, normed, scale, folded, both, opened, inside = ctx.saved_tensors
        back = gradient.reshape(-1, x.shape[-1]).to(inside.dtype)
        for_narrow = back.mT @ inside
        for_inside = back @ rough  # (N, F)
        gate, up = both.chunk(2, -1)
        for_both = torch.empty_like(both)
        for_gate, for_up = for_both.chunk(2, -1)
        torch.mul(for_inside, opened, out=for_up)
        for_gate.copy_(torch.ops.aten.silu_backward(for_inside.mul_(up), gate))
        grads = _unfold(for_both, (x, norm, wide), (normed, scale, folded))
        return *grads, for_narrow.to(ctx.kept), None


def _norm(x: Tensor, norm: Tensor, matrix: Tensor, around: Around) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of size one, by what they were multiplied for that, and the matrix behind with the norm's weight in it."""
    rows = x.reshape(-1, x.shape[-1])
    size = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    scale = size.square_().div_(x.shape[-1]).add_(around.epsilon).rsqrt_()
    return (rows * scale).to(around.dtype), scale, (matrix * norm).to(around.dtype)


def _unfold(
    back: Tensor, given: tuple[Tensor, Tensor, Tensor], kept: tuple[Tensor, Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of what went through a norm and a matrix, of the norm's weight, and of the matrix.

    Args:
        back: Gradient of what came out of the matrix.
        given: What went in, the norm's weight, the matrix.
        kept: What :func:`_norm` gave.
    """
    x, norm, matrix = given
    normed, scale, folded = kept
    for_folded = (back.mT @ normed).to(matrix.dtype)
    for_normed = (back @ folded).to(x.dtype)  # (N, D)
    rows = normed.to(x.dtype)
    along = (for_normed * rows).sum(-1, keepdim=True).div_(-x.shape[-1])
    for_x = torch.addcmul(for_normed, rows, along).mul_(scale)
    return for_x.view(x.shape), (for_folded * matrix).sum(0), for_folded * norm


def _turn(heads: Tensor, by: Tensor | None, factor: float = 1.0) -> Tensor:
    """Heads turned by positions, (B, T, H, E) to the same."""
    if by is None:
        return heads if factor == 1.0 else heads * factor
    wide = torch.float64 if heads.dtype == torch.float64 else torch.float32
    pairs = torch.view_as_complex(heads.to(wide).unflatten(-1, (-1, 2)))
    by = by if factor == 1.0 else by * factor
    return torch.view_as_real(pairs * by.unsqueeze(-2)).flatten(-2).to(heads.dtype)


def _by_head(heads: Tensor) -> Tensor:
    """(B, T, H, E) to (B H, T, E)."""
    B, T, H, E = heads.shape
    return heads.transpose(1, 2).reshape(B * H, T, E)
