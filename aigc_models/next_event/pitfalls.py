"""What goes wrong in sessions of a task, or round about: mistakes, steps left out, steps done again."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass

from aigc_models.data.how_tos import Pitfall, PitfallKind
from aigc_models.next_event.evidence import Aligned, Evidence
from aigc_models.next_event.forks import Other

MOST = 12
_SURE = 3.0  # standard errors that two shares of failures must lie apart
_TIMES = 2.0  # as often as otherwise that sessions must fail
_LEAST, _OFTEN = 3, 0.05  # sessions, and share of them
_APART = 4  # events at most between a step and the same one again


@dataclass(frozen=True, slots=True)
class _Failures:
    """How sessions that have something end, beside those that do not."""

    sessions: int
    failed: int
    others: int
    others_failed: int

    @property
    def share(self) -> float:
        return self.failed / max(self.sessions, 1)

    @property
    def otherwise(self) -> float:
        return self.others_failed / max(self.others, 1)

    def is_harmful(self) -> bool:
        """Whether the sessions that have it fail clearly more often; a test of two proportions."""
        if self.sessions < _LEAST or self.failed < _LEAST or not self.others or self.share < _TIMES * self.otherwise:
            return False
        total = self.sessions + self.others
        pooled = (self.failed + self.others_failed) / total
        error = math.sqrt(pooled * (1 - pooled) * (1 / self.sessions + 1 / self.others))
        return error == 0 or (self.share - self.otherwise) / error > _SURE


def find(evidence: Evidence, others: Sequence[Other]) -> list[Pitfall]:
    """What is worth a warning, the most harmful first, then what is only round about."""
    whole = [*evidence.good, *evidence.bad]
    harmful = [*_mistakes(evidence, whole), *_left_out(evidence, whole, others)] if evidence.bad else []
    harmful.sort(key=lambda one: -one.sessions * ((one.failed or 0.0) - (one.otherwise or 0.0)))
    known = {one.event for one in harmful if one.kind == "mistake"}
    again = [one for one in _again(evidence, whole) if one.event not in known]
    return [*harmful, *sorted(again, key=lambda one: -one.sessions)][:MOST]


def _failures(evidence: Evidence, having: Set[int], asked: Sequence[Aligned]) -> _Failures:
    bad = {one.walk.session for one in evidence.bad}
    sessions = {one.walk.session for one in asked}
    others = sessions - having
    return _Failures(len(having), len(having & bad), len(others), len(others & bad))


def _mistakes(evidence: Evidence, whole: Sequence[Aligned]) -> Iterator[Pitfall]:
    """Events that are no steps, after which sessions fail."""
    way = set(evidence.way)
    having: dict[int, set[int]] = defaultdict(set)
    after: dict[int, Counter[int]] = defaultdict(Counter)
    for one in whole:
        for place, event in enumerate(one.walk.events):
            if event not in way and one.walk.session not in having[event]:
                having[event].add(one.walk.session)
                after[event][one.before(place)] += 1
    for event, sessions in having.items():
        found = _failures(evidence, sessions, whole)
        if found.is_harmful():
            step = after[event].most_common(1)[0][0]
            yield _pitfall("mistake", _name(evidence, event), step, found, len(whole))


def _left_out(evidence: Evidence, whole: Sequence[Aligned], others: Sequence[Other]) -> Iterator[Pitfall]:
    """Steps that sessions went past without doing them or anything in their place, and failed."""
    for step, event in enumerate(evidence.way):
        instead = {event for one in others if step in one.steps for event in one.events}
        past = [one for one in whole if any(own > step for own in one.steps) or step in one.done]
        lacking = {one.walk.session for one in past if step not in one.done and not instead & set(one.walk.events)}
        found = _failures(evidence, lacking, past)
        if found.is_harmful():
            yield _pitfall("left_out", _name(evidence, event), step, found, len(whole))


def _again(evidence: Evidence, whole: Sequence[Aligned]) -> Iterator[Pitfall]:
    """Events after which a step is done again, and steps that are done twice at once."""
    way = list(evidence.way)
    back: dict[int, set[int]] = defaultdict(set)
    twice: dict[int, set[int]] = defaultdict(set)
    at: dict[int, Counter[int]] = defaultdict(Counter)
    for one in whole:
        events = one.walk.events
        for place, event in enumerate(events):
            if event not in way:
                continue
            again = next(
                (later for later in range(place + 1, min(place + 2 + _APART, len(events))) if events[later] == event), 0
            )
            between = events[place + 1 : again] if again else []
            if again == place + 1:
                twice[event].add(one.walk.session)
            elif between and not set(between) & set(way):
                for stray in dict.fromkeys(between):
                    back[stray].add(one.walk.session)
                    at[stray][way.index(event)] += 1
    enough = max(_LEAST, _OFTEN * len(whole))
    for event, sessions in back.items():
        if len(sessions) >= enough:
            step = at[event].most_common(1)[0][0]
            yield Pitfall("back", _name(evidence, event), step + 1, len(sessions), len(sessions) / len(whole))
    for event, sessions in twice.items():
        if len(sessions) >= enough:
            number = way.index(event) + 1
            yield Pitfall("twice", _name(evidence, event), number, len(sessions), len(sessions) / len(whole))


def _pitfall(kind: PitfallKind, event: str, step: int, found: _Failures, total: int) -> Pitfall:
    return Pitfall(kind, event, step + 1, found.sessions, found.sessions / total, found.share, found.otherwise)


def _name(evidence: Evidence, event: int) -> str:
    return evidence.log.events.names[event]
