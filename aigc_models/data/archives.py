"""The table of contents of a ZIP file, read entry by entry in constant memory and without unpacking.

:mod:`zipfile` makes an object of half a kilobyte for each entry before anything can be refused,
so a small hostile file could take a gigabyte of the web process.
"""

import stat
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aigc_models.base import Fault, InputError

MAX_ENTRIES = 500_000
MAX_UNPACKED = 8 * 2**30
_MAX_DIRECTORY = 64 * 2**20

_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_UTF8 = 0x800


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a ZIP's table of contents; sizes in bytes as declared there."""

    name: str
    packed: int
    unpacked: int
    method: int
    encrypted: bool
    link: bool


def read_directory(path: Path, filename: str) -> Iterator[Entry]:
    """Yield the entries of a ZIP file.

    Raises:
        InputError: It is cut off, damaged, or has more entries than :data:`MAX_ENTRIES`.
    """
    with path.open("rb") as stream:
        count, length, offset = _find_directory(stream, path.stat().st_size, filename)
        stream.seek(offset)
        for _ in range(count):
            yield _read_entry(stream, filename)
        if stream.tell() != offset + length:  # zipfile goes by the length, so both must agree
            raise _damaged(filename)


def name_encoding(names: Iterable[bytes]) -> str:
    """The encoding of names that do not say theirs: UTF-8 if all fit, else GB 18030 as on Chinese Windows."""
    fitting = dict.fromkeys(("utf-8", "gb18030", "cp437"))
    for name in names:
        for encoding in list(fitting):
            try:
                name.decode(encoding)
            except UnicodeDecodeError:
                del fitting[encoding]
    return next(iter(fitting))


def is_clutter(name: str) -> bool:
    """Whether an entry is something that operating systems leave behind."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    return (
        not parts
        or "__MACOSX" in parts
        or parts[-1].startswith(".")
        or parts[-1].lower() in ("thumbs.db", "desktop.ini")
    )


def _find_directory(stream: BinaryIO, size: int, filename: str) -> tuple[int, int, int]:
    start = max(0, size - _END.size - 0xFFFF)
    stream.seek(start)
    tail = stream.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise _damaged(filename)
    *_, count, length, offset, _comment = _END.unpack_from(tail, at)
    end = start + at
    if count == 0xFFFF or 0xFFFFFFFF in (length, offset):
        count, length, offset, end = _find_directory64(stream, end, filename)
    if count > MAX_ENTRIES or length > _MAX_DIRECTORY:
        sentence = "The archive {file} holds {count} files. The limit is {limit}; split it or use a .npz file."
        values = {"file": filename, "count": count, "limit": MAX_ENTRIES}
        raise InputError(Fault(sentence, values, where={"file": filename}, code="too-many-files"))
    # Bytes before the archive (a self-extractor) shift every offset by the same amount.
    shift = end - length - offset
    if shift < 0:
        raise _damaged(filename)
    return count, length, offset + shift


def _find_directory64(stream: BinaryIO, end: int, filename: str) -> tuple[int, int, int, int]:
    try:
        stream.seek(end - _END64_LOCATOR.size)
        magic, _, at, _ = _END64_LOCATOR.unpack(stream.read(_END64_LOCATOR.size))
        stream.seek(at)
        magic64, *_, count, length, offset = _END64.unpack(stream.read(_END64.size))
    except (OSError, ValueError, OverflowError, struct.error):
        raise _damaged(filename) from None
    if magic != b"PK\x06\x07" or magic64 != b"PK\x06\x06":
        raise _damaged(filename)
    return count, length, offset, at


def _read_entry(stream: BinaryIO, filename: str) -> Entry:
    fixed = stream.read(_ENTRY.size)
    if len(fixed) < _ENTRY.size or fixed[:4] != b"PK\x01\x02":
        raise _damaged(filename)
    values = _ENTRY.unpack(fixed)
    flags, method, packed, unpacked = values[3], values[4], values[8], values[9]
    name_length, extra_length, comment_length, attributes = values[10], values[11], values[12], values[15]
    name = stream.read(name_length)
    extra = stream.read(extra_length)
    stream.seek(comment_length, 1)
    unpacked, packed = _sizes64(extra, unpacked, packed)
    return Entry(
        name=name.decode("utf-8" if flags & _UTF8 else name_encoding([name]), "replace"),
        packed=packed,
        unpacked=unpacked,
        method=method,
        encrypted=bool(flags & 1),
        link=stat.S_ISLNK(attributes >> 16),
    )


def _sizes64(extra: bytes, unpacked: int, packed: int) -> tuple[int, int]:
    """Replace the sizes that say "see the ZIP64 field" by what that field says."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            numbers = [
                struct.unpack_from("<Q", extra, at + 4 + 8 * i)[0] for i in range(min(length, len(extra) - at - 4) // 8)
            ]
            if unpacked == 0xFFFFFFFF and numbers:
                unpacked = numbers.pop(0)
            if packed == 0xFFFFFFFF and numbers:
                packed = numbers.pop(0)
            break
        at += 4 + length
    return unpacked, packed


def _damaged(filename: str) -> InputError:
    sentence = "The archive {file} is cut off or damaged. Upload it again."
    return InputError(Fault(sentence, {"file": filename}, where={"file": filename}, code="truncated-file"))
