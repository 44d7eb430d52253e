"""What an assistant learns from: the passages it may cite, and questions of which it is known what answers them.

In documents a heading is a question, and the section below it the answer; headings are then left out of what is
searched, or nothing would be left to learn. In dialogues whatever the user said up to an answer is the question.
Questions of simulated dialogues ask for the section that they were made of; they are learnt, but neither cited nor
searched nor tested with.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data.texts import Document, Part, TextSet
from aigc_models.retrieval.passages import Passage, of_answer, of_sections
from aigc_models.retrieval.tokens import words

TRAIN, VALIDATION, TEST = 0, 1, 2
_VALIDATED = 0.1
_LEAST_WORDS = 2  # of a heading that tests
_LEAST_BODY = 5
MOST_INTENTS, _REPEATS = 2_000, 4
_OPENING = 200  # characters of an answer by which its section is found again
ORIGIN, SIMULATED = "origin", "simulated"  # the attribute of dialogues that were made of documents


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the section that answers it.

    Attributes:
        text: What is asked.
        section: Number of the section.
        share: :data:`TRAIN`, :data:`VALIDATION` or :data:`TEST`.
        fair: Whether it can be told from the text what is meant; a heading that many sections have cannot.
    """

    text: str
    section: int
    share: int
    fair: bool = True


@dataclass(frozen=True)
class Lesson:
    """Passages and questions.

    Attributes:
        passages: All that may be cited, in the order of their sections.
        questions: All that are known, in the order of the documents.
        shares: Whose each section is: the share of the document it is first found in.
        intents: Whether there are few answers, each to many questions, which are told apart like classes.
        in_dialogues: Sections that come from dialogues; what was asked for them is searched, too.
    """

    passages: Sequence[Passage]
    questions: Sequence[Question]
    shares: Sequence[int]
    intents: bool
    in_dialogues: frozenset[int]

    @property
    def sections(self) -> NDArray[np.int64]:
        """The section of each passage; (P,)."""
        return np.array([one.section for one in self.passages], np.int64)

    def of(self, share: int, fair: bool = True) -> list[Question]:
        """Questions of a share; those that test can all be told from their text."""
        return [one for one in self.questions if one.share == share and (one.fair or not fair)]


def lesson_from(texts: Sequence[TextSet], seed: int) -> Lesson:
    """Read datasets.

    Raises:
        InputError: They hold no section and no answer to cite, or no question to learn from.
    """
    made = _Making([], [], [], {}, {}, {})
    for number, each in enumerate(texts):
        for share, document in _shared(each, seed + number):
            if SIMULATED in document.attributes.get(ORIGIN, ()):
                made.take_simulated(document)
            elif each.shape == "dialogues":
                made.take_dialogue(document, share)
            else:
                made.take_page(document, share)
    lesson = made.done()
    if not lesson.of(TRAIN, fair=False):
        sentence = (
            "There is nothing to learn from: no section with a heading, and no question with its answer. Import pages "
            "with headings, or dialogues."
        )
        raise InputError(Fault(sentence, pointer="/dataset", code="no-questions"))
    return lesson


def _shared(texts: TextSet, seed: int) -> Iterator[tuple[int, Document]]:
    """Each document with its share; some of the training's are kept to validate."""
    count = len(texts.train)
    kept = min(max(1, int(count * _VALIDATED)), count - 1)
    chosen = set(np.random.default_rng([seed, 3]).permutation(count)[:kept].tolist())
    for place, document in enumerate(texts.train):
        yield (VALIDATION if place in chosen else TRAIN), document
    for document in texts.test:
        yield TEST, document


@dataclass(slots=True)
class _Making:
    passages: list[Passage]
    questions: list[Question]
    shares: list[int]
    answers: dict[str, int]
    titles: dict[int, str]
    said: dict[str, int]

    def take_simulated(self, document: Document) -> None:
        """Questions to sections of pages; those whose section is not there any more, or tests, are left out."""
        for turns, answer in document.exchanges():
            section = self.said.get(_opening(answer[:_OPENING]))
            if section is not None and self.shares[section] == TRAIN:
                self.questions.append(Question(asked_in(turns), section, TRAIN, fair=False))

    def take_page(self, document: Document, share: int) -> None:
        """Sections, and their headings as questions."""
        first = len(self.shares)
        passages = list(of_sections(document, first))
        self.passages += passages
        for one in passages:
            self.said |= {_opening(one.text[start : start + _OPENING]): one.section for start, _ in one.places()}
        for place, (headings, part) in enumerate(document.headings()):
            self.shares.append(share)
            if len(words(part.text)) < _LEAST_BODY:
                continue
            asked = headings[-1] if headings else document.title if place == 0 else ""
            if words(asked):
                self.questions.append(Question(asked, first + place, share, len(words(asked)) >= _LEAST_WORDS))
                self.titles[len(self.questions) - 1] = document.title

    def take_dialogue(self, document: Document, share: int) -> None:
        """Answers, each once, and what was asked."""
        for turns, answer in document.exchanges():
            asked = asked_in(turns)
            if not words(asked):
                continue
            key = " ".join(answer.split())
            if key not in self.answers:
                self.answers[key] = len(self.shares)
                self.passages += of_answer(document, len(self.shares), asked, answer, len(turns))
                self.shares.append(share)
            self.questions.append(Question(asked, self.answers[key], share))

    def done(self) -> Lesson:
        """All that was read. A heading of several sections does not test, and is learnt with the page's title."""
        often = Counter(" ".join(words(self.questions[place].text)) for place in self.titles)
        questions = []
        for place, one in enumerate(self.questions):
            title = self.titles.get(place)
            if title is not None and often[" ".join(words(one.text))] > 1:
                text = one.text if title == one.text else f"{title} {one.text}".strip()
                one = Question(text, one.section, one.share, fair=False)
            questions.append(one)
        dialogues = frozenset(self.answers.values())
        if not self.passages:
            sentence = "There is nothing to answer from: no section has a text, and no dialogue an answer."
            raise InputError(Fault(sentence, pointer="/dataset", code="nothing-to-cite"))
        few = len(dialogues) == len(self.shares) and len(dialogues) <= MOST_INTENTS
        intents = few and len(questions) >= _REPEATS * len(dialogues)
        return Lesson(self.passages, questions, self.shares, intents, dialogues)


def _opening(text: str) -> str:
    """The words a text begins with, by which it is known again however it is laid out."""
    return " ".join(words(text)[:12])


def asked_in(turns: Iterable[Part]) -> str:
    """What the user said, the last of it first, so that it counts when a text is cut."""
    return "\n".join([turn.text for turn in turns if turn.role == "user"][::-1])
