"""Likely personal data in texts: how much of which kind there is and where, and texts without it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from aigc_models.data.table_personal import find_pieces, mask_text
from aigc_models.data.texts import Document, Part

SHOWN = 5
_CHUNK = 2_000  # characters that are searched at once; searching for an address takes the square of it at worst


@dataclass(slots=True)
class Personal:
    """What was found of one kind.

    Attributes:
        kind: Such as ``email``; see :mod:`aigc_models.data.column_words`.
        pieces: How many there are in all.
        documents: How many documents have one.
        first: Names of the first of these.
    """

    kind: str
    pieces: int = 0
    documents: int = 0
    first: list[str] = field(default_factory=list)


def look(documents: Sequence[Document], beat: Callable[[int], None]) -> list[Personal]:
    """What there is of each kind, the commonest first; ``beat`` is told how many documents are looked at."""
    found: dict[str, Personal] = {}
    for place, document in enumerate(documents):
        for kind, count in _count(document).items():
            one = found.setdefault(kind, Personal(kind))
            one.pieces += count
            one.documents += 1
            if len(one.first) < SHOWN:
                one.first.append(document.name)
        beat(place)
    return sorted(found.values(), key=lambda one: -one.pieces)


def mask(document: Document) -> Document:
    """The document with what was found replaced by its kind, such as ``[email]``; its name stays."""
    attributes = {name: tuple(map(masked, values)) for name, values in document.attributes.items()}
    parts = tuple(_masked_part(part) for part in document.parts)
    return replace(document, title=masked(document.title), parts=parts, attributes=attributes)


def masked(text: str) -> str:
    """A text with what was found in it replaced by its kind."""
    return "".join(mask_text(chunk) if _could_hold(chunk) else chunk for chunk in _chunks(text))


def _masked_part(part: Part) -> Part:
    return replace(part, text=masked(part.text), heading=masked(part.heading))


def _count(document: Document) -> Counter[str]:
    values = [value for values in document.attributes.values() for value in values]
    texts = [document.title, *values, *(text for part in document.parts for text in (part.heading, part.text))]
    return Counter(
        kind for text in texts for chunk in _chunks(text) if _could_hold(chunk) for kind, _ in find_pieces(chunk)
    )


def _could_hold(chunk: str) -> bool:
    return "@" in chunk or sum(map(str.isdigit, chunk)) >= 7


def _chunks(text: str) -> Iterator[str]:
    """Whole lines of about 2,000 characters together; a longer line is cut at a blank where it has one."""
    begin = 0
    while begin < len(text):
        end = begin + _CHUNK
        if end < len(text):
            cuts = (text.rfind(sign, begin + 1, end) + 1 for sign in ("\n", " "))
            end = next((cut for cut in cuts if cut > begin), end)
        yield text[begin:end]
        begin = end
