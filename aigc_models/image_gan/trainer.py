"""One step of adversarial training, and everything that has to be kept to do the next one.

It knows nothing of jobs or files: the family's ``train`` drives it, and so does the benchmark.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures, Parts
from aigc_models.image_gan import losses
from aigc_models.image_gan.networks import build
from aigc_models.image_gan.plan import Plan
from aigc_models.layers.augment import augment
from aigc_models.pictures import from_bytes

# Which changes each choice of augmentation makes. Mirroring is not among them: at a chance of
# one half it leaks into the generated pictures, and shoes would point both ways.
AUGMENTATIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "shift": ("shift",),
    "strong": ("shift", "brightness", "cutout"),
    "adaptive": ("shift", "brightness", "cutout"),
}
BATCH = 250  # pictures drawn at once where many are wanted
_ADAPT_EVERY, _ADAPT_TARGET, _ADAPT_BY = 4, 0.6, 0.005


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the networks are trained; the names are those of the family's settings, and ``micro_batches`` the run's."""

    loss: str = "relativistic"
    batch_size: int = 64
    learning_rate: float = 1e-3
    momentum: float = 0.0
    penalty: float = 1.0
    penalty_every: int = 8
    augmentation: str = "none"
    ema_half_life: float = 500.0
    steps: int = 2500
    seed: int = 0
    micro_batches: int = 1


@dataclass(slots=True)
class _Batch:
    """One step's batch, with all that is drawn for it.

    Attributes:
        real: Pictures (B, C, side, side).
        labels: (B,) or None.
        noise: What the generator starts from, (B, Z).
        mix: Where between real and generated pictures WGAN looks, (B, 1, 1, 1), or None in a step without penalty.
        changes: State of the augmentation's draws at the start of the step, so that both turns see the same ones.
        shown: The pictures both networks look at, while the graph that made them is kept.
        scores: Of real and generated pictures, by the first row of each part.
    """

    real: Tensor
    labels: Tensor | None
    noise: Tensor
    mix: Tensor | None
    changes: Tensor | None
    shown: tuple[Tensor, Tensor] | None = None
    scores: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def labels_of(self, part: slice) -> Tensor | None:
        """The classes of some rows."""
        return None if self.labels is None else self.labels[part]


