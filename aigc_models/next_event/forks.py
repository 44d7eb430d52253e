"""What sessions do beside a way: other ways in place of some steps, and further steps that some take.

An event that is no step of the way is judged by the sessions that have it. Where these lack some of the steps, it
stands in place of them; where they lack none and mostly do it at one place, it is a further step; where it may come
anywhere, or comes as often in sessions of other tasks, it is noise.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean

from aigc_models.next_event.evidence import Aligned, Evidence

_GONE = 0.3  # of the sessions that usually do a step; fewer than that lack it
_EXPECTED = 2.5  # sessions that should have done a step, below which nothing can be said of its absence
_ONE_PLACE = 0.6  # of the times that an event is done
_OWN = 2.0  # times as often as in sessions of other tasks
_LEAST = 3  # sessions


@dataclass(frozen=True, slots=True)
class Other:
    """Another way: the steps it replaces, and what is done instead.

    Attributes:
        steps: Places of the steps on the way.
        events: Numbers of the events, in order.
        sessions: How many go this way.
    """

    steps: tuple[int, ...]
    events: tuple[int, ...]
    sessions: int


@dataclass(frozen=True, slots=True)
class Further:
    """A further step that some do.

    Attributes:
        event: Its event.
        after: The step after which it is done; -1 before the first.
        sessions: How many do it.
        rows: Where it lies in the log.
    """

    event: int
    after: int
    sessions: int
    rows: Sequence[int]


@dataclass(frozen=True, slots=True)
class Beside:
    """All that is done beside a way, and is no noise."""

    others: Sequence[Other]
    further: Sequence[Further]


@dataclass(frozen=True, slots=True)
class _Stray:
    """An event that is no step: the sessions that have it, and where in them."""

    event: int
    walks: Sequence[Aligned]
    places: Sequence[int]


def beside(evidence: Evidence, least: float, elsewhere: Mapping[int, float]) -> Beside:
    """Other ways and further steps.

    Args:
        evidence: Walks beside the way.
        least: Share of the walks that must do something.
        elsewhere: In which share of the sessions of other tasks each event is; empty where there are none.
    """
    groups: dict[tuple[int, ...], list[_Stray]] = defaultdict(list)
    further = []
    for stray in _strays(evidence, least):
        replaced = _replaced(evidence, stray)
        if replaced:
            groups[replaced].append(stray)
        elif (one := _further(evidence, stray, elsewhere)) is not None:
            further.append(one)
    others = [_other(steps, strays) for steps, strays in groups.items()]
    return Beside(sorted(others, key=lambda one: (one.steps, -one.sessions)), further)


def _strays(evidence: Evidence, least: float) -> list[_Stray]:
    way = set(evidence.way)
    found: dict[int, dict[int, tuple[Aligned, int]]] = defaultdict(dict)
    for number, one in enumerate(evidence.good):
        for place, event in enumerate(one.walk.events):
            if event not in way:
                found[event].setdefault(number, (one, place))
    enough = max(_LEAST, least * len(evidence.good))
    strays = [
        _Stray(event, [one for one, _ in at.values()], [place for _, place in at.values()])
        for event, at in found.items()
        if len(at) >= enough
    ]
    return sorted(strays, key=lambda one: -len(one.walks))


def _replaced(evidence: Evidence, stray: _Stray) -> tuple[int, ...]:
    """Steps that sessions with an event lack, although others do them."""
    gone = []
    for step, count in enumerate(evidence.support):
        usual = evidence.share(count)
        does = sum(step in one.done for one in stray.walks)
        if usual * len(stray.walks) >= _EXPECTED and does < _GONE * usual * len(stray.walks):
            gone.append(step)
    return tuple(gone)


def _further(evidence: Evidence, stray: _Stray, elsewhere: Mapping[int, float]) -> Further | None:
    own = evidence.share(len(stray.walks))
    if elsewhere and own < _OWN * elsewhere.get(stray.event, 0.0):
        return None
    before = Counter(one.before(place) for one, place in zip(stray.walks, stray.places, strict=True))
    after, count = before.most_common(1)[0]
    if count < _ONE_PLACE * len(stray.walks):
        return None
    rows = [one.walk.rows[place] for one, place in zip(stray.walks, stray.places, strict=True)]
    return Further(stray.event, after, len(stray.walks), rows)


def _other(steps: tuple[int, ...], strays: Sequence[_Stray]) -> Other:
    """What is done instead of some steps, in the order of the places at which it mostly is."""
    taken = Counter(one.walk.session for stray in strays for one in stray.walks)
    sessions = sum(2 * count >= len(strays) for count in taken.values())
    places: dict[int, float] = {}
    for stray in strays:
        shares = [_rank(one, place) for one, place in zip(stray.walks, stray.places, strict=True)]
        places[stray.event] = mean(shares)
    ordered = sorted(strays, key=lambda one: places[one.event])
    return Other(steps, tuple(one.event for one in ordered), sessions)


def _rank(one: Aligned, place: int) -> float:
    return place / max(len(one.walk.events) - 1, 1)
