"""From a question to a reply: find passages, refuse or ask back, and put sentences of the passages together.

A reply holds nothing but sentences of passages, character by character, each with its source. What a document says is
quoted, never obeyed: there is nothing here that could follow an instruction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from aigc_models.assistant.calibration import signs
from aigc_models.assistant.params import AssistantReply
from aigc_models.assistant.saved import Saved
from aigc_models.data.replies import Reply, Sentence, Source
from aigc_models.retrieval.bm25 import UNSEEN
from aigc_models.retrieval.index import Floats
from aigc_models.retrieval.passages import Passage
from aigc_models.retrieval.tokens import language, question_words, words

REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "en": "I found nothing in the documents that answers this.",
        "zh": "我在文档中没有找到能回答这个问题的内容。",
    }
)
CLARIFICATIONS: Mapping[str, str] = MappingProxyType({"en": "Which of these do you mean?", "zh": "你指的是哪一个？"})

_TIE, _MOST_OPTIONS, _SHORT = 0.02, 4, 2
_WHOLE, _OPENING = 6, 0.3  # words from which a line counts in full; what the first sentence of a passage has ahead
_NEAR, _FITTING = 0.8, 0.6  # of the best passage's and the best sentence's score, for further sources
_EARLIER, _EARLIER_WEIGHT = 2, 0.5
_LEADS = (
    "and",
    "but",
    "also",
    "then",
    "it",
    "that",
    "this",
    "those",
    "these",
    "them",
    "they",
    "what about",
    "how about",
)
_WIDE_LEADS, _WIDE_ENDS = ("那", "它", "这", "还有", "然后", "另外", "如果是"), ("呢", "呢？", "呢?")


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


def reply_to(saved: Saved, params: AssistantReply) -> Reply:
    """Answer, refuse, or ask what is meant."""
    found = search(saved, params.question, [one for one in params.history.splitlines() if one.strip()])
    threshold = saved.calibration.thresholds[params.strictness]
    spoken = language(params.question)
    order = best_passages(found.scores, saved.passages)
    made = Reply(
        params.question, found.text, "refusal", REFUSALS[spoken], (), (), (), found.sureness, threshold, spoken
    )
    if found.sureness < threshold:
        near = [_source(number, saved.passages[one]) for number, one in enumerate(order[: params.sources], 1)]
        return replace(made, sources=near)
    tied = _tied(found, order, saved.passages) if params.clarify else []
    if tied:
        return replace(made, kind="clarification", text=CLARIFICATIONS[spoken], options=tied)
    chosen = _sentences(saved, found, order, params)
    numbers = {one: number for number, one in enumerate(dict.fromkeys(passage for passage, _ in chosen), 1)}
    said = [Sentence(text, numbers[passage]) for passage, text in chosen]
    sources = [_source(number, saved.passages[one]) for one, number in numbers.items()]
    between = "" if spoken == "zh" else " "
    text = between.join(f"{one.text}{between}[{one.source}]" for one in said)
    return replace(made, kind="answer", text=text, sentences=said, sources=sources)


def search(saved: Saved, question: str, history: Sequence[str]) -> Found:
    """Search for a question; for one that leans on earlier ones, together with the latest of them."""
    asked = question_words(question)
    alone = _search(saved, question, asked, saved.encoding.vectors([words(question)])[0])
    if not history or not (_leans(question) and _knows_some(saved, alone.query)):
        return alone
    earlier = history[-_EARLIER:]
    vectors = saved.encoding.vectors([words(question), words("\n".join(earlier[::-1]))])
    joined = vectors[0] + _EARLIER_WEIGHT * vectors[1]
    text = "\n".join([question, *earlier[::-1]])
    found = _search(saved, text, question_words(text), joined / max(float(np.linalg.norm(joined)), 1e-9))
    # What is asked now counts more than what was asked before, which may not fit any more.
    both = found.scores + alone.scores
    return replace(found, scores=both, sureness=max(found.sureness, alone.sureness))


def _search(saved: Saved, text: str, query: list[str], vector: Floats) -> Found:
    scores = saved.index.scores([query], vector[None])
    sureness = saved.calibration.sureness(signs(saved.index, [query], scores))
    return Found(text, query, vector, saved.index.fuse(scores)[0], float(sureness[0]) if query else 0.0)


def _leans(question: str) -> bool:
    """Whether a question cannot be understood without the ones before it."""
    said = question.strip().lower()
    wide = said.startswith(_WIDE_LEADS) or said.endswith(_WIDE_ENDS)
    led = any(said.startswith(f"{one} ") for one in _LEADS)
    return wide or led or len(question_words(said)) <= 1


def _knows_some(saved: Saved, query: Sequence[str]) -> bool:
    return not query or bool((saved.index.lexical.numbers(query) != UNSEEN).any())


def best_passages(scores: Floats, passages: Sequence[Passage], most: int = 32) -> list[int]:
    """The best passage of each section, the best section first."""
    order = np.argsort(-scores, kind="stable")
    first: dict[int, int] = {}
    for number in order[: most * 4].tolist():
        first.setdefault(passages[number].section, number)
    return list(first.values())[:most]


def _tied(found: Found, order: Sequence[int], passages: Sequence[Passage]) -> list[str]:
    """What a short question may mean, where the best passages fit equally well and are about different matters."""
    if len(found.query) > _SHORT:
        return []
    best = float(found.scores[order[0]])
    near = [one for one in order if best - float(found.scores[one]) <= _TIE * max(best, 1e-9)]
    names: dict[str, set[str]] = {}
    for one in near:
        name = _source(0, passages[one]).name
        own = set(words(name))
        if not any(own <= other or other <= own for other in names.values()):  # else it is the same matter
            names[name] = own
    return list(names)[:_MOST_OPTIONS] if len(names) > 1 else []


def _sentences(saved: Saved, found: Found, order: Sequence[int], params: AssistantReply) -> list[tuple[int, str]]:
    """Passages and their sentences: a run of the best passage, then the best one of others that fit as well."""
    best = order[0]
    own = _fits(saved, found, saved.passages[best])
    further: list[tuple[int, str]] = []
    said = set(saved.passages[best].sentences)
    for number in order[1 : params.sources * 2]:
        if len(further) >= min(params.sources - 1, params.sentences // 2):
            break
        if found.scores[number] < _NEAR * found.scores[best]:
            break
        fits = _fits(saved, found, saved.passages[number])
        text = saved.passages[number].sentences[int(fits.argmax())]
        if fits.max() >= _FITTING * own.max() and text not in said:
            further.append((number, text))
            said.add(text)
    run = _run(own, params.sentences - len(further))
    return [(best, text) for text in saved.passages[best].sentences[run]] + further


def _fits(saved: Saved, found: Found, passage: Passage) -> NDArray[np.float64]:
    """How well each sentence of a passage fits: the share of the question's words in it, its cosine, and its place."""
    lexical = saved.index.lexical
    known = {word: lexical.vocabulary[word] for word in found.query if word in lexical.vocabulary}
    rarity = {word: float(lexical.rarity[number]) for word, number in known.items()}
    total = max(sum(rarity.values()), 1e-9)
    split = [words(one) for one in passage.sentences]
    share = np.array([sum(rarity.get(word, 0.0) for word in set(one)) / total for one in split])
    near = saved.encoding.vectors(split) @ found.vector
    whole = np.minimum([len(one) / _WHOLE for one in split], 1.0)  # lists of links are short lines
    fits = (share + 0.5 * np.maximum(near, 0)) * whole
    fits[0] += _OPENING * whole[0]
    return np.asarray(fits, np.float64)


def _run(fits: NDArray[np.float64], most: int) -> slice:
    """So many sentences one after the other that fit best together, so that steps stay in their order."""
    size = max(1, most)
    if len(fits) <= size:
        return slice(0, len(fits))
    sums = np.convolve(fits, np.ones(size), "valid")
    start = int(sums.argmax())
    return slice(start, start + size)


def _source(number: int, passage: Passage) -> Source:
    return Source(number, passage.document, passage.title, passage.headings, passage.question, passage.text)
