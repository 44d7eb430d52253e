"""Dialogues made of documents, to train with: questions by patterns and by a trained model, answers from the sections.

A question is kept if a search for it finds the section that it was made of among the first few (round-trip consistency,
Alberti et al. 2019), so what fits anything is not learnt. Only documents of the training share are used.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from aigc_models.assistant.asking import Subject, keywords, of_heading, of_sentence
from aigc_models.assistant.choosing import complete
from aigc_models.assistant.lesson import ORIGIN, SIMULATED
from aigc_models.assistant.params import AssistantSimulate
from aigc_models.assistant.prompting import STOPS
from aigc_models.base import Fault, InputError, Run
from aigc_models.data.texts import TextSet
from aigc_models.retrieval.bm25 import Bm25
from aigc_models.retrieval.passages import Passage, of_sections
from aigc_models.retrieval.tokens import language, question_words, words
from aigc_models.writing.conditions import SPOKEN
from aigc_models.writing.speaking import Manner, Speaker

DIALOGUES = "dialogues.jsonl"
_FOUND = 5  # places within which a question's own section must be found
_ANSWER = 4  # pieces of an answer
_TRIES = 6  # for each dialogue
_OWN_WORDS, _KEYWORDS = 0.4, 0.15  # shares of questions that a writer words, and that are keywords alone
_QUESTION_TOKENS = 40
_LEAST_WORDS = 5


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, and the pieces of a passage that answer it."""

    question: str
    answer: str
    passage: Passage


