"""The training of a VAE over rows, step by step."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures, Parts
from aigc_models.table_vae import objective
from aigc_models.table_vae.networks import RowDecoder, RowVae
from aigc_models.table_vae.prior import MOST_ROWS, fit_mixture, most_components
from aigc_models.tables import calibration
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
        self.total = params.steps(rows, self.batch_size)
        self._made: RowVae | None = None
        self._shares = calibration.shares_of(lesson.encoded.codes, layout)
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
        """The averaged networks, with the mixture that rows are drawn from."""
        return self._made or self._with_mixture(self._components)

    @property
    def more(self) -> dict[str, Any]:
        """How many Gaussians latent numbers are drawn from."""
        return {"components": self._components}

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
            said = vae.decoder(mean + noise * (0.5 * log_variance).exp())
        error = objective.reconstruction(said, vae.decoder.log_deviation, scalars, codes, layout) / count
        kl = objective.kl_to_standard(mean, log_variance) / count
        weighted = self.lesson.params.reconstruction_weight * error + kl
        return weighted, {"loss": weighted, "reconstruction": error, "kl": kl}

    def source(self, draft: bool = False) -> RowSource:
        """The averaged decoder, ready to draw; a draft draws from one Gaussian."""
        made = self._with_mixture(1 if draft else self._components)
        self._made = None if draft else made
        return row_source(made, self.lesson.encoder, self.precision)

    @property
    def _components(self) -> int:
        params = self.lesson.params
        return most_components(len(self.lesson.encoded), params.latent_dim, params.components)

    @torch.inference_mode(False)
    @torch.no_grad()
    def _with_mixture(self, components: int) -> RowVae:
        """A copy of the averaged networks that knows what the training rows' latent numbers look like."""
        vae, encoded = copy.deepcopy(self._average), self.lesson.encoded
        seed = self.lesson.params.seed
        chosen = torch.randperm(len(encoded), generator=training.seeded(seed, "mixture"))[:MOST_ROWS]
        parts = [
            vae.encoder(vae.layout.rows(encoded.scalars[rows], encoded.codes[rows]))
            for rows in chosen.to(encoded.codes.device).split(BLOCK)
        ]
        mean, log_variance = (torch.cat(each) for each in zip(*parts, strict=True))
        vae.mixture = fit_mixture(mean, log_variance, components, seed).to(mean.device)
        self._calibrate(vae)
        return vae

    def _calibrate(self, vae: RowVae) -> None:
        """Each value as often as in the training rows."""
        layout = vae.layout
        if not layout.widths:
            return
        noise = training.seeded(self.lesson.params.seed, "calibration")
        _, logits = vae.decoder(vae.draw(calibration.rows_to_calibrate(layout), noise))
        head = vae.decoder.body[-1]
        assert isinstance(head, nn.Linear)
        head.bias[layout.numbers :] += calibration.offsets(logits, self._shares, layout)


def learning_rate(largest: float, step: int, total: int) -> float:
    """Full for the first half, then in a straight line down to a twentieth."""
    return largest * min(1.0, max(0.05, 2 * (1 - step / max(total, 1))))


def row_source(vae: RowVae, encoder: Encoder, precision: training.Precision) -> RowSource:
    """A decoder that proposes rows; it heeds no wishes."""
    vae.eval()

    @torch.inference_mode()
    def propose(stream: Sequence[object], _wanted: Mapping[str, int], rows: int) -> Encoded:
        noise = noise_source(stream)
        z = vae.draw(rows, noise)
        with precision.autocast():
            said = vae.decoder.columns(z)
        return write_rows(vae.decoder, said, noise)

    return RowSource(encoder, propose, vae.decoder.log_deviation.device)


def write_rows(decoder: RowDecoder, said: tuple[Tensor, Tensor], noise: torch.Generator) -> Encoded:
    """Draw codes, and numbers for them, from what the decoder says. Shape: (M, N) and (D - S, N)."""
    numbers, logits = said
    layout, device, rows = decoder.layout, logits.device, logits.shape[1]
    spread = torch.randn(rows, layout.scalars, generator=noise).to(device)
    uniform = torch.rand(rows, len(layout.widths), generator=noise).to(device)
    deviation = decoder.log_deviation.clamp(objective.LEAST_LOG_DEVIATION, objective.MOST_LOG_DEVIATION).exp()
    codes = layout.hard(logits, uniform)
    places, _ = layout.mode_of(codes)
    means = numbers.gather(0, places.T).T.tanh()
    return Encoded((means + deviation[places] * spread).clamp(-1, 1).cpu(), codes.cpu())
