"""A VAE over the rows of accounts: a recurrent prior says what may come next (Chung et al. 2015)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures, Parts
from aigc_models.data.tables import Table
from aigc_models.table_vae import objective
from aigc_models.table_vae.account_data import LONGEST, Accounts
from aigc_models.table_vae.networks import RowDecoder, RowEncoder
from aigc_models.table_vae.trainer import learning_rate, write_rows
from aigc_models.tables.drawing import Candidates, finish_rows, noise_source
from aigc_models.tables.encoding import Encoder, generator
from aigc_models.tables.layout import Layout
from aigc_models.tables.lesson import Lesson

_FEATURES = 3  # of a place in an account: how many rows there are, how many are done, whether it is the first
_UNITS = 512  # accounts proposed at once
_WEIGHT_DECAY = 1e-5


class AccountVae(nn.Module):
    """Encoder and decoder of a row, and a GRU over the latent numbers of the rows before."""

    def __init__(self, layout: Layout, width: int, latent_dim: int) -> None:
        super().__init__()
        self.layout, self.latent_dim, self.width = layout, latent_dim, width
        self.encoder = RowEncoder(layout.dim, width, latent_dim)
        self.past = nn.GRU(latent_dim + _FEATURES, width, batch_first=True)
        self.prior = nn.Linear(width, 2 * latent_dim)
        self.decoder = RowDecoder(latent_dim + width, width, layout)

    def initialise_own(self, generator: torch.Generator) -> None:
        """The recurrent weights as is usual for a GRU; a prior that starts close to N(0, I)."""
        bound = 1 / math.sqrt(self.width)
        for weight in self.past.parameters():
            nn.init.uniform_(weight, -bound, bound, generator=generator)
        nn.init.normal_(self.prior.weight, std=0.02, generator=generator)

    def next_prior(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of what may come next. Shape: (..., width) to twice (..., Z)."""
        mean, log_variance = self.prior(state).chunk(2, -1)
        return mean, log_variance.clamp(-6, 3)


def features(lengths: Tensor, longest: int) -> Tensor:
    """What is known of each place. Shape: (A,) to (A, T, 3)."""
    place = torch.arange(longest, device=lengths.device).expand(len(lengths), longest)
    total = lengths[:, None].float()
    columns = (total.log1p().expand_as(place) / 4, (place / total).clamp(max=1), (place == 0).float())
    return torch.stack(columns, 2)


def kl_between(q: tuple[Tensor, Tensor], p: tuple[Tensor, Tensor]) -> Tensor:
    """KL(q || p) of diagonal Gaussians in nats, summed over latent numbers. Shape: (..., Z) to (...)."""
    (mean, log_variance), (other, other_log) = q, p
    ratio = (log_variance - other_log).exp() + (mean - other).square() / other_log.exp()
    return 0.5 * (ratio - 1 + other_log - log_variance).sum(-1)


class AccountTrainer:
    """Networks, their average, and their next step."""

    def __init__(self, lesson: Lesson) -> None:
        params, layout = lesson.params, lesson.encoder.layout
        assert lesson.starts is not None
        self.lesson, self._rows = lesson, len(lesson.encoded)
        self._starts = lesson.starts
        ends = torch.cat([lesson.starts[1:], lesson.starts.new_tensor([self._rows])])
        self._lengths = ends - lesson.starts
        self.vae, self._average = (AccountVae(layout, params.width, params.latent_dim) for _ in range(2))
        training.initialise(self.vae, training.seeded(params.seed, "weights"))
        for network in (self.vae, self._average):
            network.to(lesson.device)
        self._ema = training.Ema(self.vae, self._average, params.ema_half_life)
        self._rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        self._adam = torch.optim.Adam(self.vae.parameters(), lr=self._rate, weight_decay=_WEIGHT_DECAY, fused=True)
        accounts = len(lesson.starts)
        self._per_batch = min(accounts, max(2, round(params.batch_size * accounts / self._rows)))
        self.batch_size = round(self._per_batch * self._rows / accounts)
        self.total = params.steps(accounts, self._per_batch)
        self._parts = Parts(lesson.adjustments.micro_batches)
        self._noise, order = training.seeded(params.seed, "noise"), training.seeded(params.seed, "order")
        self._batches = training.Batches(accounts, self._per_batch, order)
        self.precision = training.Precision("float32", lesson.precision.device_type)
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
        """Take one step on some accounts."""
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._rate, step, self.total)
        accounts = self._batches.next()
        lengths = self._lengths[accounts]
        longest = min(int(lengths.max()), LONGEST)
        places = torch.arange(longest)
        there = places < lengths[:, None]  # (A, T)
        rows = (self._starts[accounts][:, None] + places).clamp(max=self._rows - 1)
        noise = torch.randn(len(accounts), longest, self.vae.latent_dim, generator=self._noise)
        batch = [each.to(self.lesson.device) for each in (rows, there, lengths, noise)]

        def loss(part: slice) -> tuple[Tensor, Figures]:
            count = there.sum() * (part.stop - part.start) / len(accounts)
            return self._loss([each[part] for each in batch], float(count))

        figures = self._parts.descend(self._adam, len(accounts), loss)
        self._ema.update(step)
        return figures

    def _loss(self, batch: Sequence[Tensor], count: float) -> tuple[Tensor, Figures]:
        rows, there, lengths, noise = batch
        vae, encoded = self.vae, self.lesson.encoded
        present = rows[there]
        scalars, codes = encoded.scalars[present], encoded.codes[present]
        mean, log_variance = vae.encoder(vae.layout.rows(scalars, codes))  # (R, Z)
        z = mean + noise[there] * (0.5 * log_variance).exp()
        before = z.new_zeros(*there.shape, vae.latent_dim)
        before[there] = z
        before = torch.cat([torch.zeros_like(before[:, :1]), before[:, :-1]], 1)
        state, _ = vae.past(torch.cat([before, features(lengths, there.shape[1])], 2))
        state = state[there]  # (R, width)
        kl = kl_between((mean, log_variance), vae.next_prior(state)).sum() / count
        said = vae.decoder(torch.cat([z, state], 1))
        error = objective.reconstruction(said, vae.decoder.log_deviation, scalars, codes, vae.layout) / count
        weighted = self.lesson.params.reconstruction_weight * error + kl
        return weighted, {"loss": weighted, "reconstruction": error, "kl": kl}

    def source(self, draft: bool = False) -> "AccountSource":
        """The averaged networks, ready to draw."""
        accounts = Accounts.read(self.lesson.more["accounts"])
        return AccountSource(self._average, self.lesson.encoder, accounts)


