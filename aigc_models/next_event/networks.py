"""The network: events in order with the time between them, through causal blocks, to scores of what comes next.

B rows, T events of a session, D width, A different events. Sessions are aligned at their ends. What a session is for
and how it ended, where that is given, is added to every event that is read; two further layers say both, where it is
not.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from aigc_models.layers.history import HistoryNetwork
from aigc_models.next_event.plan import GAPS, Plan


@dataclass(frozen=True, slots=True)
class Rows:
    """Sessions as the network reads them.

    Attributes:
        events: Numbers of events, (B, T).
        gaps: Kinds of the time since the event before, 0 for unknown, (B, T).
        tasks: What each session is for; the number of tasks where that is not given, (B,).
        outcomes: How each ended, likewise, (B,).
    """

    events: Tensor
    gaps: Tensor
    tasks: Tensor
    outcomes: Tensor

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.events)

    def take(self, part: slice) -> "Rows":
        """Some of the rows."""
        return Rows(self.events[part], self.gaps[part], self.tasks[part], self.outcomes[part])

    def to(self, device: str) -> "Rows":
        """The same elsewhere."""
        return Rows(self.events.to(device), self.gaps.to(device), self.tasks.to(device), self.outcomes.to(device))


class NextEventNetwork(HistoryNetwork):
    """Scores of what comes after each event; an event's embedding is what it is read and scored by."""

    def __init__(self, plan: Plan, dropout: float = 0.0) -> None:
        super().__init__(plan, dropout)
        self.plan = plan
        self.embedding = nn.Embedding(plan.actions + 4, plan.width)
        self.gap = nn.Embedding(GAPS, plan.width)
        self.task, self.outcome = nn.Embedding(plan.tasks + 1, plan.width), nn.Embedding(plan.outcomes + 1, plan.width)
        self.bias = nn.Parameter(torch.zeros(plan.actions + 1))
        self.say_task = nn.Linear(plan.width, max(plan.tasks, 1))
        self.say_outcome = nn.Linear(plan.width, max(plan.outcomes, 1))

    def initialise_own(self, generator: torch.Generator) -> None:
        """Draw everything alike; biases are zero."""
        super().initialise_own(generator)
        for layer in (self.say_task, self.say_outcome):
            nn.init.zeros_(layer.bias)

    def forward(self, rows: Rows) -> Tensor:
        """What is expected after each event, (B, T, D)."""
        return self.through(self._read(rows), rows.events == self.plan.missing)

    def scores(self, expected: Tensor) -> Tensor:
        """Of every event and of the session's end: (..., D) to (..., A + 1)."""
        return expected @ self.embedding.weight[: self.plan.actions + 1].T + self.bias

    def looked_at(self, rows: Rows) -> Tensor:
        """How much the last event of each row looks at each event, through all blocks, (B, T)."""
        return self.rolled_out(self._read(rows), rows.events == self.plan.missing)

    def _read(self, rows: Rows) -> Tensor:
        x = self.embedding(rows.events) + self.gap(rows.gaps)
        x = x + (self.task(rows.tasks) + self.outcome(rows.outcomes))[:, None]
        return torch.as_tensor(x * math.sqrt(self.plan.width))
