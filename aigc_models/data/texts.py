"""Text datasets as families read them: documents made of parts, split into a training and a test share.

One kind of dataset, ``text``, comes in three shapes, which all have the same structure:

=============  ==========================  ===========================================================
shape          a document is               its parts are
=============  ==========================  ===========================================================
``passages``   one text with attributes,   one part
               or a run of plain text
``dialogues``  one dialogue, or one        turns with a role: ``user``, ``assistant`` (who answers) or
               question with its answer    ``system``
``documents``  one page or file            sections with a heading and its level; the first may have none
=============  ==========================  ===========================================================

A family asks for one by ``dataset_input("text", ...)``, reads it with :func:`load_texts`, and says which shapes it
takes with :func:`require_shape`. On disk it is three files, of which two can be read by anything::

    train.jsonl    one document a line, UTF-8: {"name": ..., "parts": [{"text": ...}], ...}, empty fields left out
    test.jsonl     the same, documents that no training may see
    dataset.json   what the import found out: shape, counts, languages, attributes, faults (see :func:`load_report`)

Line ends are ``\\n`` everywhere, Unicode is as in the upload (byte order marks and NULs apart), and no part is blank.
Copies and near-copies of a document never lie on both sides of the split.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

from aigc_models.base import Fault, InputError

REPORT = "dataset.json"
FILES: Mapping[str, str] = MappingProxyType({"train": "train.jsonl", "test": "test.jsonl"})

Shape = Literal["passages", "dialogues", "documents"]
Role = Literal["user", "assistant", "system"]
SHAPES: tuple[Shape, ...] = get_args(Shape)
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Part:
    """A passage's text, a turn of a dialogue, or a section of a document.

    Attributes:
        text: What it says; never blank, except in a section that has a heading and nothing below it.
        role: Who says it, one of :data:`ROLES`; dialogues only.
        heading: The heading of a section as one line; empty where none stands above it.
        level: The rank of the heading, 1 for a page's title to 6; 0 without one.
    """

    text: str
    role: str = ""
    heading: str = ""
    level: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """One text, one dialogue or one page.

    Attributes:
        name: What it is called in the upload: the path of a file, the id in a row, or its number from 1; two never
            share one, in both shares together.
        parts: At least one.
        title: What a person would call it; empty where nothing says so.
        language: Its language by ISO 639-1, such as ``en`` or ``zh``; empty where it cannot be told.
        attributes: What is known of it, by name: ``{"section": ("games",), "tags": ("2d", "arcade")}``; no name
            without a value.
    """

    name: str
    parts: tuple[Part, ...]
    title: str = ""
    language: str = ""
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All it says: headings and texts with a blank line between them."""
        return "\n\n".join(piece for part in self.parts for piece in (part.heading, part.text) if piece)

    @property
    def characters(self) -> int:
        """Characters of its parts' texts, headings not counted."""
        return sum(len(part.text) for part in self.parts)

    def exchanges(self) -> Iterator[tuple[tuple[Part, ...], str]]:
        """Every answer of a dialogue with the turns before it, the latest of which is no answer: (turns, answer)."""
        for place, part in enumerate(self.parts):
            if part.role == "assistant" and place and self.parts[place - 1].role != "assistant":
                yield self.parts[:place], part.text

    def headings(self) -> Iterator[tuple[tuple[str, ...], Part]]:
        """Every section with the headings it stands under, the outermost first and its own last."""
        above: list[tuple[int, str]] = []
        for part in self.parts:
            if part.heading:
                above = [each for each in above if each[0] < part.level]
                above.append((part.level, part.heading))
            yield tuple(heading for _, heading in above), part


@dataclass(frozen=True, slots=True)
class TextSet:
    """A dataset: documents to learn from, and documents kept for testing; one long text is cut into its two ends."""

    shape: Shape
    train: tuple[Document, ...]
    test: tuple[Document, ...]

    def attribute_names(self) -> tuple[str, ...]:
        """The names of attributes in the training share, in the order in which they appear."""
        return tuple(dict.fromkeys(name for document in self.train for name in document.attributes))


