"""The training of a VAE over accounts, and how it draws new ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures, Parts
from aigc_models.table_vae import objective
from aigc_models.table_vae.account_data import LONGEST, Accounts, Clock
from aigc_models.table_vae.account_networks import AccountVae, features, kl_between, packed, padded
from aigc_models.table_vae.trainer import learning_rate
from aigc_models.tables.drawing import Candidates, finish_rows, noise_source, threads_on
from aigc_models.tables.encoding import Encoded, Encoder, generator
from aigc_models.tables.lesson import Lesson

_UNITS = 512  # accounts proposed at once
_WEIGHT_DECAY = 1e-5
# Nats of each latent number that cost nothing, so that the rows before do not push all of them aside (Kingma et al.
# 2016, section C.8); what an account is like is worth a few nats.
_FREE = 0.05


class AccountTrainer:
    """Networks, their average, and their next step."""

    def __init__(self, lesson: Lesson) -> None:
        params, layout = lesson.params, lesson.encoder.layout
        assert lesson.starts is not None
        self.lesson, self._rows = lesson, len(lesson.encoded)
        self._starts = lesson.starts
        ends = torch.cat([lesson.starts[1:], lesson.starts.new_tensor([self._rows])])
        self._lengths = ends - lesson.starts
        self._accounts = Accounts.read(lesson.more["accounts"])
        self._before = Clock.of(self._accounts, lesson.encoder).before(lesson.encoded, self._starts)
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
        kept = lengths.clamp(max=LONGEST)
        places = torch.arange(int(kept.max()))
        there = places < kept[:, None]  # (A, T)
        rows = (self._starts[accounts][:, None] + places).clamp(max=self._rows - 1)
        times = self._before[rows]
        noise = torch.randn(len(accounts), self.vae.latent_dim, generator=self._noise)
        batch = [each.to(self.lesson.device) for each in (rows, there, lengths, kept, times, noise)]

        def loss(part: slice) -> tuple[Tensor, Figures]:
            count = there.sum() * (part.stop - part.start) / len(accounts)
            return self._loss([each[part] for each in batch], float(count))

        figures = self._parts.descend(self._adam, len(accounts), loss)
        self._ema.update(step)
        return figures

    def _loss(self, batch: Sequence[Tensor], count: float) -> tuple[Tensor, Figures]:
        rows, there, lengths, kept, times, noise = batch
        vae, encoded = self.vae, self.lesson.encoded
        present = rows[there]
        scalars, codes = encoded.scalars[present], encoded.codes[present]
        read = noise.new_zeros(*there.shape, vae.width)
        read[there] = vae.read(scalars, codes)
        known = features(lengths, times)
        posterior, prior = vae.encode(packed(torch.cat([read, known], 2), kept), lengths), vae.prior_of(lengths)
        z = posterior[0] + noise * (0.5 * posterior[1]).exp()
        before = torch.cat(
            [
                torch.zeros_like(read[:, :1]),
                read[:, :-1],
            ],
            1,
        )
        state, _ = vae.past(packed(torch.cat([before, known], 2), kept), vae.first_state(z))
        context = torch.cat([padded(state, there.shape[1]), z[:, None].expand(-1, there.shape[1], -1), known], 2)
        numbers, spreads, logits = vae.chain(context[there], scalars, codes)
        error = objective.reconstruction((numbers, logits), spreads, scalars, codes, vae.layout) / count
        kl = kl_between(posterior, prior)  # (A, Z)
        charged = kl.mean(0).clamp(min=_FREE).sum() * len(kl) / count
        loss = error + charged
        return loss, {"loss": loss, "reconstruction": error, "kl": kl.sum(1).mean()}

    def source(self, draft: bool = False) -> "AccountSource":
        """The averaged networks, ready to draw."""
        return AccountSource(self._average, self.lesson.encoder, self._accounts)


class AccountSource:
    """Proposes accounts, as long as those seen."""

    def __init__(self, vae: AccountVae, encoder: Encoder, accounts: Accounts) -> None:
        self.vae, self.encoder, self.accounts = vae.eval(), encoder, accounts
        self.columns, self.compared = accounts.columns, accounts.compared
        self.unmeasured = frozenset({accounts.account})
        self._clock, self.threads = Clock.of(accounts, encoder), threads_on(vae.start.weight.device)

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
    def _rows(self, lengths: Tensor, noise: torch.Generator) -> Encoded:
        """Rows of all accounts, one place after the other; accounts that are done cost nothing."""
        vae, longest, layout = self.vae, int(lengths.max()), self.vae.layout
        device, order = vae.start.weight.device, lengths.argsort(descending=True, stable=True)
        lengths = lengths[order]
        own = lengths.to(device)
        mean, log_variance = vae.prior_of(own)
        z = mean + torch.randn(len(lengths), vae.latent_dim, generator=noise).to(device) * (0.5 * log_variance).exp()
        state, read = vae.first_state(z), z.new_zeros(len(lengths), vae.width)
        scalars = z.new_zeros(len(lengths), longest, layout.scalars)
        codes = torch.zeros(len(lengths), longest, len(layout.widths), dtype=torch.int16, device=device)
        times = torch.zeros(len(lengths))
        for place in range(longest):
            live = int((lengths > place).sum())
            normal, uniform = (draw(live, size, generator=noise).to(device) for draw, size in self._draws())
            known = features(own[:live], times[:live, None].to(device).expand(-1, place + 1))[:, -1]
            _, state = vae.past(torch.cat([read[:live], known], 1)[:, None], state[:, :live].contiguous())
            context = torch.cat([state[0], z[:live], known], 1)
            numbers, chosen = vae.chain.write(context, (normal, uniform), self._shut(place, live, device))
            scalars[:live, place], codes[:live, place] = numbers, chosen
            read = vae.read(numbers, chosen)
            times = self._clock.after(times[:live], Encoded(numbers.cpu(), chosen.cpu()), first=place == 0)
        there = torch.arange(longest) < lengths[:, None]
        back = order.argsort()
        there = there[back].to(device)
        return Encoded(scalars[back.to(device)][there].cpu(), codes[back.to(device)][there].cpu())

    def _draws(self) -> tuple[tuple[Any, int], tuple[Any, int]]:
        return (torch.randn, self.vae.layout.scalars), (torch.rand, len(self.vae.layout.widths))

    def _shut(self, place: int, live: int, device: torch.device) -> dict[int, Tensor]:
        """Codes that cannot be: a first row has a first time and no gap, all others the other way round."""
        found = {}
        for name, present in ((self.accounts.first, place == 0), (self.accounts.gap, place > 0)):
            codec = self.encoder.codecs[name]
            if name not in self.encoder.segments or not codec.missing:
                continue
            missing = torch.arange(codec.width, device=device) == codec.width - 1
            found[self.encoder.segments.index(name)] = (missing if present else ~missing).expand(live, -1)
        return found

    def finish(self, table: Any, seed: int) -> Any:
        """With accounts and identifiers of its own."""
        hashes = self.encoder.hashes.get(self.accounts.account, np.empty(0, np.uint64))
        return self.accounts.number(finish_rows(table, self.encoder, seed), seed, hashes)
