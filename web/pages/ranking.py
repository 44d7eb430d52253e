"""A model's figures beside those of simple ways to do the same, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from web.pages import amounts
from web.translate import say

# What each is called and how it recommends, by the ending of its figures.
BASELINES: Mapping[str, tuple[str, str]] = {
    "popularity": ("Popularity", "Everybody gets the items with the most events."),
    "ease": ("EASE", "A linear model of which items go together."),
    "markov": ("3-step Markov counts", "What others did within three steps after a user's last three items."),
}
# The same of what says which event comes next.
COUNTS: Mapping[str, tuple[str, str]] = {
    "frequent": ("Commonest events", "Whatever happened, the most frequent events are said to come next."),
    "markov1": ("First-order Markov", "What followed the last event in other sessions."),
    "markov3": (
        "Third-order Markov",
        "What followed the last three events in other sessions, or fewer where those are new.",
    ),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is compared: figures with their heads, the first of which decides, and the ways beside the model.

    Attributes:
        title: The heading.
        figures: Names of figures, each with what it is called.
        ways: The ways by the endings of their figures.
        plain: The decisive figure's sentence, with ``{count}`` of 100.
        counted: The figure that this sentence is about.
        lower: Whether less is better.
    """

    title: str
    figures: Sequence[tuple[str, str]]
    ways: Mapping[str, tuple[str, str]]
    plain: str
    counted: str
    lower: bool = False


COMPARISONS: Sequence[Comparison] = (
    Comparison(
        "Beside simple ways to recommend",
        (("ndcg10", "NDCG@10"), ("hr10", "Hits@10")),
        BASELINES,
        "Of 100 users, {count} find what they took next among the first 10 of all items.",
        "hr10",
    ),
    Comparison(
        "Beside simple ways to say what comes next",
        (("perplexity", "Perplexity"), ("accuracy1", "Accuracy@1"), ("accuracy3", "Accuracy@3")),
        COUNTS,
        "Of 100 events in new sessions, {count} are the one that the model expected most.",
        "accuracy1",
        lower=True,
    ),
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way, with its figures."""

    name: str
    sentence: str
    figures: Sequence[str]
    width: float
    own: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """The model and the simple ways, with a verdict."""

    title: str
    heads: Sequence[str]
    ways: Sequence[Way]
    sentence: str
    verdict: str
    better: bool


def of(model: str, metrics: Mapping[str, Any]) -> Ranking | None:
    """The comparison, where a job measured one."""
    return next((found for one in COMPARISONS if (found := _compare(one, model, metrics)) is not None), None)


def _compare(one: Comparison, model: str, metrics: Mapping[str, Any]) -> Ranking | None:
    score = one.figures[0][0]
    own = metrics.get(score)
    known = {name: metrics[f"{score}_{name}"] for name in one.ways if _is_number(metrics.get(f"{score}_{name}"))}
    if not _is_number(own) or not known:
        return None
    best, top = min([own, *known.values()]), max([own, *known.values()]) or 1.0

    def width(value: float) -> float:
        return best / max(value, 1e-9) if one.lower else value / top

    shown = [_shown(metrics.get(name)) for name, _ in one.figures]
    ways = [Way(model, say("The model itself."), shown, width(own), own=True)]
    for name, value in known.items():
        title, sentence = one.ways[name]
        figures = [_shown(metrics.get(f"{figure}_{name}")) for figure, _ in one.figures]
        ways.append(Way(say(title), say(sentence), figures, width(value), own=False))
    beaten = [say(one.ways[name][0]) for name, value in known.items() if (own < value if one.lower else own > value)]
    heads = [say(head) for _, head in one.figures]
    verdict, better = _verdict(beaten, known), len(beaten) == len(known)
    return Ranking(say(one.title), heads, ways, _plain(one, metrics), verdict, better)


def names(metrics: Mapping[str, Any]) -> frozenset[str]:
    """Figures that the comparison shows, so that no list has to."""
    return frozenset(
        f"{name}_{ending}"
        for one in COMPARISONS
        for name, _ in one.figures
        for ending in (*one.ways, "baseline")
        if f"{name}_{ending}" in metrics
    )


def _plain(one: Comparison, metrics: Mapping[str, Any]) -> str:
    share = metrics.get(one.counted)
    if not _is_number(share):
        return ""
    return say(one.plain, {"count": amounts.number(round(100 * share))})


def _verdict(beaten: Sequence[str], known: Mapping[str, Any]) -> str:
    if len(beaten) == len(known):
        return say("Better than every simple way.")
    if not beaten:
        return say("Not better than any simple way.")
    return say("Better than {names}, not better than the others.", {"names": say(", ").join(beaten)})


def _shown(value: Any) -> str:
    return f"{value:.4f}" if _is_number(value) else "–"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
