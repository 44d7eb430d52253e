"""The likeliest way through a session, as the network sees it: beam search from the start to the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from aigc_models.next_event.networks import NextEventNetwork, Rows


@dataclass(frozen=True, slots=True)
class Wish:
    """What a way is to be like.

    Attributes:
        task: What it is for; None where that is open.
        outcome: How it ends; None where that is open.
        begins: Events that it begins with.
        goal: The event that ends it; None for the end of a session.
        longest: Most events.
        allowed: Events that may come; None for all.
    """

    task: int | None = None
    outcome: int | None = None
    begins: Sequence[int] = ()
    goal: int | None = None
    longest: int = 50
    allowed: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class _Beam:
    events: tuple[int, ...]
    score: float


@torch.inference_mode()
def typical_path(network: NextEventNetwork, wish: Wish, beams: int = 8) -> list[int]:
    """The likeliest events from the start to the end, of all sequences that the beams keep; nothing twice in a row.

    Source: beam search with the sum of logarithms as its score and no norm for length, so that the mode of the whole
    sequence is what is looked for.
    """
    alive = [_Beam(tuple(wish.begins), 0.0)]
    done: list[_Beam] = []
    end = network.plan.end if wish.goal is None else wish.goal
    while alive and len(alive[0].events) < wish.longest:
        shares = _shares(network, [one.events for one in alive], wish)
        grown = []
        for beam, row in zip(alive, shares, strict=True):
            best = row.topk(min(beams + 1, len(row)))
            for event, share in zip(best.indices.tolist(), best.values.tolist(), strict=True):
                if share > -torch.inf:
                    grown.append(_Beam((*beam.events, event), beam.score + share))
        grown.sort(key=lambda one: -one.score)
        done += [one for one in grown if one.events[-1] == end]
        alive = [one for one in grown if one.events[-1] != end][:beams]
        best_done = max((one.score for one in done), default=-torch.inf)
        alive = [one for one in alive if one.score > best_done]  # the others can only become less likely
    best = max(done or alive, key=lambda one: one.score, default=_Beam((), 0.0))
    return [event for event in best.events if event != network.plan.end]


def _shares(network: NextEventNetwork, begun: Sequence[Sequence[int]], wish: Wish) -> torch.Tensor:
    """Logarithms of what comes next in each way; what may not come is at minus infinity, (B, A + 1)."""
    plan = network.plan
    rows = rows_of(network, begun, wish.task, wish.outcome)
    scores = network.scores(network(rows)[:, -1]).float().cpu()
    shares = torch.log_softmax(scores, -1)
    if wish.allowed is not None:
        outside = torch.ones(plan.actions + 1, dtype=torch.bool)
        outside[[*wish.allowed, plan.end]] = False
        shares[:, outside] = -torch.inf
    if wish.goal is not None:
        shares[:, plan.end] = -torch.inf
    for row, events in zip(shares, begun, strict=True):
        if events:
            row[events[-1]] = -torch.inf
        else:
            row[plan.end] = -torch.inf  # a way has at least one event
    return shares


def rows_of(
    network: NextEventNetwork,
    begun: Sequence[Sequence[int]],
    task: int | None = None,
    outcome: int | None = None,
    gaps: Sequence[Sequence[int]] | None = None,
) -> Rows:
    """Sessions as rows, aligned at their ends, of long ones the newest events; times that are not given are unknown."""
    plan = network.plan
    started = [[plan.start, *events][-plan.max_length :] for events in begun]
    longest = max(map(len, started))
    events = torch.full((len(started), longest), plan.missing)
    kinds = torch.zeros((len(started), longest), dtype=torch.int64)
    for row, numbers in enumerate(started):
        events[row, longest - len(numbers) :] = torch.tensor(numbers)
        if gaps is not None:
            own = [0, *gaps[row]][-plan.max_length :]
            kinds[row, longest - len(own) :] = torch.tensor(own)
    tasks = torch.full((len(started),), plan.tasks if task is None else task)
    outcomes = torch.full((len(started),), plan.outcomes if outcome is None else outcome)
    return Rows(events, kinds, tasks, outcomes).to(str(network.embedding.weight.device))
