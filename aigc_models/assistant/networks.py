"""The dense encoder: a text is the weighted sum of its features' vectors, bent a little, of length one.

Questions and passages go through the same network, so that a question is near the passages that answer it. The
weights of the features start as their rarity and are learnt. Nothing in it is large but a table of vectors, so a
question takes well under a millisecond on one CPU core.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.retrieval.features import Bags


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of the encoder.

    Attributes:
        buckets: Features it tells apart.
        width: Numbers that describe a text.
        answers: Fixed answers that have a vector of their own; 0 where passages are read.
    """

    buckets: int
    width: int
    answers: int = 0

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        return self.buckets * (self.width + 1) + self.width * (4 * self.width + 3) + self.answers * self.width


class Encoder(nn.Module):
    """From features to vectors of length one.

    Args:
        plan: Its sizes.
        rarity: How rare each feature is, float32 (buckets,); where its weights start.
    """

    def __init__(self, plan: Plan, rarity: Tensor | None = None) -> None:
        super().__init__()
        self.plan = plan
        self._rarity = torch.ones(plan.buckets) if rarity is None else rarity.clone()
        self.table = nn.Embedding(plan.buckets, plan.width)
        self.weight = nn.Parameter(torch.zeros(plan.buckets))
        self.widen = nn.Linear(plan.width, 2 * plan.width)
        self.narrow = nn.Linear(2 * plan.width, plan.width)
        self.answers = nn.Parameter(torch.zeros(plan.answers, plan.width)) if plan.answers else None

    @torch.no_grad()
    def initialise_own(self, generator: torch.Generator) -> None:
        """At first the vector is the sum alone: the last layer is zero."""
        scale = 1 / math.sqrt(self.plan.width)
        nn.init.normal_(self.table.weight, std=scale, generator=generator)
        nn.init.zeros_(self.narrow.weight)
        self.weight.copy_(self._rarity / max(float(self._rarity.max()), 1e-6) * 3)
        if self.answers is not None:
            nn.init.normal_(self.answers, std=scale, generator=generator)

    def forward(self, bags: Bags) -> Tensor:
        """Vectors of texts; (texts, width)."""
        features, counts, starts = bags.tensors(str(self.weight.device))
        # not weight[features]: gradients of features that occur again would be added up in whatever order threads come
        weights = counts * F.softplus(self.weight.gather(0, features))
        total = F.embedding_bag(features, self.table.weight, starts, mode="sum", per_sample_weights=weights)
        state = F.normalize(total, dim=-1) * (math.sqrt(self.plan.width) / 4)
        return F.normalize(state + self.narrow(F.gelu(self.widen(state))), dim=-1)

    def answer_vectors(self) -> Tensor:
        """Vectors of the fixed answers, of length one; (answers, width)."""
        assert self.answers is not None
        return F.normalize(self.answers, dim=-1)
