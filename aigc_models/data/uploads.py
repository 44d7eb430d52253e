"""What an uploaded file is, judged from its first bytes and its table of contents before anything is unpacked.

Only the standard library is used: the web process calls this while a person waits.
"""

import gzip
import struct
import zlib
from collections.abc import Callable, Iterable
from math import prod
from pathlib import Path, PurePosixPath
from typing import Literal

from aigc_models.base import Fault, InputError
from aigc_models.data.archives import MAX_UNPACKED, Entry, is_clutter, read_directory

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".webp", ".gif", ".bmp"})
TEXT_SUFFIXES = frozenset({".txt", ".md", ".markdown", ".mdx", ".html", ".htm", ".xhtml", ".rst", ".text"})
ROW_SUFFIXES = frozenset({".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab"})
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".parquet"})
DELIMITERS = (b",", b";", b"\t", b"|")
MAX_RATIO = 1000
_RATIO_FREE = 2**20  # a megabyte of blank labels packs 1000:1 and harms nobody

# Text that could be a table is "text", other text is "prose"; a ZIP of either is "tables" or "documents".
Contents = Literal["pictures", "arrays", "text", "prose", "documents", "tables", "parquet", "model"]
Reading = Literal["anything", "table", "documents", "model"]

_HEAD = 4096
_MOST_NULS = 0.1  # of a text's bytes; a few are a fault with a place, many are no text
_KNOWN = (
    (b"%PDF", "a PDF document"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"\x89PNG", "a single PNG image"),
    (b"\xff\xd8\xff", "a single JPEG image"),
    (b"GIF8", "a single GIF image"),
    (b"BM", "a single BMP image"),
    (b"RIFF", "a single WebP image or a sound"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"SQLite format 3", "an SQLite database"),
)
_PACKED_TABLES = frozenset({".csv", ".tsv", ".tab", ".dat", ".parquet"})
_ENOUGH_TABLES = _ENOUGH_TEXTS = 2
_OFFICE = {"xl/": "an Excel file (.xlsx)", "word/": "a Word file (.docx)", "ppt/": "a PowerPoint file (.pptx)"}
_OFFICE_SUFFIXES = {".xlsx": _OFFICE["xl/"], ".docx": _OFFICE["word/"], ".pptx": _OFFICE["ppt/"]}
_TELLING = 16  # bytes without which a beginning says nothing
_SOURCE_SUFFIXES = frozenset({
    ".py", ".pyi", ".js", ".mjs", ".ts", ".jsx", ".tsx", ".java", ".kt", ".c", ".h", ".cc", ".cpp", ".hpp",
    ".cs", ".go", ".rs", ".rb", ".php", ".pl", ".lua", ".r", ".jl", ".swift", ".scala", ".sh", ".bash",
    ".zsh", ".bat", ".ps1", ".sql", ".css", ".scss", ".ipynb", ".toml", ".ini", ".cfg", ".yaml", ".yml",
    ".log",
})  # fmt: skip


def look(path: Path, filename: str, wanted: str, reading: Reading = "anything") -> Contents:
    """Return what a file holds, without unpacking it.

    Args:
        path: Where it lies.
        filename: What it was called at its sender's.
        wanted: What to upload instead of something that cannot be read.
        reading: What its sender says that it is: any text is a ``table`` then, or ``documents`` or a language
            ``model`` are looked for.

    Raises:
        InputError: It is empty, unsafe, or nothing that can be read; each fault carries a code.
    """
    size = path.stat().st_size
    if size == 0:
        raise _refuse("dataset-empty", "The file {file} is empty (0 bytes). Choose a file with data in it.", filename)
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _check_archive(path, filename, wanted, reading)
    if head.startswith(b"\x1f\x8b"):
        head = _open_gzip(path, filename)
        if is_idx(head) and prod(idx_shape(head)) > MAX_UNPACKED:
            raise _bomb(filename, prod(idx_shape(head)))
    elif is_idx(head):
        _check_idx_length(head, size, filename)
    return _by_head(head, filename, wanted, reading)


def glance(head: bytes, filename: str, wanted: str, reading: Reading = "anything") -> Contents | None:
    """What a file holds that begins like this, before the rest of it was sent; None where the rest decides.

    Raises:
        InputError: It begins like something that cannot be read.
    """
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if office := _OFFICE_SUFFIXES.get(_suffix(filename)):
            raise _unsupported(office, filename, wanted)
        return None
    if head.startswith(b"\x1f\x8b"):
        try:
            head = zlib.decompressobj(31).decompress(head, _HEAD)
        except zlib.error:
            return None
    return _by_head(head, filename, wanted, reading) if len(head) >= _TELLING else None


def is_source(filename: str, head: bytes = b"") -> bool:
    """Whether a text is the source of a program or a web page's parts, by its name or its first line."""
    return _suffix(filename) in _SOURCE_SUFFIXES or head.startswith(b"#!")


