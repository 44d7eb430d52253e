"""A small decoder as nanoGPT's CPU recipe describes it, written anew from its settings, to compare with.

4 layers, 4 heads, width 128, context 64, learnt positions, LayerNorm without bias, GELU, tied head, no dropout; AdamW
with betas 0.9 and 0.99, weight decay 0.1 on matrices, learning rate 1e-3 after 100 steps of warm-up down a cosine to
1e-4, 12 rows a step, 2,000 steps, gradients clipped at 1. Sampling reads the whole context again for each character.
"""

import math
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, LAYERS, HEADS, CONTEXT, ROWS, STEPS = 128, 4, 4, 64, 12, 2000


class PeerBlock(nn.Module):
    """Attention and a feed-forward layer behind LayerNorms."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(WIDTH, bias=False)
        self.between = nn.LayerNorm(WIDTH, bias=False)
        self.mix = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.mixed = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (B, T, D) to the same."""
        rows, length, _ = x.shape
        parts = self.mix(self.before(x)).split(WIDTH, dim=2)
        query, key, value = (part.view(rows, length, HEADS, WIDTH // HEADS).transpose(1, 2) for part in parts)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.mixed(seen.transpose(1, 2).contiguous().view(rows, length, WIDTH))
        return torch.as_tensor(x + self.down(F.gelu(self.up(self.between(x)))))


class PeerDecoder(nn.Module):
    """The whole network."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, WIDTH), nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.ModuleList(PeerBlock() for _ in range(LAYERS))
        self.last = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                deep = name.endswith(("mixed.weight", "down.weight"))
                nn.init.normal_(weight, std=0.02 / math.sqrt(2 * LAYERS) if deep else 0.02)

    def forward(self, tokens: Tensor, last_only: bool = False) -> Tensor:
        """Scores of the next token, (B, T) to (B, T, V)."""
        x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x)
        x = self.last(x[:, -1:] if last_only else x)
        return F.linear(x, self.tokens.weight)


class PeerTraining:
    """A training by the recipe, step by step.

    Args:
        data: Characters to learn from, as numbers.
        vocabulary: How many there are.
        threads: Of its process.
        seed: Of everything drawn.
    """

    def __init__(self, data: Tensor, vocabulary: int, threads: int, seed: int = 1337) -> None:
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        self.data, self.network, self.done = data, PeerDecoder(vocabulary), 0
        matrices = [weight for weight in self.network.parameters() if weight.dim() == 2]
        others = [weight for weight in self.network.parameters() if weight.dim() != 2]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        self.adam = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))

    def step(self) -> int:
        """Take one step; returns the tokens it worked on."""
        self.done += 1
        for group in self.adam.param_groups:
            group["lr"] = _rate(self.done)
        starts = torch.randint(len(self.data) - CONTEXT, (ROWS,))
        inputs = torch.stack([self.data[start : start + CONTEXT] for start in starts])
        targets = torch.stack([self.data[start + 1 : start + 1 + CONTEXT] for start in starts])
        scores = self.network(inputs)
        loss = F.cross_entropy(scores.view(-1, scores.shape[-1]), targets.view(-1))
        self.adam.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.adam.step()
        return ROWS * CONTEXT

    def learn(self, steps: int) -> float:
        """Take steps; returns the seconds they took."""
        started = time.perf_counter()
        for _ in range(steps):
            self.step()
        return time.perf_counter() - started

    @torch.no_grad()
    def loss(self, data: Tensor) -> float:
        """Nats per character over whole windows of some text."""
        rows = data[: (len(data) - 1) // CONTEXT * CONTEXT + 1].unfold(0, CONTEXT + 1, CONTEXT)
        total = 0.0
        for some in rows.split(256):
            scores = self.network(some[:, :-1])
            total += float(F.cross_entropy(scores.flatten(0, 1), some[:, 1:].flatten(), reduction="sum"))
        return total / (len(rows) * CONTEXT)

    @torch.no_grad()
    def write(self, rows: int, length: int) -> float:
        """Draw characters; returns how many a second."""
        tokens = torch.zeros(rows, 1, dtype=torch.int64)
        started = time.perf_counter()
        for _ in range(length):
            scores = self.network(tokens[:, -CONTEXT:], last_only=True)[:, -1]
            tokens = torch.cat([tokens, torch.multinomial(torch.softmax(scores, -1), 1)], 1)
        return rows * length / (time.perf_counter() - started)


def _rate(step: int) -> float:
    if step < 100:
        return 1e-3 * (step + 1) / 101
    share = min(1.0, (step - 100) / (STEPS - 100))
    return 1e-4 + 0.5 * (1 + math.cos(math.pi * share)) * 9e-4
