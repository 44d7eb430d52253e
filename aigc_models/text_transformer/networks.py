"""The network of the text transformer: tokens in order, through causal blocks, to scores of the next token.

B rows, T tokens, D width, V vocabulary.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.layers import transformer
from aigc_models.layers.block_plan import BlockPlan
from aigc_models.layers.rotary import turns
from aigc_models.layers.row_caches import UNIT, Places, RowCache, agrees
from aigc_models.layers.transformer import Block, LayerCache
from aigc_models.text_transformer.folded import Folded, fold, version_of
from aigc_models.text_transformer.narrow import NarrowBatch
from aigc_models.text_transformer.plan import Plan
from aigc_models.writing.language_model import LanguageModel


class TextTransformer(LanguageModel):
    """Scores of the next token after each token; a token is read and written by the same numbers (Press 2017)."""

    def __init__(self, plan: Plan, dropout: float = 0.0) -> None:
        super().__init__()
        self.plan, self.dropout = plan, dropout
        self._rows_agree: bool | None = None
        self._folded: tuple[Any, Folded | None] = (None, None)
        block = self.block_plan
        self.embedding = nn.Embedding(plan.vocabulary, plan.width)
        self.blocks = nn.ModuleList(Block(block) for _ in range(plan.num_layers))
        self.norm = nn.RMSNorm(plan.width, eps=transformer.EPSILON)
        self.register_buffer("turned", turns(torch.arange(plan.context), block.head_width), persistent=False)
        self._weights = list(self.parameters())
        self.register_buffer("seen", transformer.causal(plan.context, torch.device("cpu")), persistent=False)

    @property
    def context(self) -> int:
        """Tokens it looks back at most."""
        return self.plan.context

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.embedding.weight.device

    @property
    def width(self) -> int:
        """Numbers that describe a token."""
        return self.plan.width

    @property
    def block_plan(self) -> BlockPlan:
        """What each block looks like."""
        return self.plan.block(self.dropout)

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw the embedding small, as it also writes, and the blocks so that they pass on what they read."""
        nn.init.normal_(self.embedding.weight, std=0.02, generator=generator)
        transformer.draw_weights(self.blocks, self.plan.width, generator)
        for module in self.modules():
            if isinstance(module, nn.RMSNorm):
                nn.init.ones_(module.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        """What is expected after each token, without looking ahead: (B, T) to (B, T, D)."""
        T = tokens.shape[1]
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.turned[:T], self.seen[:T, :T])  # type: ignore[index]
        return torch.as_tensor(self.norm(x))

    def embed(self, tokens: Tensor) -> Tensor:
        """Tokens as numbers of size one, (B, T) to (B, T, D)."""
        return F.rms_norm(F.embedding(tokens, self.embedding.weight), (self.plan.width,), eps=transformer.EPSILON)

    def scores(self, expected: Tensor) -> Tensor:
        """Shape: (..., D) to (..., V)."""
        return F.linear(expected, self.embedding.weight)

    def losses(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Nats of each target, in 32 bits, (B, T)."""
        scores = self.scores(self(inputs)).float()
        return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)

    def see(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """What is expected after each token, and scores of the next, (B, T) to (B, T, D) and (B, T, V)."""
        states = self(tokens)
        return states, self.scores(states)

    def read(self, tokens: Tensor, positions: Tensor, seen: Tensor | None, caches: Sequence[Any]) -> Tensor:
        """Read more tokens after those the caches hold; what is expected after the last one, (B, D).

        Args:
            tokens: (B, T).
            positions: Where they stand in their texts, (B, T); below ``context``.
            seen: As blocks want it; None where each sees everything there is.
            caches: One for each block; they grow.
        """
        x, turned = self.embed(tokens), self.turned[positions]  # type: ignore[index]
        for block, cache in zip(self.blocks, caches, strict=True):
            x = block(x, turned, seen, cache)
        return torch.as_tensor(self.norm(x[:, -1]))

    def caches(self, rows: int) -> list[Any]:
        """Empty caches for so many rows."""
        shape = self._cache_shape(rows)
        return [LayerCache.empty(shape, self.embedding.weight) for _ in range(self.plan.num_layers)]

    def row_caches(self, places: Places, rows: int) -> list[Any]:
        """Empty caches for so many rows that stand at places of their own."""
        shape = self._cache_shape(rows)
        return [RowCache(places, shape, self.embedding.weight) for _ in range(self.plan.num_layers)]

    def batch(self, tokenizer: Any, choice: Any, texts: Any) -> NarrowBatch | None:
        """Narrow networks write in NumPy on a CPU."""
        folded = self.folded()
        return None if folded is None else NarrowBatch(self, folded, tokenizer, choice, texts)

    def folded(self) -> Folded | None:
        """The weights as they are now, where NumPy is faster with them."""
        version = version_of(self._weights)
        if self._folded[0] != version:
            self._folded = version, fold(self)
        return self._folded[1]

    def rows_at_once(self, wanted: int) -> int:
        """So many, or fewer where a row of more would not be the same bit for bit as a row by itself."""
        if self.folded() is not None:
            return wanted
        if self._rows_agree is None:
            layers = [module for module in self.blocks[0].modules() if isinstance(module, nn.Linear)]
            self._rows_agree = agrees([self.embedding.weight, *(layer.weight for layer in layers)])
        return wanted if self._rows_agree else min(wanted, UNIT)

    def _cache_shape(self, rows: int) -> tuple[int, int, int, int]:
        plan = self.plan
        return (rows, plan.key_heads, plan.context, plan.width // plan.num_heads)
