"""The files in which drafted how-tos are kept. Only the standard library is used: pages read them.

A job that drafts writes :data:`FILE` for programs and pages, :data:`TEXT` with all how-tos as one Markdown text, and
:data:`PACKED` with a Markdown file for each, which becomes a dataset of texts that an assistant answers from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from aigc_models.data.next_events import Weighed, weighed

FILE, TEXT, PACKED = "how_to.json", "how_to.md", "how_to.zip"
PitfallKind = Literal["mistake", "left_out", "back", "twice"]


@dataclass(frozen=True, slots=True)
class Way:
    """Another way: what some do instead of the steps from one number to another.

    Attributes:
        first: Number of the first step that it replaces.
        last: Number of the last one.
        events: What is done instead, in order.
        share: Share of the sessions that go this way.
    """

    first: int
    last: int
    events: Sequence[str]
    share: float


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        number: Its number, from 1.
        event: What is done.
        share: Share of the sessions that do it.
        sessions: How many these are.
        optional: Whether it can be left out: few do it, and no other way stands for it.
        screen: Where it is mostly done; empty where that is not known.
        object: What it is mostly done to, likewise.
        detail: What is mostly noted of it, likewise.
        seconds: Time since the step before, in the middle; None where that is not known.
        without: How likely the outcome is after all steps but this one, as the model sees it; None where no outcome is.
        because: Earlier steps without which the model expects this one less.
        either_order: Whether this step and the one before it are often done the other way round.
    """

    number: int
    event: str
    share: float
    sessions: int
    optional: bool
    screen: str = ""
    object: str = ""
    detail: str = ""
    seconds: float | None = None
    without: float | None = None
    because: Sequence[Weighed] = ()
    either_order: bool = False


@dataclass(frozen=True, slots=True)
class Pitfall:
    """Something that goes wrong, or round about.

    Attributes:
        kind: ``mistake``: an event after which sessions fail; ``left_out``: a step without which they do; ``back``: an
            event after which a step is done again; ``twice``: a step done again at once.
        event: The event, or the step.
        number: The step that it is about, or after which it mostly happens; 0 before the first.
        sessions: Sessions in which it happens.
        share: Share of all sessions.
        failed: Share of those sessions that fail; None where no outcome is known.
        otherwise: Share of the other sessions that fail.
    """

    kind: PitfallKind
    event: str
    number: int
    sessions: int
    share: float
    failed: float | None = None
    otherwise: float | None = None


@dataclass(frozen=True, slots=True)
class HowTo:
    """A drafted how-to.

    Attributes:
        title: What it is about: a task, an outcome, or the event to reach.
        language: ``en`` or ``zh``.
        outcome: How the sessions ended that it rests on; empty where no outcome is known.
        sessions: How many these are.
        considered: All sessions of the same task, however they ended.
        seconds: How long they took, in the middle; None where that is not known.
        chance: How likely the outcome is after all steps, as the model sees it; None where no outcome is known.
        steps: The steps in order.
        ways: Other ways.
        pitfalls: What goes wrong.
        evidence: Sessions that go this way most closely, as they are cited.
        left_out: Events of the likeliest way that were left out, because few do them or nothing rests on them.
    """

    title: str
    language: str
    outcome: str
    sessions: int
    considered: int
    seconds: float | None
    chance: float | None
    steps: Sequence[Step]
    ways: Sequence[Way] = ()
    pitfalls: Sequence[Pitfall] = ()
    evidence: Sequence[str] = ()
    left_out: Sequence[str] = field(default_factory=tuple)


def parse_how_tos(stored: Mapping[str, Any]) -> list[HowTo]:
    """Read them.

    Raises:
        ValueError: It is no such file.
    """
    try:
        return [_how_to(one) for one in stored["how_tos"]]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no how-tos: {error}") from None


def _how_to(stored: Mapping[str, Any]) -> HowTo:
    steps = [Step(**{**one, "because": weighed(one["because"])}) for one in stored["steps"]]
    ways = [Way(**one) for one in stored["ways"]]
    pitfalls = [Pitfall(**one) for one in stored["pitfalls"]]
    if any(one.kind not in get_args(PitfallKind) for one in pitfalls):
        raise ValueError("no such pitfall")
    return HowTo(**{**stored, "steps": steps, "ways": ways, "pitfalls": pitfalls})
