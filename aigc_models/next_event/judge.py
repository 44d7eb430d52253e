"""What a model of the next event is worth on sessions it never saw, beside what counting reaches."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from aigc_models.base import Metrics, Run
from aigc_models.metrics.ngram import WittenBell
from aigc_models.next_event.figures import BASELINES
from aigc_models.next_event.lesson import Sessions
from aigc_models.next_event.networks import NextEventNetwork
from aigc_models.next_event.paths import rows_of
from aigc_models.next_event.trainer import event_losses

_ORDERS: Mapping[str, int] = {"frequent": 1, "markov1": 2, "markov3": 4}
assert set(_ORDERS) == set(BASELINES)
_CHUNK, _CELLS = 256, 2**23
_MOST_SESSIONS = 5_000  # more change a figure less than another seed does

Floats = NDArray[np.float64]


def judge(network: NextEventNetwork, learnt: Sessions, test: Sessions, run: Run) -> dict[str, float]:
    """Measure a network on test sessions, beside counts of the sessions that were learnt from."""
    test = first(test, _MOST_SESSIONS)
    losses, places = (torch.cat(part).numpy() for part in zip(*event_losses(network, test, run.device), strict=True))
    found = figures(np.asarray(losses, np.float64), np.asarray(places))
    beside = {name: counting(learnt, test, order) for name, order in _ORDERS.items()}
    best = min(beside, key=lambda name: beside[name]["perplexity"])
    for line in verdict(found, beside, best):
        run.log(line)
    each = {f"{figure}_{name}": one[figure] for name, one in beside.items() for figure in one}
    standard = {f"{figure}_baseline": value for figure, value in beside[best].items()}
    counts = {"test_sessions": float(len(test)), "test_events": float(len(losses))}
    return {**found, **_endings(network, learnt, test), **standard, **each, **counts}


def first(sessions: Sessions, most: int) -> Sessions:
    """The sessions, or the first of very many; they have no order that says anything."""
    if len(sessions) <= most:
        return sessions
    lists = sessions.lists.take(slice(0, most))
    return Sessions(lists, sessions.gaps[: len(lists.items)], sessions.tasks[:most], sessions.outcomes[:most])


def figures(losses: Floats, places: NDArray[np.int64]) -> dict[str, float]:
    """Accuracies and perplexity from the nats and the place of each event."""
    return {
        "accuracy1": float((places < 1).mean()),
        "accuracy3": float((places < 3).mean()),
        "perplexity": float(math.exp(min(float(losses.mean()), 700.0))),
    }


def counting(learnt: Sessions, test: Sessions, order: int) -> dict[str, float]:
    """The same figures of counting what follows ``order - 1`` events, smoothed after Witten and Bell."""
    start = int(learnt.lists.items[0])
    vocabulary = start + 1
    padding = [start] * (order - 1)
    symbols = np.concatenate([[*padding, *learnt.lists[row][1:-1]] for row in range(len(learnt))]).astype(np.int64)
    counts = WittenBell(symbols, vocabulary, order)
    contexts, wanted = list[list[int]](), list[int]()
    for row in range(len(test)):
        events = test.lists[row].tolist()[1:-1]
        whole = [*padding, *events]
        contexts += [whole[place : place + order - 1] for place in range(len(events))]
        wanted += events
    losses, places = [], []
    chunk = max(1, _CELLS // vocabulary)
    for at in range(0, len(wanted), chunk):
        shares = counts.following(contexts[at : at + chunk])
        shares[:, start] = 0.0  # nothing is ever followed by the start of a session
        shares /= shares.sum(1, keepdims=True)
        own = shares[np.arange(len(shares)), wanted[at : at + chunk]]
        losses.append(-np.log(np.maximum(own, 1e-300)))
        places.append((shares > own[:, None]).sum(1))
    return figures(np.concatenate(losses), np.concatenate(places))


def verdict(found: Metrics, beside: Mapping[str, Metrics], best: str) -> list[str]:
    """Plain sentences on where the model stands."""
    others = ", ".join(f"{BASELINES[name]} {one['accuracy1']:.3f}" for name, one in beside.items())
    lines = [
        f"Accuracy@1 {found['accuracy1']:.3f}, perplexity {found['perplexity']:.2f}; beside it accuracy of {others}."
    ]
    if found["perplexity"] >= beside[best]["perplexity"]:
        lines.append(
            f"The model is not better than counting: {BASELINES[best]} reaches a perplexity of "
            f"{beside[best]['perplexity']:.2f}."
        )
    return lines


@torch.inference_mode()
def _endings(network: NextEventNetwork, learnt: Sessions, test: Sessions) -> dict[str, float]:
    """How often task and outcome are told from whole sessions, beside always saying the commonest."""
    plan, found = network.plan, {}
    whole = [test.lists[row][1:-1].tolist() for row in range(len(test))]
    rows = rows_of(network, whole)
    expected = torch.cat([network(rows.take(slice(at, at + _CHUNK)))[:, -1] for at in range(0, len(rows), _CHUNK)])
    for name, head, count, true, seen in (
        ("task", network.say_task, plan.tasks, test.tasks, learnt.tasks),
        ("outcome", network.say_outcome, plan.outcomes, test.outcomes, learnt.outcomes),
    ):
        known = true < count
        if not count or not known.any() or not (seen < count).any():
            continue
        said = head(expected).argmax(-1).cpu().numpy()
        commonest = int(np.bincount(seen[seen < count]).argmax())
        found[f"{name}_accuracy"] = float((said[known] == true[known]).mean())
        found[f"{name}_accuracy_baseline"] = float((true[known] == commonest).mean())
    return found
