"""From scores of the next token to the token: temperature, the likeliest few, less of what was said before.

Every text draws from a seed of its own, one number between 0 and 1 for each token, so it is the same alone or in a
batch (but for rounding: a draw that falls within a millionth of the border between two tokens may take the other).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Choice:
    """How tokens are chosen.

    Attributes:
        temperature: What scores are divided by; 0 takes the likeliest.
        top_k: So many of the likeliest tokens may come; 0 for all.
        top_p: The likeliest tokens may come that have this share together (Holtzman et al. 2020).
        repetition_penalty: How much less likely a token is that the text has already (Keskar et al. 2019, section 4.1).
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    repetition_penalty: float = 1.0


def uniforms(seed: int, count: int) -> Tensor:
    """The draws of one text, (count,)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, generator=generator)


def pick(scores: Tensor, choice: Choice, draws: Tensor, said: Tensor | None = None) -> Tensor:
    """The next token of each row.

    Args:
        scores: Of all tokens; changed in place.
        choice: How.
        draws: From 0 to 1, one for each row.
        said: Which tokens each row has already, bool; needed for a penalty only.

    Shape: scores (B, V), draws (B,), said (B, V) to int64 (B,).
    """
    scores = scores.float()
    if said is not None and choice.repetition_penalty != 1.0:
        fewer = torch.where(scores > 0, scores / choice.repetition_penalty, scores * choice.repetition_penalty)
        scores = torch.where(said, fewer, scores)
    if choice.temperature <= 0:
        return scores.argmax(-1)
    if choice.temperature != 1.0:
        scores = scores / choice.temperature
    if 0 < choice.top_k < scores.shape[-1]:
        least = scores.topk(choice.top_k, -1).values[:, -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if choice.top_p < 1.0:
        scores = _likeliest_share(scores, choice.top_p)
    shares = torch.softmax(scores, -1).cumsum(-1)
    wanted = draws[:, None].to(shares.device) * shares[:, -1:]  # the sum is one but for rounding
    return (shares <= wanted).sum(-1).clamp(max=scores.shape[-1] - 1)


def _likeliest_share(scores: Tensor, share: float) -> Tensor:
    """Leave the likeliest tokens that have a share together, at least one."""
    ordered, order = scores.sort(-1, descending=True)
    before = torch.softmax(ordered, -1).cumsum(-1) - torch.softmax(ordered, -1)
    ordered = ordered.masked_fill(before >= share, -torch.inf)
    return torch.full_like(scores, -torch.inf).scatter(-1, order, ordered)
