"""From documents and dialogues to passages: pieces short enough to cite, which keep the headings they stand under."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aigc_models.data.texts import Document
from aigc_models.retrieval.tokens import sentences, windows, words

MOST_WORDS = 160
_MOST_CHARACTERS = 4_000  # of one sentence, as some texts have no end


@dataclass(frozen=True, slots=True)
class Passage:
    """What is found and cited.

    Attributes:
        document: The document's name.
        section: Number of the section it is a piece of, the same for all its pieces.
        sentences: What it says.
        title: What the document is called; empty where nothing says so.
        headings: What it stands under, the outermost first.
        question: What it answers, where it comes from a dialogue.
    """

    document: str
    section: int
    sentences: tuple[str, ...]
    title: str = ""
    headings: tuple[str, ...] = ()
    question: str = ""

    @property
    def text(self) -> str:
        """What it says, a sentence in each line."""
        return "\n".join(self.sentences)

    @property
    def above(self) -> str:
        """All that stands above it: title, headings and question, each once."""
        return "\n".join(dict.fromkeys(one for one in (self.title, *self.headings, self.question) if one))

    @property
    def name(self) -> str:
        """What a person would call it."""
        return next((one for one in (*self.headings[::-1], self.question, self.title) if one), self.document)


def cut(text: str, most: int = MOST_WORDS) -> list[tuple[str, ...]]:
    """Sentences in pieces of at most so many words."""
    found = [piece for one in sentences(text) for piece in _shortened(one)]
    return [tuple(found[part]) for part in windows([len(words(one)) for one in found], most)]


def _shortened(sentence: str) -> Iterator[str]:
    for start in range(0, len(sentence), _MOST_CHARACTERS):
        yield sentence[start : start + _MOST_CHARACTERS]


def of_sections(document: Document, first: int) -> Iterator[Passage]:
    """Passages of a page; sections are numbered from ``first``. A heading with nothing below it is none."""
    for place, (headings, part) in enumerate(document.headings()):
        for piece in cut(part.text):
            yield Passage(document.name, first + place, piece, document.title, headings)


def of_answer(document: Document, section: int, question: str, answer: str) -> list[Passage]:
    """Passages of an answer, which stand under the question."""
    return [Passage(document.name, section, piece, document.title, (), question) for piece in cut(answer)]


def to_json(passage: Passage) -> Mapping[str, Any]:
    """A passage as its line holds it."""
    return {name: value for name, value in asdict(passage).items() if value or name == "section"}


def from_json(stored: Mapping[str, Any]) -> Passage:
    """A passage from its line."""
    lists: Mapping[str, Sequence[str]] = {name: stored.get(name, ()) for name in ("sentences", "headings")}
    rest = {name: value for name, value in stored.items() if name not in lists}
    return Passage(sentences=tuple(lists["sentences"]), headings=tuple(lists["headings"]), **rest)
