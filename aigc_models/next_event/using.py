"""A trained network at work: what comes after some events, how likely sessions end somehow, and what that rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from aigc_models.next_event.networks import NextEventNetwork, Rows
from aigc_models.next_event.paths import rows_of

MOST_REMOVED = 100  # newest events of a history that are taken out one by one
MOST_REASONS = 3
_CHUNK = 128

Weighed = list[tuple[int, float]]  # places in a history and their weights, the weightiest first


@dataclass(frozen=True, slots=True)
class Given:
    """What is known of sessions whose events are looked at: what they are for, and how they end; None where open."""

    task: int | None = None
    outcome: int | None = None


OPEN = Given()


@torch.inference_mode()
def expected(network: NextEventNetwork, rows: Rows) -> Tensor:
    """What the network expects after the last event of each row, (B, D)."""
    return torch.cat([network(rows.take(slice(at, at + _CHUNK)))[:, -1] for at in range(0, len(rows), _CHUNK)])


def next_shares(
    network: NextEventNetwork,
    histories: Sequence[Sequence[int]],
    given: Given = OPEN,
    gaps: Sequence[Sequence[int]] | None = None,
) -> Tensor:
    """Logarithms of what comes next after each history, the end of the session last; (B, A + 1)."""
    rows = rows_of(network, histories, given.task, given.outcome, gaps)
    return torch.log_softmax(network.scores(expected(network, rows)).float(), -1).cpu()


def ending_shares(
    network: NextEventNetwork, histories: Sequence[Sequence[int]], given: Given = OPEN
) -> tuple[Tensor, Tensor]:
    """Logarithms of what sessions are for and of how they end, so far; (B, tasks) and (B, outcomes)."""
    hidden = expected(network, rows_of(network, histories, given.task, given.outcome))
    task, outcome = network.say_task(hidden).float(), network.say_outcome(hidden).float()
    return torch.log_softmax(task, -1).cpu(), torch.log_softmax(outcome, -1).cpu()


def missed(network: NextEventNetwork, history: Sequence[int], events: Sequence[int], given: Given) -> list[Weighed]:
    """For each next event, the places in the history without which it is less likely, with their shares of that."""
    places = list(range(len(history)))[-MOST_REMOVED:]
    if not places or not events:
        return [[] for _ in events]
    without = [[*history[:place], *history[place + 1 :]] for place in places]
    shares = next_shares(network, [history, *without], given)[:, list(events)]
    falls = (shares[0] - shares[1:]).clamp(min=0)  # (places, events)
    weights = falls / falls.sum(0).clamp(min=torch.finfo(falls.dtype).tiny)
    return [_weightiest(places, column) for column in weights.T.tolist()]


@torch.inference_mode()
def looked_at(network: NextEventNetwork, history: Sequence[int], given: Given = OPEN) -> Weighed:
    """What the last event looks at through all blocks, whatever comes next."""
    if not history:
        return []
    weights = network.looked_at(rows_of(network, [history], given.task, given.outcome))[0].tolist()
    newest = min(len(history), len(weights))
    places = list(range(len(history)))[-newest:]
    return _weightiest(places, weights[-newest:])


def path_shares(network: NextEventNetwork, paths: Sequence[Sequence[int]], given: Given) -> list[list[float]]:
    """Logarithms of each event of ways, and of the session's end after them; one more than events each."""
    plan = network.plan
    rows = rows_of(network, paths, given.task, given.outcome)
    with torch.inference_mode():
        shares = torch.log_softmax(network.scores(network(rows)).float(), -1).cpu()
    found = []
    for row, path in zip(shares, paths, strict=True):
        wanted = torch.tensor([*path, plan.end])[-row.shape[0] :]
        found.append(row[-len(wanted) :].gather(1, wanted[:, None])[:, 0].tolist())
    return found


def _weightiest(places: Sequence[int], weights: Sequence[float]) -> Weighed:
    found = sorted(zip(places, weights, strict=True), key=lambda pair: -pair[1])
    return [(place, weight) for place, weight in found[:MOST_REASONS] if weight > 0]
