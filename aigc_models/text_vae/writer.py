"""From latent numbers to sentences, many at once, each from draws of its own."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from aigc_models.text_vae.networks import TextVae
from aigc_models.text_vae.sentences import rows_of
from aigc_models.writing.sampling import Choice, pick, uniforms
from aigc_models.writing.tokenizers import BODY, END, Tokenizer

AT_ONCE = 128


@torch.inference_mode()
def decode_all(
    network: TextVae,
    z: Tensor,
    temperature: float,
    seeds: Sequence[int],
    after_step: Callable[[int], None] = lambda _rows: None,
) -> list[list[int]]:
    """Write a sentence for each row of latent numbers.

    Args:
        network: Writes.
        z: (B, Z).
        temperature: As :class:`~aigc_models.writing.sampling.Choice` has it.
        seeds: Of each row's draws.
        after_step: Called after each token of a batch with its rows; may raise.
    """
    written: list[list[int]] = []
    for first in range(0, len(z), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        written += _decode(network, z[some], Choice(temperature), seeds[some], after_step)
    return written


def _decode(
    network: TextVae, z: Tensor, choice: Choice, seeds: Sequence[int], after_step: Callable[[int], None]
) -> list[list[int]]:
    device, longest = network.embedding.weight.device, network.plan.longest
    draws = np.stack([uniforms(seed, longest) for seed in seeds])
    z, caches = z.to(device), network.caches(len(z))
    last = torch.full((len(z),), BODY, device=device)
    rows = torch.empty(len(z), 0, dtype=torch.int64)
    ended = torch.zeros(len(z), dtype=torch.bool)
    for place in range(longest):
        scores = network.decode_next(last, z, caches).float().cpu().numpy()
        scores[:, [BODY, network.hidden_token]] = -np.inf
        tokens = torch.from_numpy(pick(scores, choice, draws[:, place])).masked_fill(ended, END)
        rows = torch.cat([rows, tokens[:, None]], 1)
        ended |= tokens == END
        last = tokens.to(device)
        after_step(len(z))
        if bool(ended.all()):
            break
    return [row[: row.index(END)] if END in row else row for row in rows.tolist()]


@torch.inference_mode()
def encode_all(network: TextVae, tokenizer: Tokenizer, sentences: Sequence[str]) -> Tensor:
    """The means of sentences' latent numbers, (S, Z) on the CPU; all must be short enough."""
    rows = rows_of(tokenizer, sentences, network.plan.longest)
    device = network.embedding.weight.device
    parts = [
        network.encode(*(each.to(device) for each in rows.take(some)))[0].cpu()
        for some in torch.arange(len(rows)).split(AT_ONCE)
    ]
    return torch.cat(parts)


def between(first: Tensor, second: Tensor, steps: int) -> Tensor:
    """Points on the way from one sentence to another, both ends included, (steps, Z).

    Along a great circle, as points on a straight line are nearer to zero than sentences are (White 2016).
    """
    shares = torch.linspace(0, 1, steps)[:, None]
    cosine = torch.nn.functional.cosine_similarity(first, second, dim=0).clamp(-1, 1)
    angle = torch.acos(cosine)
    if float(torch.sin(angle)) < 1e-4:
        return first + shares * (second - first)
    return (torch.sin((1 - shares) * angle) * first + torch.sin(shares * angle) * second) / torch.sin(angle)


def near(point: Tensor, noise: Tensor, distance: float) -> Tensor:
    """Points around one: as much of the sentence as of chance, by the distance from 0 to 1; (N, Z)."""
    return torch.as_tensor(float(1 - distance**2) ** 0.5 * point + distance * noise)
