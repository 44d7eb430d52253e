"""The training loop's state and its one step."""

import math
from pathlib import Path

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.data.images import ImageSet
from aigc_models.image_vae import objective
from aigc_models.image_vae.networks import Vae
from aigc_models.image_vae.params import ImageVaeTrain, plan_for
from aigc_models.image_vae.plan import Plan
from aigc_models.pictures import from_bytes

_WARM_UP_STEPS = 100
_IN_MEMORY = 2 * 2**30  # bytes of floats up to which all pictures are converted once


class Trainer:
    """Networks, optimiser and draws of one training."""

    def __init__(self, params: ImageVaeTrain, images: ImageSet, device: str) -> None:
        self.params, self.device = params, device
        plan = plan_for(params, *images.shape)
        self.vae, self.average = _build(plan, params.seed, device), Vae(plan).to(device)
        self.batch_size = min(params.batch_size, len(images.train))
        self.total = max(1, math.ceil(params.epochs * len(images.train) / self.batch_size))
        self.ema = training.Ema(self.vae, self.average, half_life=min(self.total / 20, 500))
        self.optimiser = torch.optim.AdamW(
            self.vae.parameters(), lr=params.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4, fused=True
        )
        self.noise = training.seeded(params.seed, "noise")
        order = training.seeded(params.seed, "order")
        self.batches = training.Batches(len(images.train), self.batch_size, order)
        self.precision = training.choose_precision(device)
        self.meter = training.Meter()
        self._pixels = images.train.to(device)
        if self._pixels.numel() * 4 <= _IN_MEMORY:
            self._pixels = from_bytes(self._pixels)
        self.state = training.TrainingState(
            modules={"vae": self.vae, "average": self.average},
            optimisers={"optimiser": self.optimiser, "batches": self.batches, "meter": self.meter},
            generators={"noise": self.noise, "order": order},
            plain={"precision": self.precision.name},
        )

    def resume(self, directory: Path) -> int:
        """Go on from a checkpoint, in the precision it was made with; returns the steps done."""
        done = self.state.load(directory)
        self.precision = training.Precision(self.state.plain["precision"], self.precision.device_type)
        return done

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step; returns the loss and its parts in nats for each picture."""
        params = self.params
        rows = self._pixels.index_select(0, self.batches.next().to(self.device))
        x = from_bytes(rows) if rows.dtype == torch.uint8 else rows
        noise = torch.randn(len(x), params.latent_dim, generator=self.noise).to(self.device)
        with self.precision.autocast():
            mean, log_variance = self.vae.encode(x)
            output = self.vae.decode(mean + noise * (0.5 * log_variance).exp())
        reconstruction = -objective.log_likelihood(x, output, params.likelihood).mean()
        kl = objective.kl_to_prior(mean, log_variance)
        weight = params.beta * objective.warmed_up(step, self.total, params.kl_warmup)
        loss = reconstruction + weight * objective.free_kl(kl, params.free_bits)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(params.learning_rate, step, self.total)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.ema.update(step)
        return {"loss": loss, "reconstruction": reconstruction, "kl": kl.sum(1).mean()}


def _build(plan: Plan, seed: int, device: str) -> Vae:
    vae = Vae(plan)
    training.initialise(vae, training.seeded(seed, "weights"))
    if plan.backbone == "conv":
        vae = vae.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return vae.to(device)


def learning_rate(largest: float, step: int, total: int) -> float:
    """Up over the first steps, then down to a hundredth along half a cosine."""
    warm = min(_WARM_UP_STEPS, total // 10)
    if step <= warm:
        return largest * step / max(warm, 1)
    progress = (step - warm) / max(total - warm, 1)
    return largest * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
