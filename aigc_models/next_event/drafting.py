"""Drafts a how-to: the likeliest way by the model, without what few do or nothing rests on, with its evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from aigc_models.data.event_logs import FACTS
from aigc_models.data.how_tos import HowTo, Step, Way
from aigc_models.data.next_events import Weighed
from aigc_models.next_event import forks, pitfalls
from aigc_models.next_event.evidence import Aligned, Evidence, Walk
from aigc_models.next_event.forks import Beside, Further
from aigc_models.next_event.paths import Wish, typical_path
from aigc_models.next_event.saved import Saved
from aigc_models.next_event.using import Given, ending_shares, missed, path_shares

_BEAMS, _CITED, _LONGEST_WAY = 8, 5, 100
_DOUBTED = 0.5  # share of the sessions; steps that fewer do must matter to what follows
_MATTERS = 0.05  # nats


@dataclass(frozen=True, slots=True)
class Limits:
    """From which shares of the sessions on something counts.

    Attributes:
        least: As a step of the usual way.
        optional: As a further step, or another way.
        needed: As a step that cannot be left out.
    """

    least: float = 0.25
    optional: float = 0.1
    needed: float = 0.75


@dataclass(frozen=True, slots=True)
class Topic:
    """What a how-to is about, and the sessions it rests on.

    Attributes:
        title: A task, an outcome, or the event to reach.
        given: Task and outcome as the model is told them.
        outcome: How the sessions ended; empty where no outcome is known.
        good: Sessions that ended so.
        bad: Sessions of the same task that ended otherwise.
        start: The event to begin with; None for the start of a session.
        goal: The event to end with; None for the end of a session.
        elsewhere: In which share of the sessions of other tasks each event is.
    """

    title: str
    given: Given
    outcome: str
    good: Sequence[Walk]
    bad: Sequence[Walk]
    start: int | None
    goal: int | None
    elsewhere: Mapping[int, float]


def draft(saved: Saved, topic: Topic, limits: Limits, language: Literal["auto", "en", "zh"]) -> HowTo:
    """Draft one how-to."""
    way, dropped = _way(saved, topic, limits)
    evidence = Evidence.over(saved.log, way, topic.good, topic.bad)
    beside = forks.beside(evidence, limits.optional, topic.elsewhere)
    names = saved.log.events.names
    places = _placed(way, beside.further)
    numbers = {step: places.index(step) + 1 for step in range(len(way))}
    steps = [
        replace(_step(saved, topic, evidence, place), optional=_is_optional(evidence, place, beside, limits.needed))
        if isinstance(place, int)
        else _extra(evidence, place)
        for place in places
    ]
    steps = [replace(step, number=number) for number, step in enumerate(steps, 1)]
    ways = [
        Way(
            numbers[one.steps[0]],
            numbers[one.steps[-1]],
            [names[event] for event in one.events],
            evidence.share(one.sessions),
        )
        for one in beside.others
    ]
    warned = [replace(one, number=numbers.get(one.number - 1, 0)) for one in pitfalls.find(evidence, beside.others)]
    return HowTo(
        title=topic.title,
        language=_language(language, [step.event for step in steps] + [topic.title]),
        outcome=topic.outcome,
        sessions=len(topic.good),
        considered=len(topic.good) + len(topic.bad),
        seconds=evidence.duration() if topic.start is None and topic.goal is None else None,
        chance=_chances(saved, topic, [way])[0],
        steps=steps,
        ways=ways,
        pitfalls=warned,
        evidence=[saved.session_name(session) for session in evidence.closest(_CITED)],
        left_out=[names[event] for event in dropped],
    )


def _way(saved: Saved, topic: Topic, limits: Limits) -> tuple[list[int], list[int]]:
    """The likeliest way, and what was taken out of it."""
    lengths = [len(one.events) for one in topic.good]
    longest = int(min(_LONGEST_WAY, saved.params.max_length - 1, 2 + 2 * np.quantile(lengths, 0.9)))
    wish = Wish(
        topic.given.task,
        topic.given.outcome,
        () if topic.start is None else (topic.start,),
        topic.goal,
        longest,
        frozenset(event for one in topic.good for event in one.events),
    )
    way = typical_path(saved.network, wish, _BEAMS)
    dropped: list[int] = []
    while len(way) > 1:
        weakest = _weakest(saved, topic, way, limits)
        if weakest is None:
            break
        dropped.append(way[weakest])
        way = [*way[:weakest], *way[weakest + 1 :]]
    return way, dropped


def _weakest(saved: Saved, topic: Topic, way: Sequence[int], limits: Limits) -> int | None:
    """The step of a way that is to be left out: done by too few, or by few while nothing rests on it."""
    evidence = Evidence.over(saved.log, way, topic.good, ())
    fixed = {0 if topic.start is not None else None, len(way) - 1 if topic.goal is not None else None}
    few = [
        step
        for step, count in enumerate(evidence.support)
        if step not in fixed and evidence.share(count) < max(limits.least, _DOUBTED)
    ]
    if not few:
        return None
    effects = _effects(saved, topic, way, few)
    weak = [
        step
        for step, effect in zip(few, effects, strict=True)
        if evidence.share(evidence.support[step]) < limits.least or effect < _MATTERS
    ]
    return min(weak, key=lambda step: evidence.support[step], default=None)


def _effects(saved: Saved, topic: Topic, way: Sequence[int], steps: Sequence[int]) -> list[float]:
    """How much less likely the outcome and all that follows become without each of some steps, in nats."""
    without = [[*way[:step], *way[step + 1 :]] for step in steps]
    whole, *others = path_shares(saved.network, [way, *without], topic.given)
    chances = _chances(saved, topic, [way, *without])
    found = []
    for place, (step, other) in enumerate(zip(steps, others, strict=True), 1):
        following = sum(whole[step + 1 :]) - sum(other[step:])
        reached = 0.0
        if chances[0] is not None and chances[place] is not None:
            reached = float(np.log(max(chances[0], 1e-9)) - np.log(max(chances[place] or 0.0, 1e-9)))
        found.append(max(following, reached))
    return found


def _chances(saved: Saved, topic: Topic, ways: Sequence[Sequence[int]]) -> list[float | None]:
    """How likely sessions that go some ways end as they should; None where no outcome is known."""
    if topic.given.outcome is None or not ways:
        return [None] * len(ways)
    closed = [[*way, saved.network.plan.end] for way in ways]
    _, outcomes = ending_shares(saved.network, closed, Given(topic.given.task))
    return [float(np.exp(share)) for share in outcomes[:, topic.given.outcome].tolist()]


def _is_optional(evidence: Evidence, step: int, beside: Beside, needed: float) -> bool:
    """Whether too few sessions do a step, in this or another way, for it to be needed."""
    instead = {event for one in beside.others if step in one.steps for event in one.events}
    return evidence.share(sum(_does(one, step, instead) for one in evidence.good)) < needed


def _step(saved: Saved, topic: Topic, evidence: Evidence, step: int) -> Step:
    way, count, rows = list(evidence.way), evidence.support[step], evidence.rows(step)
    names = saved.log.events.names
    because = missed(saved.network, way[:step], [way[step]], topic.given)[0]
    return Step(
        number=0,
        event=names[way[step]],
        share=evidence.share(count),
        sessions=count,
        optional=False,
        screen=evidence.usual("screen", rows),
        object=evidence.usual("object", rows),
        detail=evidence.usual("detail", rows),
        seconds=evidence.seconds(rows),
        without=_chances(saved, topic, [[*way[:step], *way[step + 1 :]]])[0] if len(way) > 1 else None,
        because=[Weighed(names[way[place]], place + 1, round(weight, 4)) for place, weight in because],
        either_order=step > 0 and evidence.swapped(step),
    )


def _does(one: Aligned, step: int, instead: set[int]) -> bool:
    return step in one.done or bool(instead & set(one.walk.events))


def _extra(evidence: Evidence, one: Further) -> Step:
    name = evidence.log.events.names[one.event]
    screen, item, detail = (evidence.usual(fact, one.rows) for fact in FACTS)
    share, seconds = evidence.share(one.sessions), evidence.seconds(one.rows)
    return Step(0, name, share, one.sessions, True, screen, item, detail, seconds)


def _placed(way: Sequence[int], further: Sequence[Further]) -> list[int | Further]:
    """Places of the way's steps with further steps among them, those that more do first."""
    found: list[int | Further] = []
    commonest = sorted(further, key=lambda one: -one.sessions)
    for step in range(-1, len(way)):
        if step >= 0:
            found.append(step)
        found.extend(one for one in commonest if one.after == step)
    return found


def _language(chosen: Literal["auto", "en", "zh"], names: Sequence[str]) -> str:
    """The language of the sentences: that of most names where none is chosen."""
    if chosen != "auto":
        return chosen
    chinese = sum(any("\u4e00" <= letter <= "\u9fff" for letter in name) for name in names)
    return "zh" if 2 * chinese > len(names) else "en"
