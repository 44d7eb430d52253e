"""A text transformer's weights as NumPy takes a token through them: what can be multiplied beforehand, is.

D width, H heads of queries, K heads of keys and values, E = D / H, F numbers inside SwiGLU, V vocabulary.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aigc_models.layers.few_rows import Numbers, agrees
from aigc_models.layers.transformer import EPSILON, Block
from aigc_models.text_transformer.plan import Plan

if TYPE_CHECKING:
    from aigc_models.text_transformer.networks import TextTransformer

_WIDEST = 384  # wider products gain more from PyTorch's threads than they lose on the way to them
_LANES = 16  # numbers that are multiplied at once; another number of columns has a kernel of its own for the last ones


@dataclass(frozen=True, slots=True)
class FoldedBlock:
    """The matrices of a block.

    Attributes:
        heads: Queries, keys and values, with the norm's weight and the scale of attention, (D, (H + 2 K) E).
        out: (D, D).
        wide: Minus both halves of SwiGLU, with the norm's weight, (D, 2 F).
        narrow: (F, D).
    """

    heads: Numbers
    out: Numbers
    wide: Numbers
    narrow: Numbers


@dataclass(frozen=True, slots=True)
class Folded:
    """A network's weights.

    Attributes:
        plan: What it looks like.
        tokens: What stands for each token, (V, D).
        turned: By how much positions turn queries and keys, complex (S, E / 2).
        blocks: One after the other.
        scores: Matrix of the scores, with the norm's weight and columns that fill up, (D, V + ...).
        smallest: What is added below the root of a norm.
    """

    plan: Plan
    tokens: Numbers
    turned: NDArray[np.complex64]
    blocks: tuple[FoldedBlock, ...]
    scores: Numbers
    smallest: np.float32


@torch.inference_mode()
def fold(network: "TextTransformer") -> Folded | None:
    """The weights; None where PyTorch is as fast, or rows would not be the same alone and in company."""
    plan, weight = network.plan, network.embedding.weight
    if plan.width > _WIDEST or weight.device.type != "cpu" or weight.dtype != torch.float32:
        return None
    scores = _matrix(weight, network.norm.weight)
    missing = -scores.shape[1] % _LANES
    folded = Folded(
        plan,
        network.embed(torch.arange(plan.vocabulary)).numpy(),
        network.turned.numpy(),  # type: ignore[operator]
        tuple(_block(block, plan) for block in network.blocks),  # type: ignore[arg-type]
        np.pad(scores, ((0, 0), (0, missing))),
        np.float32(EPSILON * plan.width),
    )
    some = folded.blocks[0]
    return folded if agrees([some.heads, some.out, some.wide, some.narrow, folded.scores]) else None


def version_of(weights: Iterable[Tensor]) -> list[tuple[int, int]]:
    """What changes with the weights."""
    return [(weight.data_ptr(), weight._version) for weight in weights]


def _block(block: Block, plan: Plan) -> FoldedBlock:
    heads = _matrix(block.attention.query_key_value.weight, block.norm.weight)
    heads[:, : plan.width] *= np.float32((plan.width // plan.num_heads) ** -0.5)
    return FoldedBlock(
        heads,
        _matrix(block.attention.out.weight),
        -_matrix(block.wide.weight, block.norm_forward.weight),
        _matrix(block.narrow.weight),
    )


def _matrix(weight: Tensor, norm: Tensor | None = None) -> Numbers:
    """A matrix (in, out) behind a norm, that rows of length one go through, not of size one."""
    if norm is not None:
        weight = weight * norm * norm.numel() ** 0.5
    return np.array(weight.numpy().T, np.float32, order="C")
