"""The training loop's state and its one step, for each of the two tiers."""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures, PartLoss, Parts
from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.data.images import ImageSet
from aigc_models.image_vae import objective
from aigc_models.image_vae.networks import Vae
from aigc_models.image_vae.params import ImageVaeTrain, plan_for, token_plan_for
from aigc_models.image_vae.using import BATCH, ImageModel, PlainModel, TokenModel, TokenNetworks
from aigc_models.pictures import from_bytes

_WARM_UP_STEPS = 100
_IN_MEMORY = 2 * 2**30  # bytes of floats up to which all pictures are converted once
_HIDDEN = 0.1  # share of tokens the prior may not see in training, so that it learns no picture by heart


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt, from what, where, and how gently."""

    params: ImageVaeTrain
    images: ImageSet
    device: str
    adjustments: Adjustments = UNADJUSTED


class Trainer:
    """What both tiers' trainings have: data, order, precision, optimisers, and how they are kept.

    With batches in parts, batch norms take their statistics from a part, and free bits are given to each part's mean
    divergence instead of the batch's; everything else is the same as with whole batches.

    Args:
        lesson: Settings, data, device.
        networks: In training; drawn anew here from the seed.
        average: Networks of the same kind, which follow.
    """

    def __init__(self, lesson: Lesson, networks: nn.Module, average: nn.Module) -> None:
        params, images, device = lesson.params, lesson.images, lesson.device
        self.params, self.device = params, device
        self._learning_rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        self._parts = Parts(lesson.adjustments.micro_batches)
        self._parts.soften(networks)
        training.initialise(networks, training.seeded(params.seed, "weights"))
        layout = torch.channels_last if params.prior == "tokens" or params.backbone == "conv" else None
        for each in (networks, average):
            each.to(device) if layout is None else each.to(device, memory_format=layout)  # type: ignore[call-overload]
        self.batch_size = min(params.batch_size, len(images.train))
        self.stage_steps = params.steps(len(images.train), self.batch_size)
        self.noise, order = training.seeded(params.seed, "noise"), training.seeded(params.seed, "order")
        self.batches = training.Batches(len(images.train), self.batch_size, order)
        self.precision, self.meter = training.choose_precision(device), training.Meter()
        self._pixels = images.train.to(device)
        if self._pixels.numel() * 4 <= _IN_MEMORY:
            self._pixels = from_bytes(self._pixels)
        self.state = training.TrainingState(
            modules={"networks": networks, "average": average},
            optimisers={"batches": self.batches, "meter": self.meter},
            generators={"noise": self.noise, "order": order},
            plain={"precision": self.precision.name},
        )

    @property
    def total(self) -> int:
        """Steps of the whole training."""
        return self.stage_steps

    def resume(self, directory: Path) -> int:
        """Go on from a checkpoint, in the precision it was made with; returns the steps done."""
        done = self.state.load(directory)
        self.precision = training.Precision(self.state.plain["precision"], self.precision.device_type)
        return done

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step; returns losses in nats for each picture."""
        raise NotImplementedError

    def model(self) -> ImageModel:
        """The averaged networks, ready to use."""
        raise NotImplementedError

    def can_draw(self, step: int) -> bool:
        """Whether drawn pictures mean anything after a step."""
        return True

    def _ema(self, source: nn.Module, average: nn.Module) -> training.Ema:
        return training.Ema(source, average, half_life=min(self.stage_steps / 20, 500))

    def _optimiser(self, name: str, module: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
        optimiser = torch.optim.AdamW(
            module.parameters(),
            lr=self._learning_rate,
            betas=(0.9, 0.99),
            weight_decay=weight_decay,
            fused=True,
        )
        self.state.optimisers[name] = optimiser
        return optimiser

    def _next(self) -> tuple[Tensor, Tensor]:
        """Row numbers of the next batch, and its pictures (B, C, H, W) in [-1, 1]."""
        rows = self.batches.next().to(self.device)
        pictures = self._pixels.index_select(0, rows)
        return rows, from_bytes(pictures) if pictures.dtype == torch.uint8 else pictures

    def _descend(
        self, optimiser: torch.optim.Optimizer, rows: int, stage_step: int, loss: PartLoss
    ) -> dict[str, Tensor]:
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(self._learning_rate, stage_step, self.stage_steps)
        return self._parts.descend(optimiser, rows, loss)


class PlainTrainer(Trainer):
    """One stage: encoder and decoder together."""

    def __init__(self, lesson: Lesson) -> None:
        plan = plan_for(lesson.params, *lesson.images.shape)
        self._vae, self._average = Vae(plan), Vae(plan)
        super().__init__(lesson, self._vae, self._average)
        self._follow, self._adam = self._ema(self._vae, self._average), self._optimiser("adam", self._vae, 1e-4)

    def model(self) -> PlainModel:
        """The averaged networks, ready to use."""
        return PlainModel(self._average, self.params.likelihood)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step up the evidence lower bound."""
        params = self.params
        _, x = self._next()
        noise = torch.randn(len(x), params.latent_dim, generator=self.noise).to(self.device)
        weight = params.beta * objective.warmed_up(step, self.total, params.kl_warmup)

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with self.precision.autocast():
                mean, log_variance = self._vae.encode(x[part])
                output = self._vae.decode(mean + noise[part] * (0.5 * log_variance).exp())
            reconstruction = -objective.log_likelihood(x[part], output, params.likelihood).mean()
            kl = objective.kl_to_prior(mean, log_variance)
            bound = reconstruction + weight * objective.free_kl(kl, params.free_bits)
            return bound, {"loss": bound, "reconstruction": reconstruction, "kl": kl.sum(1).mean()}

        figures = self._descend(self._adam, len(x), step, loss)
        self._follow.update(step)
        return figures


class TokenTrainer(Trainer):
    """Two stages of as many steps: the autoencoder, then the prior over its tokens."""

    def __init__(self, lesson: Lesson) -> None:
        plan = token_plan_for(lesson.params, *lesson.images.shape)
        networks, self._average = TokenNetworks(plan), TokenNetworks(plan)
        super().__init__(lesson, networks, self._average)
        self._images, self._tokens = lesson.images.train, torch.empty(0)
        self._chunk = lesson.adjustments.chunk(BATCH)
        self._autoencoder, self._prior = networks.autoencoder, networks.prior
        self._follow = self._ema(self._autoencoder, self._average.autoencoder)
        self._follow_prior = self._ema(self._prior, self._average.prior)
        self._adam = self._optimiser("adam", self._autoencoder, 1e-4)
        self._adam_prior = self._optimiser("adam_prior", self._prior, 0.05)

    @property
    def total(self) -> int:
        """Steps of both stages."""
        return 2 * self.stage_steps

    def model(self) -> TokenModel:
        """The averaged networks, ready to use."""
        return TokenModel(self._average, self.params.likelihood)

    def can_draw(self, step: int) -> bool:
        """The prior learns in the second stage."""
        return step > self.stage_steps

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step of the stage it belongs to."""
        if step <= self.stage_steps:
            return self._step_autoencoder(step)
        return self._step_prior(step - self.stage_steps)

    def _step_autoencoder(self, step: int) -> dict[str, Tensor]:
        _, x = self._next()

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with self.precision.autocast():
                output = self._autoencoder.decode(self._autoencoder.encode(x[part]))
            error = -objective.log_likelihood(x[part], output, self.params.likelihood).mean()
            return error, {"reconstruction": error}

        figures = self._descend(self._adam, len(x), step, loss)
        self._follow.update(step)
        return figures

    def _step_prior(self, step: int) -> dict[str, Tensor]:
        if not len(self._tokens):  # of the finished autoencoder, so a resumed training finds the same
            self._tokens = self.model().tokens(self._images, self._chunk).clone()
        tokens = self._tokens.index_select(0, self.batches.next().to(self.device))
        hidden = (torch.rand(tokens.shape, generator=self.noise) < _HIDDEN).to(self.device)

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with self.precision.autocast():
                error = -self._prior.log_likelihood(tokens[part], hidden[part]).mean()
            return error, {"kl": error}

        figures = self._descend(self._adam_prior, len(tokens), step, loss)
        self._follow_prior.update(step)
        return figures


def make_trainer(lesson: Lesson) -> Trainer:
    """The trainer of the tier that the settings ask for."""
    return (TokenTrainer if lesson.params.prior == "tokens" else PlainTrainer)(lesson)


def learning_rate(largest: float, step: int, total: int) -> float:
    """Up over the first steps, then down to a hundredth along half a cosine."""
    warm = min(_WARM_UP_STEPS, total // 10)
    if step <= warm:
        return largest * step / max(warm, 1)
    progress = (step - warm) / max(total - warm, 1)
    return largest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