class Trainer:
    """Generator, discriminator, averaged generator, and their next step.

    A batch in parts (``recipe.micro_batches``) is made by the generator twice, once for each network's turn, as the
    graph of a whole batch would not fit. Losses and gradient penalties are means over pictures that the
    discriminator judges one by one, so their gradients are those of the whole batch; the generator's batch norms take
    their statistics from a part.

    Args:
        plan: What the networks look like.
        recipe: How they are trained.
        precision: In which numbers they compute.
        device: Where.
        make: What makes the two networks of a plan.
    """

    def __init__(
        self,
        plan: Plan,
        recipe: Recipe,
        precision: training.Precision,
        device: str = "cpu",
        make: Callable[[Plan], tuple[nn.Module, nn.Module]] = build,
    ) -> None:
        self.plan, self.recipe, self.precision, self.device = plan, recipe, precision, device
        self.generator, self.discriminator = make(plan)
        weights = training.seeded(recipe.seed, "weights")
        for network in (self.generator, self.discriminator):
            training.initialise(network, weights)
        averaged = make(plan)[0]
        for network in (self.generator, self.discriminator, averaged):
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = training.Ema(self.generator, averaged, recipe.ema_half_life)
        betas = (recipe.momentum, 0.99)
        self._adam_g, self._adam_d = (
            torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, betas=betas, fused=True)
            for network in (self.generator, self.discriminator)
        )
        self._noise = training.seeded(recipe.seed, "noise")
        self._changes = training.seeded(recipe.seed, "augmentation")
        self._loss = losses.LOSSES[recipe.loss]
        self._kinds = AUGMENTATIONS[recipe.augmentation]
        self._parts = Parts(recipe.micro_batches)
        self._parts.soften(self.generator, passes=2)
        self.chance = 0.0 if recipe.augmentation == "adaptive" else 1.0
        self.done = 0

    def state(self) -> training.TrainingState:
        """What a checkpoint must hold; more is added by who drives the training."""
        return training.TrainingState(
            modules={
                "generator": self.generator,
                "discriminator": self.discriminator,
                "averaged": self.ema.module,
            },
            optimisers={"adam_g": self._adam_g, "adam_d": self._adam_d, "progress": self},
            generators={"noise": self._noise, "changes": self._changes},
        )

    def state_dict(self) -> dict[str, float]:
        """The numbers that are neither weights nor the optimisers'."""
        return {"done": self.done, "chance": self.chance}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from those numbers."""
        self.done, self.chance = int(state["done"]), state["chance"]

    def step(self, pictures: Tensor, labels: Tensor | None) -> dict[str, Tensor]:
        """Train both networks on one batch.

        Shape: pictures uint8 (B, C, side, side), labels (B,) or None.
        """
        self._set_rates()
        batch, rows = self._draw(from_bytes(pictures), labels), len(pictures)
        figures = self._parts.descend(self._adam_d, rows, lambda part: self._discriminate(batch, part))
        figures |= self._parts.descend(self._adam_g, rows, lambda part: self._fool(batch, part))
        self.ema.update(self.done)
        self._adapt(batch)
        self.done += 1
        return {"g_loss": figures["g_loss"], "d_loss": figures["d_loss"]}

    def _draw(self, real: Tensor, labels: Tensor | None) -> _Batch:
        noise = torch.randn(len(real), self.plan.latent_dim, generator=self._noise).to(self.device)
        mix = None
        if self.recipe.loss == "wgan_gp" and self._penalty_is_due():
            mix = torch.rand(len(real), 1, 1, 1, generator=self._noise).to(self.device)
        return _Batch(real, labels, noise, mix, self._changes.get_state() if self._kinds else None)

    def _discriminate(self, batch: _Batch, part: slice) -> tuple[Tensor, Figures]:
        """The discriminator's turn."""
        whole, batch.shown = part.stop - part.start == len(batch.real), None
        with torch.set_grad_enabled(whole):  # the graph of a whole batch serves the generator's turn, too
            shown = self._show(batch, part)
        batch.shown = shown if whole else None
        labels, (real, fake) = batch.labels_of(part), (shown[0], shown[1].detach())
        with self.precision.autocast():
            loss, real_score, fake_score = self._judge(real, fake, labels)
        batch.scores[part.start] = (real_score.detach(), fake_score.detach())
        mix = None if batch.mix is None else batch.mix[part]
        return loss + self._penalty(real, fake, labels, mix), {"d_loss": loss}

    def _fool(self, batch: _Batch, part: slice) -> tuple[Tensor, Figures]:
        """The generator's turn."""
        shown, batch.shown = batch.shown or self._show(batch, part), None
        labels, (real_score, fake_score) = batch.labels_of(part), batch.scores[part.start]
        with self.precision.autocast(), training.frozen(self.discriminator):
            if self.recipe.loss == "relativistic":  # only this loss looks at real pictures here
                with torch.no_grad():
                    real_score = self.discriminator(shown[0], labels)
            loss = self._loss.generator(real_score, self.discriminator(shown[1], labels))
        batch.scores[part.start] = (real_score, fake_score)
        return loss, {"g_loss": loss}

    def _show(self, batch: _Batch, part: slice) -> tuple[Tensor, Tensor]:
        """Real and generated pictures as the discriminator sees them."""
        if batch.changes is not None and part.start == 0:
            self._changes.set_state(batch.changes)
        with self.precision.autocast():
            fake = self.generator(batch.noise[part], batch.labels_of(part))
            return self._augment(batch.real[part]), self._augment(fake)

    def _judge(self, real: Tensor, fake: Tensor, labels: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        twice = None if labels is None else torch.cat([labels, labels])
        real_score, fake_score = self.discriminator(torch.cat([real, fake]), twice).chunk(2)
        return self._loss.discriminator(real_score, fake_score), real_score, fake_score

    def _penalty_is_due(self) -> bool:
        return bool(self.recipe.penalty) and self.done % self.recipe.penalty_every == 0

    def _penalty(self, real: Tensor, fake: Tensor, labels: Tensor | None, mix: Tensor | None) -> Tensor:
        """The gradient penalty that belongs to the loss; every few steps and so much heavier then."""
        recipe = self.recipe
        if not self._penalty_is_due():
            return torch.zeros((), device=self.device)

        def critic(x: Tensor) -> Tensor:
            with self.precision.autocast():
                whose = labels if labels is None or len(x) == len(labels) else torch.cat([labels, labels])
                return torch.as_tensor(self.discriminator(x, whose))

        weight = recipe.penalty * recipe.penalty_every
        if mix is not None:
            return 10 * weight * losses.gradient_penalty(critic, real, fake, mix)
        if recipe.loss == "relativistic":  # R1 + R2 in one pass: twice the mean over both halves
            return weight * losses.squared_gradient(critic, torch.cat([real, fake]))
        return weight / 2 * losses.squared_gradient(critic, real)

    def _augment(self, x: Tensor) -> Tensor:
        return augment(x, self._kinds, self._changes, self.chance) if self.chance else x

    def _adapt(self, batch: _Batch) -> None:
        """More augmentation while the discriminator is too sure of itself (Karras et al. 2020)."""
        if self.recipe.augmentation == "adaptive" and self.done % _ADAPT_EVERY == 0:
            sure = float(torch.cat([(real - fake).sign() for real, fake in batch.scores.values()]).mean())
            self.chance = min(0.8, max(0.0, self.chance + (_ADAPT_BY if sure > _ADAPT_TARGET else -_ADAPT_BY)))

    def _set_rates(self) -> None:
        """Full rate for the first half, then down to a twentieth in a straight line."""
        left = 1 - self.done / max(self.recipe.steps, 1)
        for adam in (self._adam_g, self._adam_d):
            for group in adam.param_groups:
                group["lr"] = self.recipe.learning_rate * min(1.0, max(0.05, 2 * left))


@torch.inference_mode()
def draw(generator: nn.Module, noise: Tensor, labels: Tensor | None, chunk: int = BATCH) -> Tensor:
    """Pictures from noise, in 32 bits, in chunks of one size.

    The last chunk is filled up, so that a picture's numbers never depend on how many others
    were asked for.

    Shape: noise (N, Z), labels (N,) or None, to float (N, C, side, side) in [-1, 1].
    """
    drawn = []
    for start in range(0, len(noise), chunk):
        z = noise[start : start + chunk]
        y = None if labels is None else labels[start : start + chunk]
        missing = chunk - len(z)
        if missing:
            z = torch.cat([z, z.new_zeros(missing, z.shape[1])])
            y = None if y is None else torch.cat([y, y.new_zeros(missing)])
        drawn.append(generator(z, y)[: chunk - missing])
    return torch.cat(drawn)