@dataclass(slots=True)
class _Maker:
    """Makes turns out of passages.

    Attributes:
        pages: The passages of each document, one for each of its sections.
        lexical: BM25 over all passages.
        sections: The section of each passage.
        speaker: Words some of the questions; None for patterns alone.
        params: The settings.
        refused: Why questions were not kept, counted.
        made: Dialogues so far.
    """

    pages: Sequence[Sequence[Passage]]
    lexical: Bm25
    sections: Sequence[int]
    speaker: Speaker | None
    params: AssistantSimulate
    refused: Counter[str]
    made: int = 0

    def dialogue(self, number: int, run: Run) -> list[Turn]:
        """A dialogue over sections of one page; empty where no question was kept."""
        rng = np.random.default_rng([self.params.seed, number])
        for _ in range(_TRIES):
            page = self.pages[int(rng.integers(len(self.pages)))]
            wanted = min(int(rng.integers(1, self.params.turns + 1)), len(page))
            chosen = sorted(rng.permutation(len(page))[:wanted].tolist())
            turns = list(self._turns([page[place] for place in chosen], rng, run))
            if turns:
                return turns
        return []

    def _turns(self, passages: Sequence[Passage], rng: np.random.Generator, run: Run) -> Iterator[Turn]:
        before = ""
        for passage in passages:
            place, question = self._question(passage, rng, further=bool(before), run=run)
            if not question or not self._finds(f"{question} {before}", passage):
                self.refused["found elsewhere" if question else "no question"] += 1
                continue
            yield Turn(question, self._answer(passage, place), passage)
            before = question

    def _question(self, passage: Passage, rng: np.random.Generator, *, further: bool, run: Run) -> tuple[int, str]:
        """A question, and the piece that answers it."""
        if self.speaker is not None and rng.random() < _OWN_WORDS:
            return 0, self._worded(passage, int(rng.integers(2**31)), run)
        spoken = [place for place, one in enumerate(passage.pieces) if one.kind == "text"]
        subjects = [(place, found) for place in spoken if (found := of_sentence(passage.pieces[place].text))]
        if spoken and language(passage.text) == "en" and rng.random() < _KEYWORDS:
            place = spoken[int(rng.integers(len(spoken)))]
            return place, keywords(passage.pieces[place].text, self._rarity)
        if subjects and (rng.random() < 0.5 or not passage.headings):
            place, subject = subjects[int(rng.integers(len(subjects)))]
            return place, subject.asked(rng, further=further)
        if not passage.headings:
            return 0, ""
        named = of_heading(passage.headings[-1], self.lexical.vocabulary)
        return 0, named.asked(rng, further=further) if isinstance(named, Subject) else named

    def _worded(self, passage: Passage, seed: int, run: Run) -> str:
        """A question that the writer asks about a passage; empty where it asks nothing."""
        assert self.speaker is not None
        room = self.speaker.room - _QUESTION_TOKENS
        text = passage.text
        while text and self.speaker.count(text) > room - 20:
            text = text[: len(text) * 3 // 4]
        prompt = f"{SPOKEN['system']}: {text}\n{SPOKEN['user']}:"
        manner = Manner([seed], _QUESTION_TOKENS, ("\n", *STOPS), 0.8)
        (said,) = self.speaker.speak(prompt, manner, lambda _text: run.report(self.made, self.params.count))
        return " ".join(said.split())

    def _rarity(self, word: str) -> float:
        number = self.lexical.vocabulary.get(word)
        return 0.0 if number is None else float(self.lexical.rarity[number])

    def _finds(self, question: str, passage: Passage) -> bool:
        """Whether a search for the question finds the section among the first."""
        scores = self.lexical.score(question_words(question))
        best = dict.fromkeys(
            self.sections[place] for place in np.argsort(-scores, kind="stable")[: 4 * _FOUND].tolist()
        )
        return float(scores.max()) > 0 and passage.section in list(best)[:_FOUND]

    def _answer(self, passage: Passage, place: int) -> str:
        start = max(0, min(place, len(passage.pieces) - _ANSWER))
        span = list(range(start, min(start + _ANSWER, len(passage.pieces))))
        kept = complete(passage.pieces, span, _ANSWER)
        places = passage.places()
        return passage.text[places[kept[0]][0] : places[kept[-1]][1]]


def simulate_into(directory: Path, texts: TextSet, params: AssistantSimulate, speaker: Speaker | None, run: Run) -> int:
    """Write dialogues of a dataset's documents; gives how many.

    Raises:
        InputError: There is nothing to ask about.
    """
    maker = _maker(texts, params, speaker)
    seen: set[str] = set()
    with (directory / DIALOGUES).open("w", encoding="utf-8", newline="\n") as stream:
        for number in range(params.count):
            turns = maker.dialogue(number, run)
            line = json.dumps(_row(turns, params), ensure_ascii=False)
            if turns and line not in seen:
                seen.add(line)
                stream.write(line + "\n")
            maker.made = number + 1
            run.report(maker.made, params.count)
    if not seen:
        raise _nothing()
    run.log(
        f"{len(seen):,} dialogues; not kept: " + (", ".join(f"{n:,} {why}" for why, n in maker.refused.items()) or "0")
    )
    return len(seen)


def _row(turns: Sequence[Turn], params: AssistantSimulate) -> dict[str, object]:
    said: list[dict[str, str]] = []
    for turn in turns:
        if params.grounded:
            said.append({"role": "system", "content": " ".join(turn.passage.sentences)})
        said += [{"role": "user", "content": turn.question}, {"role": "assistant", "content": turn.answer}]
    return {"messages": said, "attributes": {ORIGIN: SIMULATED}}


def _maker(texts: TextSet, params: AssistantSimulate, speaker: Speaker | None) -> _Maker:
    pages, every, first = list[list[Passage]](), list[Passage](), 0
    for document in texts.train:
        found = [one for one in of_sections(document, first) if len(words(one.text)) >= _LEAST_WORDS]
        first += len(document.parts)
        every += found
        starts = {one.section: one for one in reversed(found)}
        if starts:
            pages.append([starts[section] for section in sorted(starts)])
    if not pages:
        raise _nothing()
    lexical = Bm25.over([words(f"{one.above}\n{one.text}") for one in every])
    return _Maker(pages, lexical, [one.section for one in every], speaker, params, Counter())


def _nothing() -> InputError:
    sentence = "There is nothing to make dialogues of: no section has a heading and a text. Give pages with headings."
    return InputError(Fault(sentence, pointer="/dataset", code="nothing-to-cite"))
