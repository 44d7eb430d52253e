"""The networks of the sentence VAE: an encoder that sees all tokens, a decoder that sees the latent and those before.

B sentences, T tokens, D width, Z latent numbers, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.layers import transformer
from aigc_models.layers.rotary import turns
from aigc_models.layers.transformer import Block, LayerCache
from aigc_models.text_vae.plan import Plan


class TextVae(nn.Module):
    """Encoder and decoder share how tokens are read and written.

    Source: Bowman et al. 2016 for the sentence VAE, here with self-attention in the place of LSTMs; the latent enters
    at every token, as in Li et al. 2020 (Optimus), section 3.1, "embedding", and here before every block.
    """

    def __init__(self, plan: Plan, dropout: float = 0.0) -> None:
        super().__init__()
        self.plan = plan
        block = plan.block(dropout)
        self.embedding = nn.Embedding(plan.vocabulary, plan.width)
        self.reader_blocks = nn.ModuleList(Block(block) for _ in range(plan.num_layers))
        self.writer_blocks = nn.ModuleList(Block(block) for _ in range(plan.num_layers))
        self.norm_read, self.norm_write = (nn.RMSNorm(plan.width, eps=transformer.EPSILON) for _ in range(2))
        self.posterior = nn.Linear(plan.width, 2 * plan.latent_dim)
        self.widen = nn.Linear(plan.latent_dim, plan.num_layers * plan.width)
        self.register_buffer("turned", turns(torch.arange(plan.longest + 1), block.head_width), persistent=False)
        seen = transformer.causal(plan.longest + 1, torch.device("cpu"))
        self.register_buffer("seen", seen, persistent=False)

    @property
    def hidden_token(self) -> int:
        """What stands in the place of a token that the decoder does not get to see."""
        return self.plan.vocabulary - 1

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw the embedding small, as it also writes; the posterior starts at the prior."""
        nn.init.normal_(self.embedding.weight, std=0.02, generator=generator)
        for blocks in (self.reader_blocks, self.writer_blocks):
            transformer.draw_weights(blocks, self.plan.width, generator)
        nn.init.normal_(self.posterior.weight, std=0.5 * self.plan.width**-0.5, generator=generator)
        nn.init.normal_(self.widen.weight, std=self.plan.latent_dim**-0.5, generator=generator)
        for layer in (self.posterior, self.widen):
            nn.init.zeros_(layer.bias)
        for module in self.modules():
            if isinstance(module, nn.RMSNorm):
                nn.init.ones_(module.weight)

    def encode(self, tokens: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of a sentence's latent numbers.

        Args:
            tokens: (B, T).
            known: Which of them belong to the sentence, bool (B, T).

        Shape: both (B, Z), in 32 bits.
        """
        T = tokens.shape[1]
        hidden = torch.zeros(known.shape, device=tokens.device).masked_fill(~known, -torch.inf)[:, None, None]
        x = self._embed(tokens)
        for block in self.reader_blocks:
            x = block(x, self.turned[:T], hidden)  # type: ignore[index]
        x = self.norm_read(x) * known[..., None]
        mean, log_variance = self.posterior(x.sum(1) / known.sum(1, keepdim=True)).float().chunk(2, -1)
        return mean, log_variance.clamp(-10, 10)

    def decode(self, tokens: Tensor, z: Tensor) -> Tensor:
        """Scores of the next token after each, (B, T) and (B, Z) to (B, T, V)."""
        T = tokens.shape[1]
        x = self._embed(tokens)
        for block, told in zip(self.writer_blocks, self._told(z), strict=True):
            x = block(x + told[:, None], self.turned[:T], self.seen[:T, :T])  # type: ignore[index]
        return F.linear(self.norm_write(x), self.embedding.weight)

    def decode_next(self, tokens: Tensor, z: Tensor, caches: list[LayerCache]) -> Tensor:
        """Scores after one more token, (B,) and (B, Z) to (B, V)."""
        place = caches[0].used
        x = self._embed(tokens)[:, None]
        for block, told, cache in zip(self.writer_blocks, self._told(z), caches, strict=True):
            x = block(x + told[:, None], self.turned[place : place + 1], None, cache)  # type: ignore[index]
        return F.linear(self.norm_write(x[:, 0]), self.embedding.weight)

    def caches(self, rows: int) -> list[LayerCache]:
        """Empty caches for so many rows."""
        plan, weight = self.plan, self.embedding.weight
        shape = (rows, plan.num_heads, plan.longest + 1, plan.width // plan.num_heads)
        return [LayerCache.empty(shape, weight) for _ in range(plan.num_layers)]

    def _told(self, z: Tensor) -> tuple[Tensor, ...]:
        """What each block of the decoder is told of the latent numbers, (B, Z) to (B, D) each."""
        return torch.as_tensor(self.widen(z)).chunk(self.plan.num_layers, -1)

    def _embed(self, tokens: Tensor) -> Tensor:
        return F.rms_norm(F.embedding(tokens, self.embedding.weight), (self.plan.width,), eps=transformer.EPSILON)