def _by_head(head: bytes, filename: str, wanted: str, reading: Reading) -> Contents:
    if is_idx(head) or head.startswith(b"\x93NUMPY"):
        return "arrays"
    if head.startswith(b"PAR1"):
        return "parquet"
    if _is_text(head):
        return "text" if reading == "table" or _is_table(head, filename) else "prose"
    raise _unsupported(_describe(head), filename, wanted)


def _open_gzip(path: Path, filename: str) -> bytes:
    try:
        with gzip.open(path) as stream:
            head = stream.read(_HEAD)
    except (OSError, EOFError, zlib.error):
        sentence = "The file {file} is damaged: it cannot be unpacked. Upload it again."
        raise _refuse("truncated-file", sentence, filename) from None
    if not head:
        raise _refuse("dataset-empty", "The file {file} is packed and holds nothing.", filename)
    return head


def _is_text(head: bytes) -> bool:
    """Whether these bytes read as text in some encoding; a few NUL bytes do not change that."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")) or wide_encoding(head):
        return True
    controls = sum(byte < 32 and byte not in b"\0\t\n\r\f\x1b\x1a" for byte in head)
    return not controls and head.count(0) <= _MOST_NULS * len(head) and not head.startswith(b"%PDF")


def wide_encoding(head: bytes) -> str:
    """The UTF-16 in which a text without a byte order mark is written; empty for other encodings."""
    pairs = len(head) // 2
    if pairs < 4:
        return ""
    even, odd = head[0 : 2 * pairs : 2].count(0), head[1 : 2 * pairs : 2].count(0)
    if odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * pairs and odd < 0.05 * pairs else ""


def _is_table(head: bytes, filename: str) -> bool:
    """Whether a text is a table by its name, or by the same delimiters or numbers in columns in its first lines."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(filename).suffixes[-2:]]
    if suffixes and suffixes[-1] in (".gz", ".gzip"):
        suffixes.pop()
    if suffixes and suffixes[-1] in TABLE_SUFFIXES:
        return True
    if head.lstrip()[:1] in (b"<", b"{", b"["):
        return False
    lines = head.splitlines()[:3]
    if len(lines) > 1 and any(0 < lines[0].count(sign) == lines[1].count(sign) for sign in DELIMITERS):
        return True
    counts = {len(line.split()) for line in lines}
    return len(lines) == 3 and counts == {max(counts)} != {1} and all(any(map(_is_digit, line)) for line in lines[1:])


def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57


def is_idx(head: bytes) -> bool:
    """Whether a file that starts like this is an IDX array of unsigned bytes."""
    return head[:3] == b"\0\0\x08" and 1 <= head[3] <= 4 if len(head) >= 8 else False


def idx_shape(head: bytes) -> tuple[int, ...]:
    """The shape an IDX file declares in its header."""
    return struct.unpack_from(f">{head[3]}I", head, 4)


def _check_idx_length(head: bytes, size: int, filename: str) -> None:
    need = 4 + 4 * head[3] + prod(idx_shape(head))
    if size < need:
        sentence = "The file {file} is cut off: it has {size} bytes, but its header promises {need}. Upload it again."
        raise _refuse("truncated-file", sentence, filename, size=size, need=need)


def _check_archive(path: Path, filename: str, wanted: str, reading: Reading) -> Contents:
    entries = read_directory(path, filename)
    faults: list[Fault] = []
    tables: list[str] = []
    packed = unpacked = names = documents = pictures = 0
    useful = configured = weighted = False
    office = ""
    for entry in entries:
        names += 1
        packed += entry.packed
        unpacked += entry.unpacked
        fault = _entry_fault(entry)
        if fault is not None and len(faults) < 100:
            faults.append(fault)
        useful = useful or is_candidate(entry.name)
        documents += is_text_name(entry.name) or (reading == "documents" and is_row_name(entry.name))
        pictures += _is_picture(entry.name)
        configured = configured or entry.name.rpartition("/")[2] == "config.json"
        weighted = weighted or entry.name.endswith(".safetensors")
        if is_table_name(entry.name) and len(tables) < _ENOUGH_TABLES:
            tables.append(entry.name)
        office = office or next((kind for start, kind in _OFFICE.items() if entry.name.startswith(start)), "")
    if faults:
        raise InputError(faults)
    size = path.stat().st_size
    if packed > size or unpacked > MAX_UNPACKED or (unpacked > _RATIO_FREE and unpacked > MAX_RATIO * size):
        raise _bomb(filename, unpacked)
    if not names:
        raise _refuse("dataset-empty", "The archive {file} holds no files. Put images into it.", filename)
    if reading == "model" or (reading == "anything" and configured and weighted):
        return "model"
    if reading == "documents" and not documents:
        sentence = "The archive {file} holds no texts. Put txt, md, html, JSONL or CSV files into it."
        raise _refuse("no-documents", sentence, filename)
    plainly = documents >= _ENOUGH_TEXTS and not pictures and not tables
    if documents and (reading == "documents" or (reading == "anything" and plainly)):
        return "documents"
    if tables and (reading == "table" or (not useful and len(tables) > 1)):
        return "tables"
    if reading == "table":
        sentence = "The archive {file} holds no table. Upload {wanted}."
        raise _refuse("no-tables", sentence, filename, wanted=wanted)
    if not useful:
        raise _nothing_useful(filename, office, next(iter(tables), ""), wanted)
    return "pictures"


