"""One step of adversarial training on rows, and everything that has to be kept to do the next one."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures, Parts
from aigc_models.table_gan.networks import Critic, Generator
from aigc_models.table_gan.wishes import Places, Wishes
from aigc_models.tables import calibration
from aigc_models.tables.drawing import RowSource, noise_source
from aigc_models.tables.encoding import Encoded, Encoder
from aigc_models.tables.layout import Layout, cross_entropy
from aigc_models.tables.lesson import Lesson

TEMPERATURE = 0.2  # of the Gumbel softmax, as in the paper
_BETAS, _WEIGHT_DECAY, _PENALTY, _SETTLING = (0.5, 0.9), 1e-6, 10.0, 20


@dataclass(slots=True)
class _Batch:
    """All that a step draws.

    Attributes:
        real: Rows (B, D).
        wish: One-hot wishes (B, C).
        codes: Asked value of each segment (B, K), and ``asked`` one where it counts (B, K).
        noise: (B, Z).
        uniform: For the Gumbel softmax (B, D - S).
        mix: Where between real and generated packs the penalty looks (P, 1).
        keep: The critic's dropout for real, generated and mixed packs, and for the generator's turn (4, P, 2, width);
            None without any.
        fake: Generated rows and their logits while the graph that made them is kept.
    """

    real: Tensor
    wish: Tensor
    codes: Tensor
    asked: Tensor
    noise: Tensor
    uniform: Tensor
    mix: Tensor
    keep: Tensor | None
    fake: tuple[Tensor, Tensor] | None = None


class GanTrainer:
    """Generator, critic, averaged generator, and their next step.

    A batch in parts is made by the generator twice, once for each network's turn, as the graph of a whole batch would
    not fit; batch norms take their statistics from a part then.
    """

    def __init__(self, lesson: Lesson) -> None:
        params, encoder = lesson.params, lesson.encoder
        self.lesson, self._layout = lesson, encoder.layout
        self.wishes = Wishes.of(encoder, lesson.encoded.codes.cpu())
        self.pac = min(params.pac, params.batch_size)
        self.packs = max(1, params.batch_size // self.pac)
        self.batch_size = self.packs * self.pac
        self.total = params.steps(len(lesson.encoded), self.batch_size)
        sizes = params.latent_dim, self.wishes.places.size, params.width, self._layout.dim
        self.generator, self._average = (Generator(*sizes) for _ in range(2))
        self.critic = Critic(self.pac * (self._layout.dim + self.wishes.places.size), params.width)
        weights = training.seeded(params.seed, "weights")
        for network in (self.generator, self.critic):
            training.initialise(network, weights)
        for network in (self.generator, self.critic, self._average):
            network.to(lesson.device)
        self._ema = training.Ema(self.generator, self._average, params.ema_half_life)
        rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        self._adam_g = torch.optim.Adam(
            self.generator.parameters(), lr=rate, betas=_BETAS, weight_decay=_WEIGHT_DECAY, fused=True
        )
        self._adam_d = torch.optim.Adam(self.critic.parameters(), lr=rate, betas=_BETAS, fused=True)
        self._made: Generator | None = None
        self._draws = training.seeded(params.seed, "draws")
        self._parts = Parts(lesson.adjustments.micro_batches)
        self._parts.soften(self.generator, passes=2)
        self.precision = lesson.precision
        self.state = training.TrainingState(
            modules={"generator": self.generator, "critic": self.critic, "averaged": self._average},
            optimisers={"adam_g": self._adam_g, "adam_d": self._adam_d},
            generators={"draws": self._draws},
            plain={"precision": self.precision.name},
        )

    @property
    def networks(self) -> nn.Module:
        """The averaged generator, as rows are drawn from it."""
        return self._made or self._average

    @property
    def more(self) -> dict[str, Any]:
        """How often each value is wished for when rows are drawn."""
        return {"shares": self.wishes.real.tolist()}

    @property
    def parameters(self) -> int:
        """Trainable numbers of both networks."""
        return training.count_parameters(self.generator, self.critic)

    def step(self, step: int) -> dict[str, Tensor]:
        """Train both networks on one batch."""
        batch = self._draw()
        figures = self._parts.descend(self._adam_d, self.packs, lambda part: self._criticise(batch, part))
        figures |= self._parts.descend(self._adam_g, self.packs, lambda part: self._convince(batch, part))
        self._ema.update(step)
        return figures

    def _draw(self) -> _Batch:
        lesson, wishes, layout, count = self.lesson, self.wishes, self._layout, self.batch_size
        places = wishes.places
        draws, device, latent = self._draws, lesson.device, lesson.params.latent_dim
        uniform = torch.rand(3, count, generator=draws, dtype=torch.float64)
        wish, codes = torch.zeros(count, places.size), torch.zeros(count, len(layout.widths), dtype=torch.int64)
        asked = torch.zeros(count, len(layout.widths))
        if places.size:
            column, value = places.draw(uniform, wishes.learning)
            rows = wishes.matching(value, uniform[2])
            wish.scatter_(1, value[:, None], 1.0)
            segment = places.segments[column][:, None]
            codes.scatter_(1, segment, (value - places.first[column])[:, None])
            asked.scatter_(1, segment, 1.0)
        else:
            rows = (uniform[2] * len(lesson.encoded)).long()
        rows = rows.to(device)
        return _Batch(
            layout.rows(lesson.encoded.scalars[rows], lesson.encoded.codes[rows]),
            wish.to(device),
            codes.to(device),
            asked.to(device),
            torch.randn(count, latent, generator=draws).to(device),
            torch.rand(count, layout.dim - layout.scalars, generator=draws).to(device),
            torch.rand(self.packs, 1, generator=draws).to(device),
            self._keep(),
        )

    def _keep(self) -> Tensor | None:
        dropout, packs = self.lesson.params.critic_dropout, self.packs
        if not dropout:
            return None
        keep = self.critic.keep(4 * packs, dropout, self._draws)
        return keep.view(4, packs, *keep.shape[1:]).to(self.lesson.device)

    def _rows(self, part: slice) -> slice:
        return slice(part.start * self.pac, part.stop * self.pac)

    def _make(self, batch: _Batch, rows: slice) -> tuple[Tensor, Tensor]:
        with self.precision.autocast():
            logits = self.generator(torch.cat([batch.noise[rows], batch.wish[rows]], 1)).float()
        return self._layout.soft(logits, batch.uniform[rows], TEMPERATURE), logits

    def _packed(self, rows: Tensor, wish: Tensor) -> Tensor:
        """Shape: (B, D), (B, C) to (P, pac * (D + C))."""
        return torch.cat([rows, wish], 1).reshape(len(rows) // self.pac, -1)

    def _criticise(self, batch: _Batch, part: slice) -> tuple[Tensor, Figures]:
        """The critic's turn: Wasserstein loss, and the penalty of Gulrajani et al. 2017."""
        whole, rows, batch.fake = part.stop - part.start == self.packs, self._rows(part), None
        with torch.set_grad_enabled(whole):  # the graph of a whole batch serves the generator's turn, too
            made = self._make(batch, rows)
        batch.fake = made if whole else None
        critic, wish = self.critic, batch.wish[rows]
        both, mixed_keep = (_kept(batch.keep, at, part) for at in (slice(0, 2), slice(2, 3)))
        packs = torch.cat([self._packed(batch.real[rows], wish), self._packed(made[0].detach(), wish)])
        with self.precision.autocast():
            first = critic.first(packs).float()
            real, fake = critic.judge(first, both).float().chunk(2)
            one, other = first.detach().chunk(2)
            mixed = one + batch.mix[part] * (other - one)  # the first layer is affine, so it need not see mixed packs
            slope = critic.gradient(mixed, mixed_keep).float().norm(dim=1)
        loss = fake.mean() - real.mean()
        return loss + _PENALTY * (slope - 1).square().mean(), {"d_loss": loss, "slope": slope.mean()}

    def _convince(self, batch: _Batch, part: slice) -> tuple[Tensor, Figures]:
        """The generator's turn: be judged real, and say what was wished for."""
        rows = self._rows(part)
        made, logits = batch.fake or self._make(batch, rows)
        batch.fake = None
        with training.frozen(self.critic), self.precision.autocast():
            judged = self.critic(self._packed(made, batch.wish[rows]), _kept(batch.keep, slice(3, 4), part)).float()
        asked = (batch.codes[rows], self._layout, batch.asked[rows])
        heard = cross_entropy(logits[:, self._layout.scalars :], *asked) / len(made)
        loss = -judged.mean()
        return loss + heard, {"g_loss": loss, "condition_loss": heard}

    def source(self, draft: bool = False) -> RowSource:
        """The averaged generator, ready to draw; its norms take their statistics from rows as they will be drawn."""
        draws = training.seeded(self.lesson.params.seed, "settling")
        made = copy.deepcopy(self._average)
        maker = Maker(made, self._layout, self.wishes.real, self.lesson.params.latent_dim, self.precision)
        places = self.wishes.places
        made.settle([maker.inputs(places, 500, draws) for _ in range(_SETTLING)])
        if not draft:
            self._calibrate(maker)
            self._made = made
        return gan_source(maker, places, self.lesson.encoder)

    @torch.inference_mode(False)
    @torch.no_grad()
    def _calibrate(self, maker: "Maker") -> None:
        """Each value as often as in the training rows."""
        layout, draws = self._layout, training.seeded(self.lesson.params.seed, "calibration")
        if not layout.widths:
            return
        count = calibration.rows_to_calibrate(layout)
        logits = maker.network(maker.inputs(self.wishes.places, count, draws)).float()[:, layout.scalars :]
        shares = calibration.shares_of(self.lesson.encoded.codes, layout)
        maker.network.head.bias[layout.scalars :] += calibration.offsets(logits, shares, layout)


