"""How likely a sentence VAE takes sentences to be.

B sentences, T tokens, Z latent numbers, K draws of these.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from aigc_models import training
from aigc_models.text_vae.networks import TextVae
from aigc_models.text_vae.sentences import Rows, shifted

_AT_ONCE = 64  # sentences


@dataclass(frozen=True, slots=True)
class Bound:
    """The evidence lower bound of sentences, in nats of all of them.

    Attributes:
        reconstruction: Of the tokens, given latent numbers drawn once for each sentence.
        kl: Of the KL term.
        tokens: How many tokens there are, ends included.
    """

    reconstruction: float
    kl: float
    tokens: int


def nats_of(scores: Tensor, tokens: Tensor, known: Tensor) -> Tensor:
    """Nats of the tokens that count, from scores (B, T, V) and tokens and marks (B, T) to (B, T)."""
    nats = F.cross_entropy(scores.float().flatten(0, 1), tokens.flatten(), reduction="none").view(tokens.shape)
    return nats * known


def kl_by_number(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) of each latent number in nats, (B, Z).

    Source: Kingma and Welling 2013, appendix B.
    """
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance)


@torch.inference_mode()
def bound(network: TextVae, rows: Rows, most: int) -> Bound:
    """The bound of the first sentences, always by the same draws."""
    nats, kl, count = 0.0, 0.0, 0
    draws = training.seeded(0, "bound")
    for tokens, known in _batches(network, rows, most):
        mean, log_variance = network.encode(tokens, known)
        z = mean + _noise(mean, draws) * (0.5 * log_variance).exp()
        nats += float(nats_of(network.decode(shifted(tokens), z), tokens, known).sum())
        kl += float(kl_by_number(mean, log_variance).sum())
        count += int(known.sum())
    return Bound(nats, kl, count)


@torch.inference_mode()
def tighter_bound(network: TextVae, rows: Rows, draws: int, after_batch: Callable[[], None]) -> float:
    """Nats of sentences by the importance-weighted bound, which nears their likelihood as there are more draws.

    Source: Burda et al. 2016, equation 8.

    Args:
        network: Reads and writes.
        rows: The sentences.
        draws: K, of the latent numbers of each.
        after_batch: Called after each batch; may raise.
    """
    total, noise = 0.0, training.seeded(0, "weights")
    for tokens, known in _batches(network, rows, len(rows)):
        mean, log_variance = network.encode(tokens, known)
        before, weights = shifted(tokens), []
        for _ in range(draws):
            chance = _noise(mean, noise)
            z = mean + chance * (0.5 * log_variance).exp()
            likely = -nats_of(network.decode(before, z), tokens, known).sum(1)
            # log p(z) - log q(z | x), both normal; their constants cancel.
            weights.append(likely + 0.5 * (chance.square() + log_variance - z.square()).sum(1))
        total -= float((torch.stack(weights).double().logsumexp(0) - math.log(draws)).sum())
        after_batch()
    return total


def _batches(network: TextVae, rows: Rows, most: int) -> Iterator[tuple[Tensor, Tensor]]:
    device = network.embedding.weight.device
    for some in torch.arange(min(len(rows), most)).split(_AT_ONCE):
        tokens, known = rows.take(some)
        yield tokens.to(device), known.to(device)


def _noise(mean: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(mean.shape, generator=generator).to(mean.device)
