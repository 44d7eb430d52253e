"""Mult-VAE's training step: up the multinomial likelihood of what users have, with the KL term warmed up."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.layers.dropout import kept_cells
from aigc_models.metrics.ranking_baselines import multi_hot
from aigc_models.mult_vae.networks import MultVae, composite_kl, kl_to_normal
from aigc_models.mult_vae.params import MultVaeTrain, plan_for
from aigc_models.mult_vae.using import MultVaeRecommender
from aigc_models.recommending.trainer import Lesson, Trainer, drawing

_IN_MEMORY = 2**30  # bytes up to which all users' items are held as one table


class MultVaeTrainer(Trainer):
    """Users, networks, optimiser, and one step."""

    unit = "users_per_second"

    def __init__(self, params: MultVaeTrain, lesson: Lesson) -> None:
        self.params, self.plan = params, plan_for(params, lesson.items)
        lists = ItemLists.by_user(lesson.train)
        self._lists = lists.take((lists.lengths > 0).nonzero()[0])
        self.noise = training.seeded(params.seed, "noise")
        network, average = MultVae(self.plan, params.dropout), MultVae(self.plan)
        super().__init__(lesson, params, (network, average), len(self._lists))
        self._network, self._before = network, MultVae(self.plan).to(self.device)
        self._before.load_state_dict(network.state_dict())
        self._before.requires_grad_(False)
        self.state.generators["noise"] = self.noise
        if self.plan.composite:
            self.state.modules["before"] = self._before
        small = 4 * len(self._lists) * lesson.items <= _IN_MEMORY
        self._table = multi_hot(self._lists, lesson.items) if small else None
        self._usual = float(self._lists.lengths.mean())

    def recommender(self, network: nn.Module) -> MultVaeRecommender:
        """Networks, ready to use."""
        assert isinstance(network, MultVae)
        return MultVaeRecommender(network, self.device)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step up the evidence lower bound."""
        rows = self.batches.next()
        held = self._held(rows).to(self.device)
        noise = torch.randn(len(rows), self.plan.latent_dim, generator=self.noise).to(self.device)
        weight = self.params.beta * min(1.0, step / max(self.params.kl_warmup * self.total, 1.0))
        self.worked_on = len(rows)
        with drawing(self.params.seed, step, 0):  # for the whole batch, so that its parts make no difference
            kept = kept_cells(held, self.params.dropout)

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with self.precision.autocast():
                mean, log_variance = self._network.encode(held[part], None if kept is None else kept[part])
                z = mean + noise[part] * (0.5 * log_variance).exp()
                logits = self._network.decode(z)
            likelihood = (F.log_softmax(logits.float(), 1) * held[part]).sum(1)
            kl = self._kl(held[part], z, (mean, log_variance))
            by_user = held[part].sum(1) / self._usual if self.params.beta_by_user else 1.0
            bound = (likelihood - weight * by_user * kl).mean()
            return -bound, {"loss": -bound, "reconstruction": -likelihood.mean(), "kl": kl.mean()}

        figures = self.descend(len(rows), step, loss)
        if self.plan.composite and step % self.epoch_steps == 0:
            self._before.load_state_dict(self._network.state_dict())
        return figures

    def _kl(self, held: Tensor, z: Tensor, now: tuple[Tensor, Tensor]) -> Tensor:
        if not self.plan.composite:
            return kl_to_normal(*now)
        with torch.no_grad(), self.precision.autocast():
            before = self._before.eval().encode(held)
        return composite_kl(z, now, before)

    def _held(self, rows: Tensor) -> Tensor:
        """Which items some users have, (B, I)."""
        if self._table is not None:
            return self._table[rows]
        return multi_hot(self._lists.take(rows.numpy()), self.plan.items)
