"""The training of a VAE over rows, step by step."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures, Parts
from aigc_models.table_vae import objective
from aigc_models.table_vae.networks import RowDecoder, RowVae
from aigc_models.tables.drawing import BLOCK, RowSource, noise_source
from aigc_models.tables.encoding import Encoded, Encoder
from aigc_models.tables.lesson import Lesson

_WEIGHT_DECAY = 1e-5


class RowTrainer:
    """Encoder, decoder, their average, and their next step."""

    def __init__(self, lesson: Lesson) -> None:
        params, layout = lesson.params, lesson.encoder.layout
        self.lesson = lesson
        self.vae, self._average = (RowVae(layout, params.width, params.latent_dim) for _ in range(2))
        training.initialise(self.vae, training.seeded(params.seed, "weights"))
        for network in (self.vae, self._average):
            network.to(lesson.device)
        self._ema = training.Ema(self.vae, self._average, params.ema_half_life)
        rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        self._rate = rate
        self._adam = torch.optim.Adam(self.vae.parameters(), lr=rate, weight_decay=_WEIGHT_DECAY, fused=True)
        rows = len(lesson.encoded)
        self.batch_size = min(params.batch_size, rows)
        self.total = max(1, math.ceil(params.epochs * rows / self.batch_size))
        self._parts = Parts(lesson.adjustments.micro_batches)
        self._noise, order = training.seeded(params.seed, "noise"), training.seeded(params.seed, "order")
        self._batches = training.Batches(rows, self.batch_size, order)
        self.precision = lesson.precision
        self.state = training.TrainingState(
            modules={"vae": self.vae, "averaged": self._average},
            optimisers={"adam": self._adam, "batches": self._batches},
            generators={"noise": self._noise, "order": order},
            plain={"precision": self.precision.name},
        )

    @property
    def networks(self) -> nn.Module:
        """The averaged networks."""
        return self._average

    @property
    def more(self) -> dict[str, Any]:
        """Nothing else is remembered."""
        return {}

    @property
    def parameters(self) -> int:
        """Trainable numbers."""
        return training.count_parameters(self.vae)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step."""
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._rate, step, self.total)
        device, encoded = self.lesson.device, self.lesson.encoded
        rows = self._batches.next().to(device)
        scalars, codes = encoded.scalars[rows], encoded.codes[rows]
        noise = torch.randn(len(rows), self.vae.latent_dim, generator=self._noise).to(device)

        def loss(part: slice) -> tuple[Tensor, Figures]:
            return self._loss(scalars[part], codes[part], noise[part])

        figures = self._parts.descend(self._adam, len(rows), loss)
        self._ema.update(step)
        return figures

    def _loss(self, scalars: Tensor, codes: Tensor, noise: Tensor) -> tuple[Tensor, Figures]:
        vae, layout, count = self.vae, self.vae.layout, len(codes)
        with self.precision.autocast():
            mean, log_variance = (each.float() for each in vae.encoder(layout.rows(scalars, codes)))
            logits = vae.decoder(mean + noise * (0.5 * log_variance).exp()).float()
        error = objective.reconstruction(logits, vae.decoder.log_deviation, scalars, codes, layout) / count
        kl = objective.kl_to_standard(mean, log_variance) / count
        weighted = self.lesson.params.reconstruction_weight * error + kl
        return weighted, {"loss": weighted, "reconstruction": error, "kl": kl}

    def source(self) -> RowSource:
        """The averaged decoder, ready to draw."""
        return row_source(self._average, self.lesson.encoder, self.precision)


def learning_rate(largest: float, step: int, total: int) -> float:
    """Full for the first half, then in a straight line down to a twentieth."""
    return largest * min(1.0, max(0.05, 2 * (1 - step / max(total, 1))))


def row_source(vae: RowVae, encoder: Encoder, precision: training.Precision) -> RowSource:
    """A decoder that proposes rows; it heeds no wishes."""
    vae.eval()
    device = vae.decoder.log_deviation.device

    @torch.inference_mode()
    def propose(stream: Sequence[object], _wanted: Mapping[str, int]) -> Encoded:
        noise = noise_source(stream)
        z = torch.randn(BLOCK, vae.latent_dim, generator=noise).to(device)
        with precision.autocast():
            logits = vae.decoder(z).float()
        return write_rows(vae.decoder, logits, noise)

    return RowSource(encoder, propose)


def write_rows(decoder: RowDecoder, logits: Tensor, noise: torch.Generator) -> Encoded:
    """Draw numbers and codes from what the decoder says. Shape: logits (N, D)."""
    layout, device = decoder.layout, logits.device
    spread = torch.randn(len(logits), layout.scalars, generator=noise).to(device)
    uniform = torch.rand(len(logits), len(layout.widths), generator=noise).to(device)
    deviation = decoder.log_deviation.clamp(objective.LEAST_LOG_DEVIATION, objective.MOST_LOG_DEVIATION).exp()
    scalars = (logits[:, : layout.scalars].tanh() + deviation * spread).clamp(-1, 1)
    return Encoded(scalars.cpu(), layout.hard(logits, uniform).cpu())
