"""What is known of a text: how people write it in a setting, and how a network reads it in front of the text.

Only the standard library is used, as forms check what is typed.
"""

from collections.abc import Iterable, Mapping, Sequence

from aigc_models.base import Fault, InputError
from aigc_models.data.texts import Document

Attributes = Mapping[str, tuple[str, ...]]

TITLE = "title"
SPOKEN = {"user": "User", "assistant": "Assistant", "system": "System"}


def known_of(document: Document) -> Attributes:
    """What is known of a document: its title, if it has one, and its attributes."""
    title = {TITLE: (" ".join(document.title.split()),)} if document.title.strip() else {}
    return {
        **title,
        **{name: tuple(" ".join(v.split()) for v in values) for name, values in document.attributes.items()},
    }


def body_of(document: Document) -> str:
    """What a document says; turns of a dialogue begin with who speaks."""
    if any(part.role for part in document.parts):
        return "\n".join(f"{SPOKEN.get(part.role, part.role)}: {part.text}" for part in document.parts)
    return document.text


def header_of(attributes: Attributes) -> str:
    """What stands in front of a text: a line for each attribute."""
    return "".join(f"{name}: {', '.join(values)}\n" for name, values in attributes.items() if values)


def read_header(header: str) -> Attributes:
    """Attributes from what :func:`header_of` makes of them, as a network wrote it; what is no such line is left out."""
    lines = (line.partition(": ") for line in header.splitlines())
    return {name: tuple(filter(None, value.split(", "))) for name, found, value in lines if found and name and value}


def read_wish(wish: str, names: Sequence[str]) -> Attributes:
    """Attributes from what a person typed: ``section=games, tags=2d, arcade``, in commas or lines.

    What has no ``=`` is one more value of the attribute before it. The order is that of ``names``, in which a network
    has read them.

    Raises:
        InputError: There is no attribute of that name.
    """
    found: dict[str, list[str]] = {}
    name = ""
    for piece in wish.replace("\n", ",").replace("，", ",").split(","):
        before, equals, after = piece.partition("=")
        if equals:
            name = _name(before.strip(), names)
        value = " ".join((after if equals else piece).split())
        if value and not name:
            raise InputError(_no_such(value, names))
        if value:
            found.setdefault(name, []).append(value)
    return {one: tuple(found[one]) for one in names if one in found}


def _name(typed: str, names: Iterable[str]) -> str:
    same = [name for name in names if name.casefold() == typed.casefold()]
    if not same:
        raise InputError(_no_such(typed, list(names)))
    return same[0]


def _no_such(typed: str, names: Sequence[str]) -> Fault:
    if not names:
        sentence = "The model knows no attributes: its training texts had none. Leave the attributes empty."
        return Fault(sentence, pointer="/attributes", code="unknown-attribute")
    sentence = "The model knows no attribute called {name}. Write them as in {example}; it knows: {names}."
    values = {"name": typed, "example": f"{names[0]}=…", "names": ", ".join(names)}
    return Fault(sentence, values, "/attributes", code="unknown-attribute")