def _kept(keep: Tensor | None, turns: slice, part: slice) -> Tensor | None:
    """Which of the critic's units stay on for a part of the packs, one turn's after the other. Shape: (n, 2, width)."""
    return None if keep is None else keep[turns, part].flatten(0, 1)


_Inputs = tuple[Tensor, Tensor | None]


@dataclass(frozen=True, slots=True)
class Maker:
    """A generator with what it needs to draw."""

    network: Generator
    layout: Layout
    shares: Tensor
    latent_dim: int
    precision: training.Precision

    def draw(self, places: Places, count: int, draws: torch.Generator, wanted: Mapping[int, int]) -> _Inputs:
        """Noise (N, Z) and wishes (N,), None where there are none: as in the training rows, or the rarest wanted."""
        device, value = self.network.head.weight.device, None
        if places.size:
            uniform = torch.rand(2, count, generator=draws, dtype=torch.float64)
            _, value = places.draw(uniform, self.shares)
            if wanted:
                value = torch.full_like(value, self._rarest(places, wanted))
            value = value.to(device)
        return torch.randn(count, self.latent_dim, generator=draws).to(device), value

    def inputs(self, places: Places, count: int, draws: torch.Generator) -> Tensor:
        """The same as the network takes it in training, (N, Z + C)."""
        noise, value = self.draw(places, count, draws, {})
        wish = noise.new_zeros(count, places.size)
        return torch.cat([noise, wish if value is None else wish.scatter_(1, value[:, None], 1.0)], 1)

    def _rarest(self, places: Places, wanted: Mapping[int, int]) -> int:
        alone = torch.diff(self.shares, prepend=self.shares.new_zeros(1)) % 1
        values = [int(places.first[column]) + code for column, code in wanted.items()]
        return min(values, key=lambda value: float(alone[value]))


def gan_source(maker: Maker, places: Places, encoder: Encoder) -> RowSource:
    """A generator that proposes rows and heeds the rarest wish."""
    names = [encoder.segments[segment] for segment in places.segments.tolist()]
    layout = maker.layout

    @torch.inference_mode()
    def propose(stream: Sequence[object], wanted: Mapping[str, int], rows: int) -> Encoded:
        draws = noise_source(stream)
        heeded = {names.index(name): code for name, code in wanted.items() if name in names}
        with maker.precision.autocast():
            logits = maker.network.columns(*maker.draw(places, rows, draws, heeded))  # (D, N)
        uniform = torch.rand(rows, len(layout.widths), generator=draws).to(logits.device)
        return Encoded(
            logits[: layout.scalars].T.tanh().contiguous().cpu(),
            layout.hard(logits[layout.scalars :], uniform).cpu(),
        )

    return RowSource(encoder, propose, maker.network.head.weight.device)
