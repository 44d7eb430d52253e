"""SASRec's training step: one causal pass over windows of histories predicts every place at once."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from aigc_models import training
from aigc_models.accumulation import Figures
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.recommending.trainer import Lesson, Trainer, drawing
from aigc_models.recommending.windows import Windows
from aigc_models.sasrec.networks import Sasrec
from aigc_models.sasrec.params import SasrecTrain, compared_items, plan_for
from aigc_models.sasrec.using import SasrecRecommender


class SasrecTrainer(Trainer):
    """Windows, network, optimiser, and one step down the cross-entropy of the next item."""

    unit = "targets_per_second"

    def __init__(self, params: SasrecTrain, lesson: Lesson) -> None:
        self.params, self.plan = params, plan_for(params, lesson.items)
        lists = ItemLists.by_user(lesson.train)
        self._windows = Windows.over(lists, params.max_length)
        self._compared = compared_items(params, lesson.items)
        self._later, self._negatives = training.seeded(params.seed, "later"), training.seeded(params.seed, "negatives")
        network, average = Sasrec(self.plan, params.dropout), Sasrec(self.plan)
        super().__init__(lesson, params, (network, average), len(self._windows.row))
        self._network = network
        self.state.generators |= {"later": self._later, "negatives": self._negatives}

    def recommender(self, network: torch.nn.Module) -> SasrecRecommender:
        """A network, ready to use."""
        assert isinstance(network, Sasrec)
        return SasrecRecommender(network, self.device)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step."""
        windows = self.batches.next()
        later = torch.randint(self.params.max_length, (len(windows),), generator=self._later)
        inputs, targets = self._windows.cut(windows.numpy(), later.numpy(), self.params.max_length)
        inputs = torch.where(inputs < 0, self.plan.items, inputs).to(self.device)
        targets = targets.to(self.device)
        known = targets >= 0
        self.worked_on = int(known.sum())
        share = len(windows) / max(self.worked_on, 1)  # so that parts add up to the mean over all targets
        negatives = None
        if self._compared < self.plan.items:
            negatives = torch.randint(self.plan.items, (self._compared,), generator=self._negatives).to(self.device)

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with drawing(self.params.seed, step, part.start), self.precision.autocast():
                expected = self._network(inputs[part])[known[part]]
                wanted = targets[part][known[part]]
                total = self._cross_entropy(expected, wanted, negatives)
            mean = total * share / (part.stop - part.start)
            return mean, {"loss": mean}

        return self.descend(len(windows), step, loss)

    def _cross_entropy(self, expected: Tensor, wanted: Tensor, negatives: Tensor | None) -> Tensor:
        """Sum over targets, in nats.

        Beside all items; or beside some drawn at random, whose share of the softmax's sum is scaled up to all of them
        (importance sampling with a uniform proposal, Jean et al. 2015, section 3), and which never are the target.

        Shape: expected (N, D), wanted (N,), negatives (M,).
        """
        if negatives is None:
            scores = self._network.scores(expected).float()
            return F.cross_entropy(scores, wanted, reduction="sum", label_smoothing=self.params.label_smoothing)
        weight, bias = self._network.embedding.weight, self._network.bias
        # not weight[wanted]: gradients of items that occur again would be added up in whatever order threads come
        own = ((expected * F.embedding(wanted, weight)).sum(-1) + bias.gather(0, wanted)).float()
        others = (expected @ F.embedding(negatives, weight).T + bias.gather(0, negatives)).float()  # (N, M)
        others = others + math.log((self.plan.items - 1) / len(negatives))
        others = others.masked_fill(wanted[:, None] == negatives[None], -torch.inf)
        return (torch.logsumexp(torch.cat([own[:, None], others], 1), 1) - own).sum()