def is_text_name(name: str) -> bool:
    """Whether an archive's entry is a text or a page, judged by its name."""
    return _suffix(name) in TEXT_SUFFIXES and not is_clutter(name)


def is_row_name(name: str) -> bool:
    """Whether an archive's entry holds rows of text, judged by its name."""
    return _suffix(name) in ROW_SUFFIXES and not is_clutter(name)


def _is_picture(name: str) -> bool:
    return _suffix(name) in IMAGE_SUFFIXES or name.lower().endswith((".npy", ".idx", "-ubyte", "-ubyte.gz"))


def _suffix(name: str) -> str:
    """The ending of a file's name; paths as objects would keep every one of half a million names in memory."""
    stem, dot, ending = name.rpartition("/")[2].lower().rpartition(".")
    return dot + ending if stem and ending else ""


def is_table_name(name: str) -> bool:
    """Whether an archive's entry is a table, judged by its name."""
    return _suffix(name) in _PACKED_TABLES and not is_clutter(name)


def _nothing_useful(filename: str, office: str, table: str, wanted: str) -> InputError:
    if office:
        return _unsupported(office, filename, wanted)
    if table:
        sentence = "The archive {file} holds the table {table}. Upload the table itself, packed with gzip if you like."
        return _refuse("unsupported-file", sentence, filename, table=table)
    return _no_images(filename)


def is_candidate(name: str) -> bool:
    """Whether an archive's entry could hold images, judged by its name."""
    if name.endswith("/") or is_clutter(name):
        return False
    suffix, last = _suffix(name), name.lower().rpartition("/")[2]
    return suffix in IMAGE_SUFFIXES or not suffix or last.endswith((".npy", ".gz", ".idx", "-ubyte")) or ".idx" in last


def _entry_fault(entry: Entry) -> Fault | None:
    where = {"file": entry.name}
    values = {"file": entry.name}
    checks: Iterable[tuple[Callable[[Entry], bool], str, str]] = (
        (
            _is_unsafe,
            "unsafe-archive",
            "The archive holds the name {file}, which leads out of its folder. Pack it again.",
        ),
        (lambda e: e.link, "unsafe-archive", "The archive holds the link {file}. Put the image itself in its place."),
        (lambda e: e.encrypted, "unsupported-file", "The file {file} is locked with a password. Pack it without one."),
        (
            lambda e: e.method not in (0, 8),
            "unsupported-file",
            "The file {file} is packed in a rare way. Make a plain ZIP.",
        ),
        (_is_bomb, "archive-bomb", "The file {file} unpacks to more than 1000 times its size. Leave it out."),
    )
    for applies, code, sentence in checks:
        if applies(entry):
            return Fault(sentence, values, where=where, code=code)
    return None


def _is_unsafe(entry: Entry) -> bool:
    name = entry.name.replace("\\", "/")
    parts = name.split("/")
    return "\0" in name or name.startswith("/") or ".." in parts or (len(name) > 1 and name[1] == ":")


def _is_bomb(entry: Entry) -> bool:
    return entry.unpacked > _RATIO_FREE and entry.unpacked > MAX_RATIO * max(entry.packed, 1)


def _describe(head: bytes) -> str:
    if _is_text(head):
        return "a text file"
    return next((kind for start, kind in _KNOWN if head.startswith(start)), "")


def _refuse(code: str, sentence: str, filename: str, **values: object) -> InputError:
    return InputError(Fault(sentence, {"file": filename, **values}, where={"file": filename}, code=code))


def _unsupported(looks_like: str, filename: str, wanted: str) -> InputError:
    if looks_like:
        sentence = "The file {file} looks like {looks_like}. Upload {wanted}."
        return _refuse("unsupported-file", sentence, filename, looks_like=looks_like, wanted=wanted)
    return _refuse("unsupported-file", "The file {file} is of no known kind. Upload {wanted}.", filename, wanted=wanted)


def _no_images(filename: str) -> InputError:
    sentence = (
        "The archive {file} holds no images. Put PNG or JPEG files into it, in one folder for each class if you like."
    )
    return _refuse("no-images", sentence, filename)


def _bomb(filename: str, unpacked: int) -> InputError:
    sentence = "The file {file} would unpack to {size} MiB, far more than its own size allows. Pack it again with less."
    return _refuse("archive-bomb", sentence, filename, size=unpacked // 2**20)
