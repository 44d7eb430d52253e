"""The network of SASRec: items in order, through blocks of causal self-attention, to scores of the next item.

B rows, T events of a history, D width, H heads, I items. Histories are aligned at their ends; what is missing at the
front holds the number ``I``, which nothing looks at.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.layers.dropout import drop
from aigc_models.sasrec.plan import Plan

_SPREAD = 0.02  # deviation of all weights at the start


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a norm and around which the input goes on (pre-norm).

    How far back an event lies enters as a number per head and distance that is added to the attention, not as a place
    in the row: so every event is seen alike wherever a window begins. Source: Kang and McAuley 2018, section III-B,
    with the norm in front (Xiong et al. 2020) and learnt distances (Raffel et al. 2020, section 2.1).
    """

    def __init__(self, plan: Plan, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = plan.num_heads, dropout
        self.norm, self.norm_forward = nn.LayerNorm(plan.width), nn.LayerNorm(plan.width)
        self.query_key_value = nn.Linear(plan.width, 3 * plan.width)
        self.out = nn.Linear(plan.width, plan.width)
        self.distance = nn.Parameter(torch.zeros(plan.num_heads, plan.max_length))
        self.wide, self.narrow = nn.Linear(plan.width, 2 * plan.width), nn.Linear(2 * plan.width, plan.width)

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        """Shape: x (B, T, D) and what may not be seen, bool (B, 1, T, T), to (B, T, D)."""
        weights, value = self.attention(x, hidden)
        seen = (self._drop(weights) @ value).transpose(1, 2).flatten(2)  # (B, T, D)
        x = x + self._drop(self.out(seen))
        return x + self._drop(self.narrow(F.gelu(self.wide(self.norm_forward(x)))))

    def attention(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """How much each event looks at each other, (B, H, T, T), and what it takes from there, (B, H, T, D / H)."""
        B, T, D = x.shape
        query, key, value = (
            self.query_key_value(self.norm(x)).view(B, T, 3, self.heads, D // self.heads).permute(2, 0, 3, 1, 4)
        )
        back = torch.arange(T, device=x.device)
        back = (back[:, None] - back[None]).clamp(min=0)  # (T, T)
        scores = query @ key.mT / math.sqrt(D // self.heads) + self.distance[:, back]
        return torch.softmax(scores.float().masked_fill(hidden, -torch.inf), -1).to(value.dtype), value

    def _drop(self, x: Tensor) -> Tensor:
        return drop(x, self.dropout) if self.training else x


class Sasrec(nn.Module):
    """Scores of all items after each event; an item's embedding is what it is read and scored by."""

    def __init__(self, plan: Plan, dropout: float = 0.0) -> None:
        super().__init__()
        self.plan, self.dropout = plan, dropout
        self.embedding = nn.Embedding(plan.items + 1, plan.width)
        self.bias = nn.Parameter(torch.zeros(plan.items))
        self.blocks = nn.ModuleList(Block(plan, dropout) for _ in range(plan.num_layers))
        self.norm = nn.LayerNorm(plan.width)

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw all matrices alike."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=_SPREAD, generator=generator)
        nn.init.normal_(self.embedding.weight, std=_SPREAD, generator=generator)

    def forward(self, items: Tensor) -> Tensor:
        """What is expected after each event: item numbers (B, T) to (B, T, D)."""
        x, hidden = self._read(items)
        for block in self.blocks:
            x = block(x, hidden)
        return torch.as_tensor(self.norm(x))

    def scores(self, expected: Tensor) -> Tensor:
        """Shape: (..., D) to (..., I)."""
        return expected @ self.embedding.weight[:-1].T + self.bias

    def looked_at(self, items: Tensor) -> Tensor:
        """How much the last event of each row looks at each event, through all blocks.

        The attentions of the blocks are multiplied, each averaged over its heads and with what goes on beside it
        (Abnar and Zuidema 2020, "attention rollout").

        Shape: (B, T) to (B, T); rows sum to one.
        """
        x, hidden = self._read(items)
        seen = torch.eye(items.shape[1], device=items.device)
        for block in self.blocks:
            weights, _ = block.attention(x, hidden)  # type: ignore[operator]
            x = block(x, hidden)
            seen = (0.5 * weights.float().mean(1) + 0.5 * torch.eye(items.shape[1], device=items.device)) @ seen
        return seen[:, -1]

    def _read(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """Embedded items, and which event may not look at which: at later ones and at what is missing."""
        T = items.shape[1]
        ones = torch.ones(T, T, dtype=torch.bool, device=items.device)
        missing = items == self.plan.items
        hidden = (ones.triu(1) | missing[:, None, :]) & ~torch.eye(T, dtype=torch.bool, device=items.device)
        x = self.embedding(items) * math.sqrt(self.plan.width)
        return drop(x, self.dropout) if self.training else x, hidden[:, None]
