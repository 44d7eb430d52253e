"""From documents and dialogues to passages: pieces short enough to cite, which keep the headings they stand under."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from aigc_models.data.replies import BULLET, PieceKind
from aigc_models.data.texts import Document
from aigc_models.retrieval.blocks import blocks_of, markup_in
from aigc_models.retrieval.plain_blocks import Block, close
from aigc_models.retrieval.tokens import sentences, windows, words

MOST_WORDS = 160
_MOST_CHARACTERS = 4_000  # of one sentence, as some texts have no end
_CODE_SEARCHED = 200  # characters
_LEADS_ON = (":", "：")
_ALIKE = 4  # documents


@dataclass(frozen=True, slots=True)
class Piece:
    """What is quoted whole: a sentence, an item of a list, a row of a table, or code.

    Attributes:
        text: What it says, without marks.
        kind: What it is.
        begins: Whether a paragraph or anything else begins with it.
    """

    text: str
    kind: PieceKind = "text"
    begins: bool = False

    @property
    def leads_on(self) -> bool:
        """Whether it says nothing without what comes after it."""
        return self.kind in ("text", "item") and self.text.endswith(_LEADS_ON)


@dataclass(frozen=True, slots=True)
class Passage:
    """What is found and cited.

    Attributes:
        document: The document's name.
        section: Number of the section it is a piece of, the same for all its pieces.
        pieces: What it says.
        title: What the document is called; empty where nothing says so.
        headings: What it stands under, the outermost first.
        question: What it answers, where it comes from a dialogue.
        part: Which part of the document it is from, from 0.
        start, end: The characters of that part's text in which it stands.
    """

    document: str
    section: int
    pieces: tuple[Piece, ...]
    title: str = ""
    headings: tuple[str, ...] = ()
    question: str = ""
    part: int = 0
    start: int = 0
    end: int = 0

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it says, piece by piece."""
        return tuple(one.text for one in self.pieces)

    @property
    def text(self) -> str:
        """What it says, a paragraph, an item, a row or code in lines of its own."""
        return "".join(between + one.text for between, one in zip(self._between(), self.pieces, strict=True))

    @property
    def searched(self) -> str:
        """What it is found by: all it says, but of code only how it begins."""
        return "\n".join(one.text[:_CODE_SEARCHED] if one.kind == "code" else one.text for one in self.pieces)

    def places(self) -> list[tuple[int, int]]:
        """The characters of :attr:`text` that each piece is."""
        found, at = [], 0
        for between, one in zip(self._between(), self.pieces, strict=True):
            found.append((at + len(between), at := at + len(between) + len(one.text)))
        return found

    def _between(self) -> Iterator[str]:
        before: Piece | None = None
        for one in self.pieces:
            mark = BULLET if one.kind == "item" and one.begins and not one.text[:1].isdigit() else ""
            if before is None:
                yield mark
            elif one.begins:
                yield f"\n{mark}"
            else:
                yield "" if close(before.text[-1], one.text[0]) else " "
            before = one

    @property
    def above(self) -> str:
        """All that stands above it: title, headings and question, each once."""
        return "\n".join(dict.fromkeys(one for one in (self.title, *self.headings, self.question) if one))

    @property
    def path(self) -> str:
        """All that stands above it in one line."""
        above = list(dict.fromkeys(one for one in (self.title, *self.headings) if one))
        return " › ".join(above) or self.question or self.document

    @property
    def name(self) -> str:
        """What a person would call it."""
        return next((one for one in (*self.headings[::-1], self.question, self.title) if one), self.document)


@dataclass(frozen=True, slots=True)
class _Cut:
    """Pieces of a text, and the characters in which they stand."""

    pieces: tuple[Piece, ...]
    start: int
    end: int


def cut(text: str, name: str = "", most: int = MOST_WORDS) -> list[_Cut]:
    """Pieces of a text, so many together that they have at most so many words.

    Args:
        text: A section, or an answer.
        name: Of its document, which tells how it is written.
        most: Words.
    """
    found = [(piece, block) for block in blocks_of(text, markup_in(name, text)) for piece in _pieces(block, most)]
    pieces = [piece for piece, _ in found]
    lengths = [len(words(one.text)) for one in pieces]
    made = []
    for part in windows(lengths, most, _held(pieces)):
        blocks = [block for _, block in found[part]]
        made.append(_Cut(tuple(pieces[part]), min(one.start for one in blocks), max(one.end for one in blocks)))
    return made


def _pieces(block: Block, most: int) -> Iterator[Piece]:
    """A block whole, or the sentences of a paragraph or of a very long item."""
    whole = block.kind in ("code", "table") or (block.kind == "item" and len(words(block.text)) <= most)
    begins = True
    for one in [block.text] if whole else sentences(block.text):
        for piece in _shortened(one, lines=block.kind == "code"):
            yield Piece(piece, block.kind, begins or block.kind == "code")
            begins = False


def _shortened(text: str, *, lines: bool) -> Iterator[str]:
    """A text in pieces that can be shown; code is cut at line ends."""
    while len(text) > _MOST_CHARACTERS:
        end = text.rfind("\n", 0, _MOST_CHARACTERS) if lines else -1
        end = end if end > 0 else _MOST_CHARACTERS
        yield text[:end]
        text = text[end:].lstrip("\n") if lines else text[end:]
    if text:
        yield text


def _held(pieces: Sequence[Piece]) -> list[bool]:
    """Which pieces say nothing without the one before them: code, and what a colon leads to."""
    held = [False] * len(pieces)
    for place in range(1, len(pieces)):
        before, one = pieces[place - 1], pieces[place]
        held[place] = before.leads_on or (one.kind == "code" and before.kind != "code")
    return held


def of_sections(document: Document, first: int) -> Iterator[Passage]:
    """Passages of a page; sections are numbered from ``first``. A heading with nothing below it is none."""
    for place, (headings, part) in enumerate(document.headings()):
        for one in cut(part.text, document.name):
            about = (document.title, headings, "", place, one.start, one.end)
            yield Passage(document.name, first + place, one.pieces, *about)


def of_answer(document: Document, section: int, question: str, answer: str, part: int = 0) -> list[Passage]:
    """Passages of an answer, which stand under the question."""
    return [
        Passage(document.name, section, one.pieces, document.title, (), question, part, one.start, one.end)
        for one in cut(answer)
    ]


def to_json(passage: Passage) -> Mapping[str, Any]:
    """A passage as its line holds it."""
    stored = {name: value for name, value in asdict(passage).items() if value or name == "section"}
    stored["pieces"] = [[one.text, one.kind, *([1] if one.begins else [])] for one in passage.pieces]
    return stored


def from_json(stored: Mapping[str, Any]) -> Passage:
    """A passage from its line; one from before there were pieces has a sentence in each line."""
    rest = {name: value for name, value in stored.items() if name not in ("pieces", "headings", "sentences")}
    known = stored.get("pieces") or [[text, "text", 1] for text in stored.get("sentences", ())]
    pieces = tuple(Piece(text, kind, bool(begins)) for text, kind, *begins in known)
    return Passage(pieces=pieces, headings=tuple(stored.get("headings", ())), **rest)


def said_alike(passages: Sequence[Passage]) -> frozenset[str]:
    """Sentences that several documents have word for word, such as a note on prices below each page.

    Those of dialogues do not count: what many are answered alike is an answer.
    """
    having = defaultdict[str, set[str]](set)
    for one in passages:
        if not one.question:
            for piece in one.pieces:
                having[piece.text].add(one.document)
    return frozenset(text for text, documents in having.items() if len(documents) >= _ALIKE)
