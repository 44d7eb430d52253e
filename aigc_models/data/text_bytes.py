"""From the bytes of a file to text: its encoding, and faults where it is written in two of them or is no text."""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aigc_models.base import InputError
from aigc_models.data.reading import refuse
from aigc_models.data.table_dialect import encoding_of, known_encoding, unreadable
from aigc_models.data.table_faults import TableFaults, cut

MOST_BYTES = 400 * 2**20
_DECLARED = re.compile(rb"charset\s*=\s*[\"']?([A-Za-z0-9_-]+)", re.IGNORECASE)
_CONTROLS = re.compile("[\0-\x08\x0b\x0e-\x1f\x7f\ufeff\ufdd0-\ufdef\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_MOST_CONTROLS = 0.01  # of the characters; what has more is no text
_MOSTLY = 0.5  # of the lines with letters beyond ASCII that are UTF-8, so that the others are faults
_HIGH = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text.

    Attributes:
        name: What the file is called.
        text: What it says; line ends are ``\\n``.
        encoding: The codec it is written in.
        removed: Characters that were left out, as they mean nothing in a text.
    """

    name: str
    text: str
    encoding: str
    removed: int = 0


def read_whole(stream: IO[bytes], name: str) -> bytes:
    """All bytes of a file.

    Raises:
        InputError: There are more than :data:`MOST_BYTES`, or they cannot be unpacked.
    """
    try:
        data = stream.read(MOST_BYTES + 1)
    except (OSError, EOFError, zlib.error, gzip.BadGzipFile):
        raise refuse(
            "The file {file} is damaged: it cannot be unpacked. Upload it again.", "truncated-file", file=name
        ) from None
    if len(data) > MOST_BYTES:
        sentence = "The file {file} holds more than {limit} MiB of text. Split it."
        raise refuse(sentence, "dataset-too-large", file=name, limit=MOST_BYTES // 2**20)
    return data


def decode(data: bytes, name: str, wished: str, faults: TableFaults) -> Text:
    """The text of a file; lines in another encoding than the rest are faults, and are left out.

    Raises:
        InputError: It is no text, or not written in the encoding that was wished for.
    """
    encoding = known_encoding(wished) if wished != "auto" else _encoding(data)
    if wished == "auto" and encoding in ("cp1252", "gb18030"):
        data, encoding = _without_strangers(data, name, encoding, faults)
    try:
        text = data.decode(encoding)
    except UnicodeError:
        if wished != "auto" or encoding != "cp1252":
            raise unreadable(name, encoding.removesuffix("-sig")) from None
        text, encoding = data.decode("latin-1"), "latin-1"  # a few bytes have no letter in cp1252
    text, removed = clean(text)
    if removed > _MOST_CONTROLS * max(len(text), 100):
        sentence = "The file {file} holds {count} bytes that are no text. Choose a text file, or set the encoding."
        raise refuse(sentence, "not-text", file=name, count=removed)
    return Text(name, text, encoding.removesuffix("-sig"), removed)


def clean(text: str) -> tuple[str, int]:
    """A text with ``\\n`` as its only line end and without signs that mean nothing, and how many of these it had."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text, controls = _CONTROLS.subn("", text)
    text, halves = _SURROGATES.subn("\ufffd", text)
    return text, controls + halves


def unpacked(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where it is packed with gzip."""
    with path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def _encoding(data: bytes) -> str:
    found = encoding_of(io.BytesIO(data))
    if found == "cp1252" and (declared := _DECLARED.search(data[:4096])):  # a web page that says so itself
        try:
            codec = known_encoding(declared[1].decode())
            data.decode(codec)
        except (InputError, UnicodeError):
            return found
        return codec
    return found


def _without_strangers(data: bytes, name: str, encoding: str, faults: TableFaults) -> tuple[bytes, str]:
    """The lines in the encoding of most lines with letters beyond ASCII, and that; a fault for each of the others.

    Chinese in GB 18030 can be UTF-8 by chance, so lines of that are faults only in a file that is mostly UTF-8.
    """
    lines = data.split(b"\n")
    high = [place for place, line in enumerate(lines) if _HIGH.search(line)]
    utf8 = [place for place in high if _is_utf8(lines[place])]
    strangers: set[int] = set()
    if len(utf8) > _MOSTLY * len(high):
        encoding, strangers = "utf-8", set(high) - set(utf8)
        sentence = "{file}, line {line} is not written in UTF-8 as the other lines are. It reads {value}."
    elif encoding == "cp1252":
        strangers = set(utf8)
        sentence = "{file}, line {line} is written in UTF-8, unlike the other lines. It reads {value}."
    for place in sorted(strangers):
        value = cut(lines[place].decode("utf-8", "replace").strip())
        faults.add(sentence, "mixed-encoding", {"file": name, "line": place + 1, "value": value})
    return b"\n".join(line for place, line in enumerate(lines) if place not in strangers), encoding


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def lines_of(text: Text, longest: int) -> Iterator[tuple[int, str]]:
    """Lines with their numbers from 1.

    Args:
        text: The file.
        longest: Characters of a line.

    Raises:
        InputError: A line is longer.
    """
    for number, line in enumerate(text.text.split("\n"), 1):
        if len(line) > longest:
            raise too_long(text.name, number, longest)
        yield number, line


def too_long(name: str, number: int, limit: int) -> InputError:
    """The fault of a line, or of a text that begins in it, which is too long."""
    sentence = (
        "{file}: the text in line {line} is longer than {limit} characters. Put line ends into the file, or choose one "
        "running text under Divide."
    )
    return refuse(sentence, "cell-too-long", file=name, line=number, limit=limit)
