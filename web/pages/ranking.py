"""A recommender's figures beside those of simple ways to recommend, in plain words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from web.pages import amounts
from web.translate import say

SCORE, HITS = "ndcg10", "hr10"
# What each is called and how it recommends, by the ending of its figures.
BASELINES: Mapping[str, tuple[str, str]] = {
    "popularity": ("Popularity", "Everybody gets the items with the most events."),
    "ease": ("EASE", "A linear model of which items go together."),
    "markov": ("3-step Markov counts", "What others did within three steps after a user's last three items."),
}


@dataclass(frozen=True, slots=True)
class Way:
    """One way to recommend, with its figures."""

    name: str
    sentence: str
    score: str
    hits: str
    width: float
    own: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """The model and the simple ways, with a verdict."""

    ways: Sequence[Way]
    sentence: str
    verdict: str
    better: bool


def of(model: str, metrics: Mapping[str, Any]) -> Ranking | None:
    """The comparison, where a job measured one."""
    own = metrics.get(SCORE)
    known = {name: metrics[f"{SCORE}_{name}"] for name in BASELINES if _is_number(metrics.get(f"{SCORE}_{name}"))}
    if not _is_number(own) or not known:
        return None
    top = max([own, *known.values()]) or 1.0
    ways = [Way(model, say("The model itself."), _shown(own), _shown(metrics.get(HITS)), own / top, own=True)]
    for name, score in known.items():
        title, sentence = BASELINES[name]
        hits = _shown(metrics.get(f"{HITS}_{name}"))
        ways.append(Way(say(title), say(sentence), _shown(score), hits, score / top, own=False))
    beaten = [say(BASELINES[name][0]) for name, score in known.items() if own > score]
    return Ranking(ways, _plain(metrics), _verdict(beaten, known), len(beaten) == len(known))


def names(metrics: Mapping[str, Any]) -> frozenset[str]:
    """Figures that the comparison shows, so that no list has to."""
    endings = (*BASELINES, "baseline")
    return frozenset(
        f"{name}_{ending}" for name in (SCORE, HITS) for ending in endings if f"{name}_{ending}" in metrics
    )


def _plain(metrics: Mapping[str, Any]) -> str:
    hits = metrics.get(HITS)
    if not _is_number(hits):
        return ""
    values = {"count": amounts.number(round(100 * hits))}
    return say("Of 100 users, {count} find what they took next among the first 10 of all items.", values)


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
