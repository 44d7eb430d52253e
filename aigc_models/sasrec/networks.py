"""The network of SASRec: items in order, through blocks of causal self-attention, to scores of the next item.

B rows, T events of a history, D width, I items. Histories are aligned at their ends; what is missing at the front holds
the number ``I``, which nothing looks at.
"""

import math

import torch
from torch import Tensor, nn

from aigc_models.layers.history import HistoryNetwork
from aigc_models.sasrec.plan import Plan


class Sasrec(HistoryNetwork):
    """Scores of all items after each event; an item's embedding is what it is read and scored by."""

    def __init__(self, plan: Plan, dropout: float = 0.0) -> None:
        super().__init__(plan, dropout)
        self.plan = plan
        self.embedding = nn.Embedding(plan.items + 1, plan.width)
        self.bias = nn.Parameter(torch.zeros(plan.items))

    def forward(self, items: Tensor) -> Tensor:
        """What is expected after each event: item numbers (B, T) to (B, T, D)."""
        return self.through(self._read(items), items == self.plan.items)

    def scores(self, expected: Tensor) -> Tensor:
        """Shape: (..., D) to (..., I)."""
        return expected @ self.embedding.weight[:-1].T + self.bias

    def looked_at(self, items: Tensor) -> Tensor:
        """How much the last event of each row looks at each event, through all blocks: (B, T) to (B, T)."""
        return self.rolled_out(self._read(items), items == self.plan.items)

    def _read(self, items: Tensor) -> Tensor:
        return torch.as_tensor(self.embedding(items) * math.sqrt(self.plan.width))
