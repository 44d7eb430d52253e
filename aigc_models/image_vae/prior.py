"""A small self-attention model of token grids, read row by row: which token comes next.

B batch, T tokens of a picture, D width, H heads, V different tokens.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.image_vae.plan import PRIOR_HEADS, PRIOR_LAYERS, PRIOR_WIDTH, TokenPlan

Cache = list[tuple[Tensor, Tensor]]


class TokenPrior(nn.Module):
    """Decoder-only, with learnt places; token V stands for "unknown" and starts every picture."""

    def __init__(self, plan: TokenPlan) -> None:
        super().__init__()
        self.codes, self.length = plan.codes, plan.tokens
        self.tokens = nn.Embedding(plan.codes + 1, PRIOR_WIDTH)
        self.places = nn.Embedding(plan.tokens, PRIOR_WIDTH)
        self.blocks = nn.ModuleList(Block() for _ in range(PRIOR_LAYERS))
        self.norm = nn.LayerNorm(PRIOR_WIDTH)
        self.out = nn.Linear(PRIOR_WIDTH, plan.codes)

    def initialise_own(self, generator: torch.Generator) -> None:
        """Start from the uniform distribution."""
        nn.init.normal_(self.out.weight, std=0.02, generator=generator)

    def forward(self, tokens: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Log-odds of every token given those before it.

        Shape: tokens (B, T), hidden (B, T) True where a token may not be seen, to (B, T, V).
        """
        seen = tokens if hidden is None else tokens.masked_fill(hidden, self.codes)
        start = tokens.new_full((len(tokens), 1), self.codes)
        shifted = torch.cat([start, seen[:, :-1]], 1)
        h = self.tokens(shifted) + self.places.weight
        for block in self.blocks:
            h = block(h)
        logits: Tensor = self.out(self.norm(h))
        return logits

    def log_likelihood(self, tokens: Tensor, hidden: Tensor | None = None) -> Tensor:
        """log p(tokens) of each picture in nats.

        Shape: (B, T) to (B,).
        """
        logits = self(tokens, hidden).float()
        return -F.cross_entropy(logits.flatten(0, 1), tokens.flatten(), reduction="none").view_as(tokens).sum(1)

    def draw(self, uniform: Tensor, temperature: float = 1.0) -> Tensor:
        """Draw pictures token by token: each takes the token at which the summed probability passes its number.

        Shape: uniform (B, T) numbers in [0, 1), to tokens (B, T).
        """
        caches: list[Cache] = [[] for _ in self.blocks]
        token = torch.full((len(uniform), 1), self.codes, device=uniform.device)
        drawn = []
        for place in range(self.length):
            h = self.tokens(token) + self.places.weight[place]  # (B, 1, D)
            for block, cache in zip(self.blocks, caches, strict=True):
                h = block(h, cache)
            odds = torch.softmax(self.out(self.norm(h))[:, 0].double() / temperature, 1)  # (B, V)
            token = (odds.cumsum(1) < uniform[:, place : place + 1]).sum(1, keepdim=True).clamp(max=self.codes - 1)
            drawn.append(token)
        return torch.cat(drawn, 1)


class Block(nn.Module):
    """Causal self-attention, then two linear layers, each on the normalised input and added to it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.linear_norm = nn.LayerNorm(PRIOR_WIDTH), nn.LayerNorm(PRIOR_WIDTH)
        self.qkv = nn.Linear(PRIOR_WIDTH, 3 * PRIOR_WIDTH)
        self.mix = nn.Linear(PRIOR_WIDTH, PRIOR_WIDTH)
        self.wide = nn.Linear(PRIOR_WIDTH, 4 * PRIOR_WIDTH)
        self.narrow = nn.Linear(4 * PRIOR_WIDTH, PRIOR_WIDTH)

    def initialise_own(self, generator: torch.Generator) -> None:
        """Small weights; those that are added to the input smaller still (Radford et al. 2019)."""
        for layer in (self.qkv, self.wide):
            nn.init.normal_(layer.weight, std=0.02, generator=generator)
        for layer in (self.mix, self.narrow):
            nn.init.normal_(layer.weight, std=0.02 / (2 * PRIOR_LAYERS) ** 0.5, generator=generator)

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        """Shape: (B, T, D) to the same; with a cache, T is 1 and the earlier keys and values are kept there."""
        x = x + self.mix(self._attend(self.attention_norm(x), cache))
        out: Tensor = x + self.narrow(F.gelu(self.wide(self.linear_norm(x))))
        return out

    def _attend(self, x: Tensor, cache: Cache | None) -> Tensor:
        B, T, D = x.shape
        heads = self.qkv(x).view(B, T, 3, PRIOR_HEADS, D // PRIOR_HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = heads.unbind(0)  # (B, H, T, D / H) each
        if cache is None:  # written out: the fused kernel's backward pass is slow on CPUs
            later = torch.ones(T, T, dtype=torch.bool, device=x.device).triu(1)
            scores = query @ key.mT * (D // PRIOR_HEADS) ** -0.5
            seen: Tensor = torch.softmax(scores.masked_fill(later, float("-inf")), -1) @ value
        else:
            seen = F.scaled_dot_product_attention(query, *_kept(cache, key, value))
        mixed: Tensor = seen.transpose(1, 2).reshape(B, T, D)
        return mixed


def _kept(cache: Cache, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values of all places so far, kept for the next one."""
    if cache:
        earlier_key, earlier_value = cache.pop()
        key, value = torch.cat([earlier_key, key], 2), torch.cat([earlier_value, value], 2)
    cache.append((key, value))
    return key, value
