"""Names that people give or get: readable, printable, safe as parts of addresses and file names."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

LONGEST = 120
BEGINNING = 40


def slug(text: str) -> str:
    """A name made of letters, digits and hyphens, in any script: ``Fashion MNIST.npz`` -> ``fashion-mnist-npz``."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[\W_]+", "-", plain).strip("-")[:LONGEST].strip("-") or "unnamed"


def beginning(text: str) -> str:
    """The first words of a text as part of a name: ``How do I print a page?`` -> ``how-do-i-print-a-page``."""
    words = slug(text[: 4 * BEGINNING]) if any(map(str.isalnum, text)) else ""
    if len(words) <= BEGINNING:
        return words
    whole = words[: BEGINNING + 1].rpartition("-")[0]
    return whole if len(whole) > BEGINNING // 2 else words[:BEGINNING]


def wish(params: Mapping[str, Any], settings: Sequence[str]) -> str:
    """The beginning of the first of some settings that says something: of a text, or of the first of several."""
    for value in map(params.get, settings):
        first = value if isinstance(value, str) else next(iter(value or ()), "")
        if found := beginning(str(first)):
            return found
    return ""


def is_printable(text: str) -> bool:
    """Whether a name has no control characters and at least one visible one."""
    return text.isprintable() and bool(text.strip())


def file_name(text: str) -> str:
    """The last part of a file's name as a client sent it, without anything that has a meaning in a path."""
    last = text.replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join(character for character in last if character.isprintable() and character not in '<>:"|?*\0')
    kept = kept.strip().lstrip(".")
    stem, suffix = PurePosixPath(kept).stem, PurePosixPath(kept).suffix
    room = LONGEST - len(suffix.encode())
    stem = stem.encode()[: max(room, 1)].decode(errors="ignore")
    return f"{stem}{suffix}" if stem and room > 0 else "upload"


def plain(text: str) -> str:
    """Text without NUL, which PostgreSQL keeps nowhere."""
    return text.replace("\0", "")
