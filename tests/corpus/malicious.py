"""Uploads that must be refused, each with the code it must be refused with.

``python -m tests.corpus.malicious DIRECTORY`` writes them all, to be sent to a running server.
"""

import gzip
import io
import pickle
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.corpus.pictures import class_folders, encode, idx, npz, pixels, zipped

MIB = 2**20


@dataclass(frozen=True)
class Case:
    """One file and what must be said about it.

    Attributes:
        filename: Name it is uploaded under.
        make: Makes its content.
        code: Code of the first fault.
        at_once: Whether the first look (before any unpacking) must refuse it.
    """

    filename: str
    make: Callable[[], bytes]
    code: str
    at_once: bool = True


def _good(count: int = 12) -> dict[str, bytes]:
    return class_folders({"cats": count})


def _with(name: str, content: bytes) -> Callable[[], bytes]:
    return lambda: zipped({**_good(), name: content})


def _png(width: int, height: int, rows: int) -> bytes:
    """A PNG of one grey level whose header declares a size; ``rows`` of it are really there."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    line = bytes(1 + width)
    body = b"".join(packer.compress(line) for _ in range(rows)) + packer.flush()
    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _huge() -> bytes:
    return _with("cats/big.png", _png(9000, 9000, 9000))()


def _link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in _good().items():
            archive.writestr(name, content)
        info = zipfile.ZipInfo("cats/passwd.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def _bomb() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("big.png", bytes(64 * MIB))
    return buffer.getvalue()


def _overlapping() -> bytes:
    """Many entries that all point at one piece of data, after David Fifield."""
    kernel = zlib.compress(bytes(MIB), 9)[2:-4]
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(kernel), MIB, 5, 0) + b"a.png"
    entry = (
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(kernel), MIB, 5, 0, 0, 0, 0, 0, 0) + b"a.png"
    )
    count = 5000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(entry) * count, len(local) + len(kernel), 0)
    return local + kernel + entry * count + end


def _many_entries() -> bytes:
    """A table of contents that promises a billion entries."""
    start = zipped({"a.png": b"x"})[:40]
    return (
        start
        + struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**9, 10**9, 0, 0)
        + struct.pack("<4sLQL", b"PK\6\7", 0, len(start), 1)
        + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    )


def _locked() -> bytes:
    content = bytearray(zipped(_good()))
    at = content.find(b"PK\1\2")
    content[at + 8] |= 1
    return bytes(content)


def _objects() -> bytes:
    class Harm:
        def __reduce__(self) -> tuple[object, ...]:
            return print, ("code ran",)

    return npz(images=np.array([Harm()] * 20, dtype=object).reshape(20, 1, 1))


def _tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        info = tarfile.TarInfo("a.png")
        info.size = 4
        archive.addfile(info, io.BytesIO(b"data"))
    return buffer.getvalue()


def _npy_lies() -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "|u1", "fortran_order": False, "shape": (10**6, 1000, 1000)})
    return buffer.getvalue()


_IMAGES = np.stack([pixels(seed) for seed in range(12)])
CASES: Mapping[str, Case] = {
    "empty file": Case("empty.zip", bytes, "dataset-empty"),
    "empty zip": Case("empty.zip", lambda: zipped({}), "dataset-empty"),
    "zip without images": Case("text.zip", lambda: zipped({"a.txt": b"hello"}), "no-images"),
    "only what systems leave behind": Case("mac.zip", lambda: zipped({"__MACOSX/a.png": b"x"}), "no-images"),
    "cut off zip": Case("cut.zip", lambda: zipped(_good())[:-40], "truncated-file"),
    "zip with parent name": Case("slip.zip", _with("../../evil.png", b"x"), "unsafe-archive"),
    "zip with absolute name": Case("slip.zip", _with("/etc/evil.png", b"x"), "unsafe-archive"),
    "zip with backslash parent": Case("slip.zip", _with("..\\..\\evil.png", b"x"), "unsafe-archive"),
    "zip with drive": Case("slip.zip", _with("C:evil.png", b"x"), "unsafe-archive"),
    "zip with link": Case("link.zip", _link, "unsafe-archive"),
    "zip with password": Case("locked.zip", _locked, "unsupported-file"),
    "zip 1000:1": Case("bomb.zip", _bomb, "archive-bomb"),
    "zip with overlapping entries": Case("overlap.zip", _overlapping, "archive-bomb"),
    "zip of a billion entries": Case("many.zip", _many_entries, "too-many-files"),
    "excel": Case("book.xlsx", lambda: zipped({"[Content_Types].xml": b"", "xl/book.xml": b""}), "unsupported-file"),
    "pdf": Case("a.pdf", lambda: b"%PDF-1.7 " + bytes(600), "unsupported-file"),
    "single image": Case("a.png", lambda: encode(pixels(0)), "unsupported-file"),
    "pickle": Case("a.npz", lambda: pickle.dumps({"a": list(range(300))}), "unsupported-file"),
    "noise": Case("a.bin", lambda: np.random.default_rng(0).bytes(2000), "unsupported-file"),
    "tar": Case("a.tar.gz", _tar, "unsupported-file"),
    "damaged gzip": Case("a.gz", lambda: b"\x1f\x8b\x08" + bytes(50), "truncated-file"),
    "gzip of a huge idx": Case(
        "a.gz", lambda: gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 1000, 1000)), "archive-bomb"
    ),
    "cut off idx": Case("a-ubyte", lambda: idx(_IMAGES)[:-100], "truncated-file"),
    "huge image": Case("big.zip", _huge, "image-too-large", at_once=False),
    "header promises 10,000 megapixels": Case(
        "lie.zip", _with("cats/big.png", _png(100_000, 100_000, 1)), "image-too-large", at_once=False
    ),
    "cut off image": Case("cut.zip", _with("cats/cut.png", encode(pixels(0))[:-60]), "broken-image", at_once=False),
    "zero-byte image": Case("zero.zip", _with("cats/zero.png", b""), "broken-image", at_once=False),
    "text named image": Case("text.zip", _with("cats/text.png", b"hello world"), "broken-image", at_once=False),
    "one pixel": Case("tiny.zip", _with("cats/tiny.png", encode(pixels(0, 1, 1))), "image-too-small", at_once=False),
    "heic": Case("heic.zip", _with("cats/a.heic", b"ftypheic"), "unsupported-file", at_once=False),
    "in and out of folders": Case("mixed.zip", _with("a.png", encode(pixels(5))), "mixed-folders", at_once=False),
    "three images": Case("few.zip", lambda: zipped(_good(3)), "too-few-images", at_once=False),
    "array of objects": Case("objects.npz", _objects, "unsafe-archive", at_once=False),
    "array larger than memory": Case("lies.npy", _npy_lies, "archive-bomb", at_once=False),
    "cut off array": Case("cut.npy", lambda: _npy(_IMAGES)[:-50], "truncated-file", at_once=False),
    "NaN": Case("nan.npz", lambda: npz(images=np.full((12, 8, 8), np.nan)), "not-finite", at_once=False),
    "values out of range": Case("far.npz", lambda: npz(images=np.full((12, 8, 8), 1e6)), "wrong-range", at_once=False),
    "complex numbers": Case("c.npz", lambda: npz(images=np.ones((12, 8, 8), complex)), "wrong-type", at_once=False),
    "wrong shape": Case("s.npz", lambda: npz(images=np.ones((12, 8, 8, 7), np.uint8)), "wrong-shape", at_once=False),
    "no known name": Case("n.npz", lambda: npz(weights=np.ones((12, 8, 8), np.uint8)), "no-images", at_once=False),
    "labels too short": Case(
        "l.npz", lambda: npz(x_train=_IMAGES, y_train=np.zeros(5, int)), "labels-count", at_once=False
    ),
    "labels of one part only": Case(
        "l.npz", lambda: npz(x_train=_IMAGES, y_train=np.zeros(12), x_test=_IMAGES), "labels-missing", at_once=False
    ),
    "labels only": Case("labels-ubyte", lambda: idx(np.zeros(12, np.uint8)), "no-images", at_once=False),
}  # fmt: skip


def _npy(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def write_all(directory: Path) -> None:
    """Write every case into a directory of its own."""
    for name, case in CASES.items():
        home = directory / name.replace(" ", "-").replace(":", "-")
        home.mkdir(parents=True, exist_ok=True)
        (home / case.filename).write_bytes(case.make())


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
