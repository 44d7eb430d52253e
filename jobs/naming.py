"""Names that people give or get: readable, printable, safe as parts of addresses and file names."""

import re
import unicodedata
from pathlib import PurePosixPath

LONGEST = 120


def slug(text: str) -> str:
    """A name made of letters, digits and hyphens, in any script: ``Fashion MNIST.npz`` -> ``fashion-mnist-npz``."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub(r"[\W_]+", "-", plain).strip("-")[:LONGEST].strip("-") or "unnamed"


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
