"""What is searched: the texts and vectors that stand for each passage, in a test and in use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from aigc_models.assistant.lesson import TRAIN, Lesson, Question
from aigc_models.assistant.networks import Encoder
from aigc_models.retrieval.bm25 import Bm25
from aigc_models.retrieval.features import Reader
from aigc_models.retrieval.index import Floats, Groups, Index, Mix
from aigc_models.retrieval.passages import Passage
from aigc_models.retrieval.tokens import language, question_words, words

_CHUNK = 512
_BOTH = 0.1  # share of passages in the rarer language from which on languages are told apart

Told = tuple[list[str], int]  # the words of a text, and the passage it stands for


@dataclass(frozen=True, slots=True)
class Searched:
    """Texts that stand for passages.

    Attributes:
        exact: For BM25.
        near: For the encoder; none where answers have vectors of their own.
        whole: The words of each document.
        document: Whose each passage is.
        first: The first passage of each section with one.
        spoken: What tells the language of each passage.
    """

    exact: Sequence[Told]
    near: Sequence[Told]
    whole: Sequence[Sequence[str]]
    document: Sequence[int]
    first: dict[int, int]
    spoken: Sequence[str]


def in_tests(lesson: Lesson) -> Searched:
    """No heading, and no question but the training's: what is asked for must be found by what is said."""
    first = first_passages(lesson)
    bodies = [(words(one.searched), number) for number, one in enumerate(lesson.passages)]
    asked = _asked(lesson, first, lambda one: one.share == TRAIN)
    near = [] if lesson.intents else bodies + _read(asked, words)
    whole, document = _documents(lesson, [text for text, _ in bodies])
    return Searched(bodies + _read(asked, question_words), near, whole, document, first, spoken(lesson.passages))


def in_use(lesson: Lesson) -> Searched:
    """All that is known, headings twice, as they say most."""
    first = first_passages(lesson)
    exact, near = [], []
    for number, one in enumerate(lesson.passages):
        body, above = words(one.searched), words("\n".join(dict.fromkeys((one.title, *one.headings))))
        own = words(one.headings[-1]) if one.headings else []
        exact.append((above + own + body, number))
        near.append((body, number))
        if above:
            near.append((words(" ".join(dict.fromkeys((one.title, *one.headings[-1:])))), number))
    asked = _asked(lesson, first, lambda _: True)
    near = [] if lesson.intents else near + _read(asked, words)
    whole, document = _documents(lesson, [text for text, _ in exact])
    return Searched(exact + _read(asked, question_words), near, whole, document, first, spoken(lesson.passages))


def spoken(passages: Sequence[Passage]) -> list[str]:
    """What tells the language of each passage: its sentences, as code is in none; else what stands above it."""
    return ["".join(one.text for one in each.pieces if one.kind != "code") or each.above for each in passages]


def first_passages(lesson: Lesson) -> dict[int, int]:
    """The first passage of each section."""
    first: dict[int, int] = {}
    for number, one in enumerate(lesson.passages):
        first.setdefault(one.section, number)
    return first


def _documents(lesson: Lesson, texts: Sequence[Sequence[str]]) -> tuple[list[list[str]], list[int]]:
    """All words of each document, and whose each passage is."""
    numbers: dict[str, int] = {}
    whole: list[list[str]] = []
    for one, text in zip(lesson.passages, texts, strict=True):
        if one.document not in numbers:
            numbers[one.document] = len(whole)
            whole.append([])
        whole[numbers[one.document]] += text
    return whole, [numbers[one.document] for one in lesson.passages]


def _asked(lesson: Lesson, first: dict[int, int], known: Callable[[Question], bool]) -> list[tuple[str, int]]:
    """Questions of dialogues, each standing for the answer it got."""
    return [
        (one.text, first[one.section])
        for one in lesson.questions
        if one.section in lesson.in_dialogues and one.section in first and known(one)
    ]


def _read(asked: Sequence[tuple[str, int]], read: Callable[[str], list[str]]) -> list[Told]:
    return [(read(text), number) for text, number in asked]


@dataclass(frozen=True)
class Encoding:
    """A network with what reads texts for it."""

    network: Encoder
    reader: Reader

    @torch.inference_mode()
    def vectors(self, texts: Sequence[Sequence[str]]) -> Floats:
        """Vectors of texts given as words; float32 (texts, D) on the CPU."""
        self.network.eval()
        parts = [
            self.network(self.reader.read(texts[start : start + _CHUNK])).float().cpu().numpy()
            for start in range(0, len(texts), _CHUNK)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self.network.plan.width), np.float32)

    @torch.inference_mode()
    def dense(self, searched: Searched, passages: int) -> tuple[Floats, Groups]:
        """Vectors to search, and whose each is."""
        if self.network.plan.answers:
            chosen = np.array(list(searched.first), np.int64)
            found = self.network.answer_vectors().float().cpu().numpy()[chosen]
            return found, Groups.of(np.array(list(searched.first.values()), np.int64), passages)
        found = self.vectors([text for text, _ in searched.near])
        return found, Groups.of(np.array([number for _, number in searched.near], np.int64), passages)


def build(searched: Searched, encoding: Encoding, passages: int, mix: Mix | None = None) -> Index:
    """An index over so many passages."""
    owner = np.array([number for _, number in searched.exact], np.int64)
    lexical, texts = Bm25.over([text for text, _ in searched.exact]), Groups.of(owner, passages)
    vectors, dense = encoding.dense(searched, passages)
    context, document = Bm25.over(searched.whole), np.array(searched.document, np.int64)
    return Index(lexical, texts, vectors, dense, context, document, mix or Mix(), *tongues_of(searched.spoken))


def tongues_of(texts: Sequence[str]) -> tuple[NDArray[np.str_] | None, str]:
    """The language of each passage; or None and the language of nearly all."""
    found = np.array([language(one) for one in texts], dtype="<U2")
    share = float((found == "zh").mean()) if len(found) else 0.0
    return (found, "") if _BOTH <= share <= 1 - _BOTH else (None, "zh" if share > _BOTH else "en")
