"""Whether a sentence that a model wrote is supported by the passages, and by which place of which.

A sentence is supported as far as its words, weighted by rarity, and its pairs of words stand in one or two pieces of a
passage that follow each other, and as its vector is near to theirs. A number that stands there in no piece, or a "not"
on one side alone, speaks against it. That is no proof of meaning; it keeps out what the passages do not speak of.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from aigc_models.assistant.saved import Saved
from aigc_models.retrieval.passages import Passage
from aigc_models.retrieval.tokens import question_words, words

SUPPORTED = 0.7
_WORDS, _PAIRS, _NEAR = 0.6, 0.2, 0.2
_AGAINST = 0.6  # what is left where one side denies what the other says
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_DENIES = re.compile(r"\b(?:not|no|never|cannot|without|none|nor|neither)\b|n['’]t\b|[不没無无勿别未莫]")


@dataclass(frozen=True, slots=True)
class Support:
    """What speaks for a sentence.

    Attributes:
        passage: Place of the passage among those that were given.
        start, end: The characters of its text that support it most.
        score: How much, from 0 to 1.
    """

    passage: int
    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class _Window:
    passage: int
    start: int
    end: int
    text: str


def support(saved: Saved, sentence: str, passages: Sequence[Passage]) -> Support:
    """The place that supports a sentence most, and how much."""
    windows = [window for place, one in enumerate(passages) for window in _windows(place, one)]
    said = list(dict.fromkeys(question_words(sentence)))
    if not windows or not said:
        return Support(0, 0, 0, 0.0)
    rarity = _rarity(saved, said)
    vectors = saved.encoding.vectors([words(sentence), *(words(one.text) for one in windows)])
    near = vectors[1:] @ vectors[0]
    scores = [_score(sentence, said, rarity, one, float(cosine)) for one, cosine in zip(windows, near, strict=True)]
    # Of windows that support it equally the shortest says best where it is from.
    best = max(range(len(windows)), key=lambda place: (round(scores[place], 6), -len(windows[place].text)))
    found = windows[best]
    return Support(found.passage, found.start, found.end, scores[best])


def _windows(place: int, passage: Passage) -> list[_Window]:
    """Each piece of a passage, and each two that follow each other."""
    text, places = passage.text, passage.places()
    spans = [*places, *((first[0], second[1]) for first, second in pairwise(places))]
    return [_Window(place, start, end, text[start:end]) for start, end in spans]


def _rarity(saved: Saved, said: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    lexical = saved.index.lexical
    known = [lexical.vocabulary.get(word) for word in said]
    return np.array([lexical.unseen_rarity if one is None else float(lexical.rarity[one]) for one in known])


def _score(
    sentence: str, said: Sequence[str], rarity: np.ndarray[tuple[int], np.dtype[np.float64]], held: _Window, near: float
) -> float:
    if set(_NUMBER.findall(sentence)) - set(_NUMBER.findall(held.text)):
        return 0.0
    there = words(held.text)
    kept = np.array([word in there for word in said])
    shared = float(rarity[kept].sum() / max(rarity.sum(), 1e-9))
    own = set(pairwise(words(sentence)))
    pairs = len(own & set(pairwise(there))) / len(own) if own else shared
    score = _WORDS * shared + _PAIRS * pairs + _NEAR * min(max(near, 0.0), 1.0)
    if held.text.find(sentence) >= 0:
        return 1.0
    denies = [_DENIES.search(one.lower()) is not None for one in (sentence, held.text)]
    return score * (_AGAINST if denies[0] != denies[1] else 1.0)
