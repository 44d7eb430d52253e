"""A ranker that tells real texts from written ones, by how a trained network sees them, to keep the best of many.

The idea of a GAN's discriminator without its training game: the writer learns by likelihood, and the judge chooses
among what it writes (Caccia et al. 2020 on why; Holtzman et al. 2018 for judges of texts).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models.writing.language_model import LanguageModel

_FIGURES = 3
_ROUNDS, _DECAY = 60, 1e-2
_READ = 16  # texts read at once
_LEAST = -100.0  # log-share of a token that is never written, such as a mark where attributes fill the whole context


class Ranker(nn.Module):
    """Logistic regression on what a network expects along a text: its mean state, and how likely the tokens were.

    Args:
        width: Width of the network.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.middle: Tensor
        self.spread: Tensor
        self.judge = nn.Linear(width + _FIGURES, 1)
        self.register_buffer("middle", torch.zeros(width + _FIGURES))
        self.register_buffer("spread", torch.ones(width + _FIGURES))
        nn.init.zeros_(self.judge.weight)
        nn.init.zeros_(self.judge.bias)

    def forward(self, seen: Tensor) -> Tensor:
        """How real texts look, in log-odds: (N, D + 3) to (N,)."""
        return torch.as_tensor(self.judge((seen - self.middle) / self.spread)).squeeze(-1)

    def fit(self, real: Tensor, made: Tensor) -> None:
        """Learn from what :func:`look` sees in both; the same numbers each time."""
        seen = torch.cat([real, made])
        wanted = torch.cat([torch.ones(len(real)), torch.zeros(len(made))])
        self.middle.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0).clamp(min=1e-4))
        optimiser = torch.optim.LBFGS(self.parameters(), max_iter=_ROUNDS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimiser.zero_grad()
            value = F.binary_cross_entropy_with_logits(self(seen), wanted)
            value = value + _DECAY * self.judge.weight.square().sum()
            value.backward()
            return value

        optimiser.step(loss)


@torch.inference_mode()
def look(network: LanguageModel, texts: Sequence[Sequence[int]], given: Sequence[int]) -> Tensor:
    """What a network sees in texts, from the token after what was given on.

    Args:
        network: Reads.
        texts: Tokens of each; as many of the first as the network looks back at.
        given: How many tokens of each were not written.

    Shape: (N, D + 3) on the CPU: mean state, mean and deviation of the tokens' log-shares, and the share of different
    tokens.
    """
    found = torch.zeros(len(texts), network.width + _FIGURES)
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(order), _READ):
        some = order[start : start + _READ]
        rows = [list(texts[place][: network.context + 1]) for place in some]
        longest = max(2, *map(len, rows))
        tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows], device=network.device)
        states, scores = network.see(tokens[:, :-1])
        shares = torch.log_softmax(scores.float(), -1).clamp(min=_LEAST)
        likely = shares.gather(-1, tokens[:, 1:, None]).squeeze(-1).cpu()  # (B, T)
        for place, row, state, one in zip(some, rows, states.float().cpu(), likely, strict=True):
            begin = min(max(given[place] - 1, 0), max(len(row) - 2, 0))
            end = max(len(row) - 1, begin + 1)
            part, logs = state[begin:end], one[begin:end]
            different = len(set(row[begin + 1 :])) / max(len(row) - begin - 1, 1)
            figures = torch.tensor([float(logs.mean()), float(logs.std(correction=0)), different])
            found[place] = torch.cat([part.mean(0), figures])
    return found


def area_under_curve(real: Tensor, made: Tensor) -> float:
    """How often a real text scores above a written one; ties count half."""
    above = (real[:, None] > made[None]).float() + 0.5 * (real[:, None] == made[None]).float()
    return float(above.mean()) if above.numel() else 0.5
