"""What comes next in a session, which earlier events that rests on, and how the session will probably end."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, isfinite

import numpy as np
from torch import Tensor

from aigc_models.base import Fault, InputError
from aigc_models.data.next_events import Expected, Foretold, Weighed
from aigc_models.next_event import using
from aigc_models.next_event.lesson import gap_kinds
from aigc_models.next_event.params import NextEventNextEvents
from aigc_models.next_event.saved import Saved
from aigc_models.next_event.using import Given, ending_shares, missed, next_shares

MOST_SESSIONS, _SHOWN_EVENTS, _SHOWN_ENDINGS = 200, 50, 5


@dataclass(frozen=True, slots=True)
class Asked:
    """A session that is asked about.

    Attributes:
        names: What its events are called.
        events: Their numbers; unknown ones have the plan's number for these.
        gaps: Kinds of the times between them; None where they are not given.
        unknown: Events that the log does not have.
    """

    names: Sequence[str]
    events: Sequence[int]
    gaps: Sequence[int] | None
    unknown: Sequence[str]


def sessions_of(params: NextEventNextEvents, saved: Saved) -> list[Asked]:
    """The sessions that are asked about; between two of them stands a blank line.

    Raises:
        InputError: There is none, too many, or times do not fit the events.
    """
    blocks: list[list[str]] = [[]]
    for line in map(str.strip, params.history.splitlines()):
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    blocks = [block for block in blocks if block]
    if not blocks:
        sentence = "Say what was done so far: one event per line, called as in the dataset, such as {examples}."
        examples = ", ".join(list(saved.event_numbers)[:3])
        raise InputError(Fault(sentence, {"examples": examples}, "/history", code="nothing-known"))
    if len(blocks) > MOST_SESSIONS:
        sentence = "At most {most} sessions can be asked about at once."
        raise InputError(Fault(sentence, {"most": MOST_SESSIONS}, "/history"))
    gaps = _gaps(params.seconds, sum(map(len, blocks)))
    found, at = [], 0
    for block in blocks:
        own = gaps[at : at + len(block)] if gaps else None
        at += len(block)
        numbers = [saved.event_numbers.get(name, saved.network.plan.unknown) for name in block]
        unknown = list(dict.fromkeys(name for name in block if name not in saved.event_numbers))
        found.append(Asked(block, numbers, own, unknown))
    return found


def _gaps(text: str, wanted: int) -> list[int]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    try:
        seconds = [float(line) for line in lines]
    except ValueError:
        sentence = "Seconds between must be numbers, one per line."
        raise InputError(Fault(sentence, pointer="/seconds")) from None
    if len(seconds) != wanted or not all(isfinite(one) and one >= 0 for one in seconds):
        sentence = "There are {count} times for {wanted} events. Give one of 0 seconds or more for each event."
        raise InputError(Fault(sentence, {"count": len(seconds), "wanted": wanted}, "/seconds"))
    return [int(kind) for kind in gap_kinds(np.array(seconds)).tolist()]


def foretell(saved: Saved, asked: Asked, params: NextEventNextEvents) -> Foretold:
    """Say what comes next in one session.

    Raises:
        InputError: The log knows no such task.
    """
    given = Given(_task(saved, params.task.strip()))
    network, names = saved.network, [*saved.log.events.names, ""]
    shares = next_shares(network, [asked.events], given, [asked.gaps] if asked.gaps else None)[0]
    best = shares.topk(min(params.count, len(shares)))
    numbers = best.indices.tolist()
    because: Sequence[using.Weighed] = [[] for _ in numbers]
    if params.reasons == "leave_one_out":
        because = missed(network, asked.events, numbers, given)
    tasks, outcomes = ending_shares(network, [asked.events], given)
    known = [] if given.task is not None else _endings(tasks[0], saved.log.labels["task"].names)
    looked = [] if params.reasons == "none" else using.looked_at(network, asked.events, given)
    return Foretold(
        list(asked.names[-_SHOWN_EVENTS:]),
        asked.unknown,
        [
            Expected(names[event], exp(share), _weighed(asked, why))
            for event, share, why in zip(numbers, best.values.tolist(), because, strict=True)
        ],
        _weighed(asked, looked),
        known,
        _endings(outcomes[0], saved.log.labels["outcome"].names),
    )


def _task(saved: Saved, name: str) -> int | None:
    if not name:
        return None
    if name not in saved.task_numbers:
        sentence = "The log has nothing called {name} here. It has: {names}."
        values = {"name": name, "names": ", ".join(list(saved.task_numbers)[:20]) or "–"}
        raise InputError(Fault(sentence, values, "/task", code="nothing-known"))
    return saved.task_numbers[name]


def _weighed(asked: Asked, found: using.Weighed) -> list[Weighed]:
    return [Weighed(asked.names[place], place + 1, round(weight, 4)) for place, weight in found]


def _endings(shares: Tensor, names: Sequence[str]) -> list[tuple[str, float]]:
    if not names:
        return []
    best = shares.topk(min(_SHOWN_ENDINGS, len(names)))
    return [
        (names[number], exp(share)) for number, share in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