def require_shape(texts: TextSet, *shapes: Shape) -> None:
    """Raise :class:`InputError` unless a dataset has one of these shapes."""
    if texts.shape not in shapes:
        sentence = "This dataset holds texts of the shape {shape}. Choose one of the shape {wanted}."
        values = {"shape": texts.shape, "wanted": ", ".join(shapes)}
        raise InputError(Fault(sentence, values, "/dataset", code="wrong-text-shape"))


def load_texts(directory: Path) -> TextSet:
    """Read what an import wrote.

    Raises:
        ValueError: It is no text dataset, or was changed by hand into something that is none.
    """
    shape = load_report(directory)["shape"]
    shares = {share: tuple(_read(directory / file)) for share, file in FILES.items()}
    texts = TextSet(shape, **shares)
    check_texts(texts)
    return texts


def load_report(directory: Path) -> dict[str, Any]:
    """Read what the import found out.

    It holds ``kind`` ("text"), ``shape``, ``train`` and ``test`` (documents), ``characters`` (``train``, ``test``),
    ``parts`` (``train``, ``test``: turns or sections), ``languages`` (documents by ISO 639-1, "" for unknown),
    ``attributes`` (one mapping each: ``name``, ``multiple``, ``documents``, ``different``, and the commonest
    ``values`` as pairs of a spelling and how many documents have it), ``lengths`` (quantiles of characters in a
    document), ``duplicates``, ``near_duplicates``, ``personal``, ``warnings`` and ``hash`` (of the content).
    """
    report: dict[str, Any] = json.loads((directory / REPORT).read_text(encoding="utf-8"))
    return report


def save_texts(texts: TextSet, report: Mapping[str, Any], directory: Path) -> None:
    """Write a dataset's directory, to be read by :func:`load_texts`.

    The report gets ``kind``, ``shape``, ``train``, ``test`` and ``hash`` by themselves.

    Raises:
        ValueError: The documents break a rule of this module.
    """
    check_texts(texts)
    directory.mkdir(parents=True, exist_ok=True)
    digest = sha256(texts.shape.encode())
    for share, file in FILES.items():
        digest.update(f"\n{share}\n".encode())
        with (directory / file).open("wb") as stream:
            for document in getattr(texts, share):
                line = (json.dumps(to_json(document), ensure_ascii=False) + "\n").encode()
                digest.update(line)
                stream.write(line)
    counts = {"train": len(texts.train), "test": len(texts.test)}
    told = {**report, "kind": "text", "shape": texts.shape, **counts, "hash": digest.hexdigest()}
    (directory / REPORT).write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")


def check_texts(texts: TextSet) -> None:
    """Raise ValueError where documents break a rule of this module."""
    if texts.shape not in SHAPES:
        raise ValueError(f"no shape of texts: {texts.shape!r}")
    if not texts.train:
        raise ValueError("no document to learn from")
    names: set[str] = set()
    for document in (*texts.train, *texts.test):
        if document.name in names:
            raise ValueError(f"two documents are called {document.name!r}")
        names.add(document.name)
        if not document.parts or not all(part.text.strip() or part.heading for part in document.parts):
            raise ValueError(f"the document {document.name!r} is blank")
        if texts.shape == "dialogues" and not all(part.role in ROLES for part in document.parts):
            raise ValueError(f"a turn of {document.name!r} has no role")


def to_json(document: Document) -> dict[str, Any]:
    """A document as its line holds it; fields that say nothing are left out."""
    parts = [{"text": part.text} | _said(part, ("role", "heading", "level")) for part in document.parts]
    attributes = {name: list(values) for name, values in document.attributes.items()}
    told = {"name": document.name} | _said(document, ("title", "language")) | {"parts": parts}
    return told | ({"attributes": attributes} if attributes else {})


def from_json(line: Mapping[str, Any]) -> Document:
    """A document from its line."""
    attributes = {name: tuple(values) for name, values in line.get("attributes", {}).items()}
    parts = tuple(Part(**part) for part in line["parts"])
    return Document(line["name"], parts, line.get("title", ""), line.get("language", ""), attributes)


def _said(thing: Part | Document, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names if getattr(thing, name)}


def _read(path: Path) -> Iterator[Document]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            yield from_json(json.loads(line))
