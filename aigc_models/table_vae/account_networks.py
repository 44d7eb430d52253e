"""A VAE over accounts: latent numbers for a whole account, and rows that read the rows before them."""

import math

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from aigc_models.table_vae.chain import RowChain, RowReader
from aigc_models.tables.layout import Layout

FEATURES = 4  # of a place in an account: how many rows there are, how many are done, whether it is the first, the time
_ACCOUNT, _NARROW = 2, 32


class AccountVae(nn.Module):
    """What an account is like (Z), and its rows one after the other, each told column by column.

    An encoder reads all rows; the prior of what it finds knows how many there are (Sohn et al. 2015). A GRU over the
    rows before and a chain over the columns before write the next row, so only what rows of an account have in common
    is left to the latent numbers (Bowman et al. 2016).
    """

    def __init__(self, layout: Layout, width: int, latent_dim: int) -> None:
        super().__init__()
        self.layout, self.latent_dim, self.width = layout, latent_dim, width
        self.reader, self.read_bias = RowReader(layout, width), nn.Linear(width, width)
        self.all_rows = nn.GRU(width + FEATURES, width, batch_first=True)
        self.posterior = nn.Linear(width + _ACCOUNT, 2 * latent_dim)
        self.prior = nn.Sequential(nn.Linear(_ACCOUNT, _NARROW), nn.Tanh(), nn.Linear(_NARROW, 2 * latent_dim))
        self.start = nn.Linear(latent_dim, width)
        self.past = nn.GRU(width + FEATURES, width, batch_first=True)
        self.chain = RowChain(width + latent_dim + FEATURES, width, layout)

    def initialise_own(self, generator: torch.Generator) -> None:
        """The recurrent weights as is usual for a GRU; distributions that start close to N(0, I)."""
        bound = 1 / math.sqrt(self.width)
        for gru in (self.all_rows, self.past):
            for weight in gru.parameters():
                nn.init.uniform_(weight, -bound, bound, generator=generator)
        for head in (self.posterior, self.prior[2]):
            assert isinstance(head, nn.Linear)
            nn.init.normal_(head.weight, std=0.02, generator=generator)

    def read(self, scalars: Tensor, codes: Tensor) -> Tensor:
        """A row as the recurrent networks take it. Shape: (R, S), (R, K) to (R, width)."""
        read: Tensor = self.read_bias(self.reader(scalars, codes).sum(1).relu())
        return read

    def encode(self, rows: PackedSequence, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of what accounts are like, from rows with their features. Shape: twice (A, Z)."""
        _, last = self.all_rows(rows)
        return halves(self.posterior(torch.cat([last[0], of_account(lengths)], 1)))

    def prior_of(self, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of accounts with so many rows. Shape: (A,) to twice (A, Z)."""
        return halves(self.prior(of_account(lengths)))

    def first_state(self, z: Tensor) -> Tensor:
        """What the GRU starts from. Shape: (A, Z) to (1, A, width)."""
        state: Tensor = self.start(z).tanh()[None]
        return state


def halves(said: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance, the latter within bounds. Shape: (A, 2 Z) to twice (A, Z)."""
    mean, log_variance = said.chunk(2, -1)
    return mean, log_variance.clamp(-6, 3)


def of_account(lengths: Tensor) -> Tensor:
    """What is known of an account beforehand. Shape: (A,) to (A, 2)."""
    total = lengths.float()
    return torch.stack([total.log1p() / 4, (total == 1).float()], 1)


def features(lengths: Tensor, times: Tensor) -> Tensor:
    """What is known of each place.

    Shape: rows of each account (A,), the time of the row before each place (A, T), from 0 to 1, to (A, T, 4).
    """
    place = torch.arange(times.shape[1], device=lengths.device).expand(times.shape)
    total = lengths[:, None].float()
    first = (place == 0).float()
    columns = (total.log1p().expand_as(times) / 4, (place / total).clamp(max=1), first, times)
    return torch.stack(columns, 2)


def kl_between(q: tuple[Tensor, Tensor], p: tuple[Tensor, Tensor]) -> Tensor:
    """KL(q || p) of diagonal Gaussians in nats, for each latent number. Shape: (A, Z)."""
    (mean, log_variance), (other, other_log) = q, p
    ratio = (log_variance - other_log).exp() + (mean - other).square() / other_log.exp()
    return 0.5 * (ratio - 1 + other_log - log_variance)


def packed(places: Tensor, lengths: Tensor) -> PackedSequence:
    """Places of accounts (A, T, X) without those beyond their ends."""
    return pack_padded_sequence(places, lengths.cpu(), batch_first=True, enforce_sorted=False)


def padded(rows: PackedSequence, longest: int) -> Tensor:
    """The same the other way round. Shape: (A, T, X)."""
    places: Tensor = pad_packed_sequence(rows, batch_first=True, total_length=longest)[0]
    return places
