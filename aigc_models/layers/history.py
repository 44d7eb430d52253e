"""Causal self-attention over what somebody did, in order: blocks that see how far back each event lies.

B rows, T events of a history, D width, H heads. Histories are aligned at their ends; nothing looks at what is missing
at the front.
"""

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.layers.dropout import drop

_SPREAD = 0.02  # deviation of all weights at the start


class HistoryPlan(Protocol):
    """What the blocks look like."""

    @property
    def width(self) -> int:
        """Numbers that describe an event."""

    @property
    def num_layers(self) -> int:
        """Blocks, one after the other."""

    @property
    def num_heads(self) -> int:
        """Attentions side by side in each block."""

    @property
    def max_length(self) -> int:
        """Events that are looked at, the newest ones."""


class Block(nn.Module):
    """Attention and a feed-forward layer, each behind a norm and around which the input goes on (pre-norm).

    How far back an event lies enters as a number per head and distance that is added to the attention, not as a place
    in the row: so every event is seen alike wherever a window begins. Source: Kang and McAuley 2018, section III-B,
    with the norm in front (Xiong et al. 2020) and learnt distances (Raffel et al. 2020, section 2.1).
    """

    def __init__(self, plan: HistoryPlan, dropout: float) -> None:
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
        # not distance[:, back]: gradients of a distance would be added up in whatever order threads come
        near = self.distance.gather(1, back.view(1, -1).expand(self.heads, -1)).view(-1, T, T)
        scores = query @ key.mT / math.sqrt(D // self.heads) + near
        return torch.softmax(scores.float().masked_fill(hidden, -torch.inf), -1).to(value.dtype), value

    def _drop(self, x: Tensor) -> Tensor:
        return drop(x, self.dropout) if self.training else x


class HistoryNetwork(nn.Module):
    """Blocks over histories, with a norm behind them; a family adds what events are read and scored by."""

    def __init__(self, plan: HistoryPlan, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = dropout
        self.blocks = nn.ModuleList(Block(plan, dropout) for _ in range(plan.num_layers))
        self.norm = nn.LayerNorm(plan.width)

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw all matrices alike, then all embeddings."""
        for kind in (nn.Linear, nn.Embedding):
            for module in self.modules():
                if isinstance(module, kind):
                    nn.init.normal_(module.weight, std=_SPREAD, generator=generator)

    def through(self, x: Tensor, missing: Tensor) -> Tensor:
        """What is expected after each event.

        Shape: events as numbers (B, T, D) and which places hold none, bool (B, T), to (B, T, D).
        """
        hidden = unseen(missing)
        x = drop(x, self.dropout) if self.training else x
        for block in self.blocks:
            x = block(x, hidden)
        return torch.as_tensor(self.norm(x))

    def rolled_out(self, x: Tensor, missing: Tensor) -> Tensor:
        """How much the last event of each row looks at each event, through all blocks.

        The attentions of the blocks are multiplied, each averaged over its heads and with what goes on beside it
        (Abnar and Zuidema 2020, "attention rollout").

        Shape: (B, T, D) and (B, T) to (B, T); rows sum to one.
        """
        hidden, itself = unseen(missing), torch.eye(x.shape[1], device=x.device)
        seen = itself
        for block in self.blocks:
            weights, _ = block.attention(x, hidden)  # type: ignore[operator]
            x = block(x, hidden)
            seen = (0.5 * weights.float().mean(1) + 0.5 * itself) @ seen
        return seen[:, -1]


def unseen(missing: Tensor) -> Tensor:
    """Which event may not look at which, (B, 1, T, T): at later ones and at what is missing, but always at itself."""
    T = missing.shape[1]
    ones = torch.ones(T, T, dtype=torch.bool, device=missing.device)
    hidden = (ones.triu(1) | missing[:, None, :]) & ~torch.eye(T, dtype=torch.bool, device=missing.device)
    return hidden[:, None]
