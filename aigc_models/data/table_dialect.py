"""How a text is written: its encoding and what stands between its cells, found out from its bytes."""

import codecs
import csv
import gzip
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from aigc_models.base import InputError
from aigc_models.data.reading import refuse
from aigc_models.data.uploads import wide_encoding

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " "}
MAX_UNPACKED = 8 * 2**30
_BLOCK = 2**20
_SAMPLE_LINES = 200
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CHINESE_PAIR = re.compile(rb"[\xa1-\xfe][\xa1-\xfe]")
_HIGH = re.compile(rb"[\x80-\xff]")
_MOSTLY = 0.8  # of the bytes above ASCII; letters of Chinese come in pairs of them, letters with accents alone


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a text is written.

    Attributes:
        encoding: Name of the codec.
        delimiter: What stands between two cells; a blank stands for any number of blanks.
        packed: Whether the file is packed with gzip.
        spaced: Whether a blank follows each delimiter.
    """

    encoding: str
    delimiter: str
    packed: bool
    spaced: bool = False


def open_bytes(path: Path, *, packed: bool) -> IO[bytes]:
    """The bytes of a text, unpacked as they are read."""
    return gzip.open(path) if packed else path.open("rb")  # type: ignore[return-value]


def is_packed(path: Path) -> bool:
    """Whether a file is packed with gzip."""
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def find_encoding(path: Path, wished: str) -> str:
    """The codec a file is written in: the wished one, the one its first bytes tell, or the first that fits all of it.

    Raises:
        InputError: There is no codec of the wished name.
    """
    if wished != "auto":
        return known_encoding(wished)
    with open_bytes(path, packed=is_packed(path)) as stream:
        return encoding_of(stream)


def encoding_of(stream: IO[bytes]) -> str:
    """The codec that the first bytes of a text tell, or the first that fits all of it."""
    head = stream.read(_BLOCK)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    return wide_encoding(head[:4096]) or _fitting(head, stream)


def known_encoding(name: str) -> str:
    """A text codec by its name. Raises :class:`InputError` where there is none."""
    try:
        found = codecs.lookup(name.strip())
    except LookupError:
        found = None
    if found is None or not found._is_text_encoding:
        sentence = "There is no encoding called {name}. Use a name such as utf-8, gb18030 or latin-1."
        raise refuse(sentence, "unknown-encoding", name=name)
    return "utf-8-sig" if found.name == "utf-8" else found.name


def _fitting(head: bytes, stream: IO[bytes]) -> str:
    decoders = {name: codecs.getincrementaldecoder(name)() for name in ("utf-8", "gb18030")}
    high = pairs = 0
    block = head
    while decoders and block:
        for name in list(decoders):
            try:
                decoders[name].decode(block)
            except UnicodeDecodeError:
                del decoders[name]
        high += len(_HIGH.findall(block))
        pairs += 2 * len(_CHINESE_PAIR.findall(block))
        block = stream.read(_BLOCK)
    if "utf-8" in decoders:
        return "utf-8"
    return "gb18030" if "gb18030" in decoders and pairs >= _MOSTLY * high else "cp1252"


def find_dialect(path: Path, encoding: str, delimiter: str) -> Dialect:
    """How a text is written, from its first lines."""
    packed = is_packed(path)
    codec = find_encoding(path, encoding)
    lines = _first_lines(path, codec, packed=packed)
    sign = DELIMITERS.get(delimiter) or _find_delimiter(lines)
    inside = [line.count(sign) for line in lines]
    spaced = sign != " " and sum(inside) > 0 and sum(line.count(sign + " ") for line in lines) >= 0.95 * sum(inside)
    return Dialect(codec, sign, packed, spaced)


def _first_lines(path: Path, codec: str, *, packed: bool) -> list[str]:
    with open_bytes(path, packed=packed) as stream:
        block = stream.read(_BLOCK // 4)
    text = codecs.getincrementaldecoder(codec)("replace").decode(block)
    lines = text.splitlines(keepends=True)
    whole = lines[:-1] if len(lines) > 1 and len(block) == _BLOCK // 4 else lines
    return whole[:_SAMPLE_LINES]


def _find_delimiter(lines: Sequence[str]) -> str:
    """The sign that cuts the most lines into as many cells as the first one; a comma where none cuts."""
    best, found = 0.0, ","
    for sign in ("\t", ";", "|", ","):
        share = _agreement(_cut(lines, sign))
        if share > best:
            best, found = share, sign
    if best >= 0.5:
        return found
    blank = _agreement([len(line.split()) for line in lines if line.strip()])
    return " " if blank > max(best, 0.9) and len(lines) > 2 else found


def _cut(lines: Sequence[str], sign: str) -> list[int]:
    """The number of cells of each line; none where one has no end, which is said once it is read."""
    try:
        return [len(row) for row in csv.reader(lines, delimiter=sign) if row]
    except csv.Error:
        return []


def _agreement(counts: Sequence[int]) -> float:
    """The share of lines with the most usual number of cells, 0 where the first line is not cut."""
    if not counts or counts[0] < 2:
        return 0.0
    usual, often = Counter(counts).most_common(1)[0]
    return often / len(counts) if usual > 1 else 0.0


def unreadable(name: str, encoding: str) -> InputError:
    """The fault of bytes that are no text in an encoding."""
    sentence = "The file {file} is not written in {encoding}. Set the encoding, or save the file as UTF-8."
    return refuse(sentence, "wrong-encoding", file=name, encoding=encoding)
