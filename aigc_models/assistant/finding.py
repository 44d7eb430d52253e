"""From a question and the ones before it to how well every passage fits."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

from aigc_models.assistant.calibration import signs
from aigc_models.assistant.leaning import asked_in, leans
from aigc_models.assistant.saved import Saved
from aigc_models.retrieval.bm25 import UNSEEN
from aigc_models.retrieval.index import Floats
from aigc_models.retrieval.passages import Passage
from aigc_models.retrieval.tokens import question_words, tongue, words

_TIE, _MOST_OPTIONS, _SHORT = 0.02, 4, 2
_EARLIER, _EARLIER_WEIGHT = 2, 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """What a search gave.

    Attributes:
        text: What was searched for.
        query: The same as words.
        vector: The same as a vector, float32 (D,).
        scores: Of every passage, float32 (P,).
        sureness: How likely the best passage is an answer.
    """

    text: str
    query: list[str]
    vector: Floats
    scores: Floats
    sureness: float


def search(saved: Saved, question: str, history: Sequence[str]) -> Found:
    """Search for a question; for one that leans on earlier ones, together with the latest of them.

    What people write around a question hides it, so that of a message of several sentences is searched by itself as
    well, and the surer of both counts.
    """
    asked = filter(None, (question, asked_in(question)))
    alone = max(
        (_search(saved, one, saved.encoding.vectors([words(one)])[0]) for one in asked), key=attrgetter("sureness")
    )
    if not history or not (leans(question) and _knows_some(saved, alone.query)):
        return alone
    earlier = history[-_EARLIER:]
    vectors = saved.encoding.vectors([words(question), words("\n".join(earlier[::-1]))])
    joined = vectors[0] + _EARLIER_WEIGHT * vectors[1]
    text = "\n".join([question, *earlier[::-1]])
    found = _search(saved, text, joined / max(float(np.linalg.norm(joined)), 1e-9))
    # What is asked now counts more than what was asked before, which may not fit any more.
    both = found.scores + alone.scores
    return replace(found, scores=both, sureness=max(found.sureness, alone.sureness))


def _search(saved: Saved, text: str, vector: Floats) -> Found:
    query = question_words(text)
    scores = saved.index.scores([query], vector[None], [tongue(text)])
    sureness = saved.calibration.sureness(signs(saved.index, [query], scores))
    return Found(text, query, vector, saved.index.fuse(scores)[0], float(sureness[0]) if query else 0.0)


def _knows_some(saved: Saved, query: Sequence[str]) -> bool:
    return not query or bool((saved.index.lexical.numbers(query) != UNSEEN).any())


def best_passages(scores: Floats, passages: Sequence[Passage], most: int = 32) -> list[int]:
    """The best passage of each section, the best section first."""
    order = np.argsort(-scores, kind="stable")
    first: dict[int, int] = {}
    for number in order[: most * 4].tolist():
        first.setdefault(passages[number].section, number)
    return list(first.values())[:most]


def tied(found: Found, order: Sequence[int], passages: Sequence[Passage]) -> list[str]:
    """What a short question may mean, where the best passages fit equally well and are about different matters."""
    asked = words(found.text)
    if len(found.query) > (_SHORT if len(asked) == len(found.query) else 1):
        return []  # who asks in a whole sentence says more than these words
    best = float(found.scores[order[0]])
    near = [one for one in order if best - float(found.scores[one]) <= _TIE * max(best, 1e-9)]
    names: dict[str, set[str]] = {}
    for one in near:
        name = passages[one].path
        own = set(words(name))
        if not any(own <= other or other <= own for other in names.values()):  # else it is the same matter
            names[name] = own
    return list(names)[:_MOST_OPTIONS] if len(names) > 1 else []