class AccountSource:
    """Proposes accounts, as long as those seen."""

    def __init__(self, vae: AccountVae, encoder: Encoder, accounts: Accounts) -> None:
        self.vae, self.encoder, self.accounts = vae.eval(), encoder, accounts
        self.columns, self.compared = accounts.columns, accounts.compared
        self.unmeasured = frozenset({accounts.account})

    def propose(self, stream: Sequence[object], _wanted: Mapping[str, int], rows: int = _UNITS) -> Candidates:
        """Some accounts."""
        draws = generator(0, *stream, "lengths")
        lengths = 1 + draws.choice(len(self.accounts.lengths), min(rows, _UNITS), p=self.accounts.lengths).astype(
            np.int64
        )
        encoded = self._rows(torch.from_numpy(lengths), noise_source(stream))
        made = self.encoder.decode(encoded, generator(0, *stream, "rare"))
        return self.accounts.join(made, lengths)

    @torch.inference_mode()
    def _rows(self, lengths: Tensor, noise: torch.Generator) -> Any:
        vae, longest = self.vae, int(lengths.max())
        device = vae.prior.weight.device
        known = features(lengths.to(device), longest)
        eps = torch.randn(len(lengths), longest, vae.latent_dim, generator=noise).to(device)
        order = lengths.argsort(descending=True, stable=True)
        z, state = eps.new_zeros(len(lengths), vae.latent_dim), eps.new_zeros(1, len(lengths), vae.width)
        found = eps.new_zeros(len(lengths), longest, vae.latent_dim + vae.width)
        for place in range(longest):
            live = order[: int((lengths > place).sum())].to(device)  # accounts that are done cost nothing
            entered = torch.cat([z[live], known[live, place]], 1)[:, None]
            _, after = vae.past(entered, state[:, live])
            state[:, live] = after
            mean, log_variance = vae.next_prior(after[0])
            z[live] = mean + eps[live, place] * (0.5 * log_variance).exp()
            found[live, place] = torch.cat([z[live], after[0]], 1)
        there = torch.arange(longest) < lengths[:, None]
        numbers, logits = vae.decoder(found[there.to(device)])
        begins = (torch.arange(longest).expand_as(there) == 0)[there].to(device)
        for rows, name in ((begins, self.accounts.first), (~begins, self.accounts.gap)):
            missing = self._missing(name)
            if missing is not None:  # a first row has a time, all others a gap: by construction
                logits[rows, missing] = -torch.inf
        return write_rows(vae.decoder, (numbers, logits), noise)

    def _missing(self, name: str) -> int | None:
        """Where among the segments' logits that of a missing cell stands."""
        codec = self.encoder.codecs[name]
        if name not in self.encoder.segments or not codec.missing:
            return None
        segment = self.encoder.segments.index(name)
        layout = self.encoder.layout
        return int(layout.offsets[segment]) - layout.scalars + codec.width - 1

    def finish(self, table: Table, seed: int) -> Table:
        """With accounts and identifiers of its own."""
        hashes = self.encoder.hashes.get(self.accounts.account, np.empty(0, np.uint64))
        return self.accounts.number(finish_rows(table, self.encoder, seed), seed, hashes)
