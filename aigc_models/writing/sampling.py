"""From scores of the next token to the token: temperature, the likeliest few, less of what was said before.

Every text draws from a seed of its own, one number between 0 and 1 for each token, so it is the same alone or in a
batch (but for rounding: a draw that falls within a millionth of the border between two tokens may take the other).
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

Numbers = NDArray[np.float32]


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


def uniforms(seed: int, count: int) -> Numbers:
    """The draws of one text, (count,)."""
    generator = torch.Generator().manual_seed(seed)
    drawn: Numbers = torch.rand(count, generator=generator).numpy()
    return drawn


def pick(scores: Numbers, choice: Choice, draws: Numbers, said: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """The next token of each row.

    Args:
        scores: Of all tokens; changed in place.
        choice: How.
        draws: From 0 to 1, one for each row.
        said: Which tokens each row has already; needed for a penalty only.

    Shape: scores (B, V), draws (B,), said (B, V) to (B,).
    """
    if said is not None and choice.repetition_penalty != 1.0:
        fewer = np.where(scores > 0, scores / choice.repetition_penalty, scores * choice.repetition_penalty)
        scores = np.where(said, fewer, scores)
    if choice.temperature <= 0:
        likeliest: NDArray[np.int64] = scores.argmax(-1)
        return likeliest
    scores -= np.maximum.reduce(scores, -1, keepdims=True)
    if choice.temperature != 1.0:
        scores *= np.float32(1 / choice.temperature)
    if 0 < choice.top_k < scores.shape[-1]:
        least = np.partition(scores, -choice.top_k, -1)[:, -choice.top_k, None]
        scores[scores < least] = -np.inf
    shares = np.exp(scores, out=scores)
    if choice.top_p < 1.0:
        _leave_likeliest(shares, choice.top_p)
    np.add.accumulate(shares, -1, out=shares)
    wanted = draws[:, None] * shares[:, -1:]  # the sum is not one
    passed: NDArray[np.int64] = np.add.reduce(shares <= wanted, -1)
    last: NDArray[np.int64] = np.minimum(passed, scores.shape[-1] - 1)
    return last


def _leave_likeliest(shares: Numbers, part: float) -> None:
    """Leave the likeliest tokens that have a part of the whole together, at least one and all as likely as the last."""
    ordered = np.sort(shares, -1)[:, ::-1]
    together = np.add.accumulate(ordered, -1)
    wanted = np.add.reduce(together - ordered < part * together[:, -1:], -1)  # what is likelier does not do yet
    least = np.take_along_axis(ordered, wanted[:, None] - 1, -1)
    shares[shares < least] = 0
