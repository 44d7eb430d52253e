"""Opens an upload of texts and makes documents of it: plain text, rows (JSONL, CSV), or a ZIP of files."""

import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from aigc_models.data import text_bytes, text_rows
from aigc_models.data.archives import is_clutter
from aigc_models.data.image_files import true_names
from aigc_models.data.reading import refuse
from aigc_models.data.table_faults import TableFaults
from aigc_models.data.text_bytes import Text, too_long
from aigc_models.data.text_columns import Columns
from aigc_models.data.text_markup import markup_of, read_page
from aigc_models.data.text_rows import Rows
from aigc_models.data.text_turns import scripted
from aigc_models.data.texts import Document, Part, Shape
from aigc_models.data.uploads import ROW_SUFFIXES, is_row_name, is_text_name

LONGEST = 2**20  # characters of a text that is cut out of a file
MOST_DOCUMENTS = 2_000_000
MOST_CHARACTERS = 250_000_000
_FOLDER = "folder"
_MAPPED = ("text_column", "question_column", "answer_column", "role_column", "dialogue_column", "attribute_columns")

Beat = Callable[[float], None]
Params = Mapping[str, Any]


@dataclass(slots=True)
class Gathered:
    """What an upload holds.

    Attributes:
        shape: The shape of its texts.
        documents: All of them, without languages but those that rows tell.
        format: ``text``, ``jsonl``, ``csv`` or ``files``.
        encodings: How many files are written in which encoding.
        columns: What the columns of rows are; None without rows.
        delimiter: What stands between their cells; empty where that has no meaning.
        roles: What roles of dialogues were taken for.
        left_out: Rows, lines and files that could not be read.
        removed: Signs that mean nothing in a text.
        skipped: Names of files in a ZIP that are no texts.
    """

    shape: Shape
    documents: list[Document]
    format: str
    encodings: Counter[str] = field(default_factory=Counter)
    columns: Columns | None = None
    delimiter: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0
    removed: int = 0
    skipped: Sequence[str] = ()


def gather(upload: Path, work: Path, params: Params, beat: Beat) -> Gathered:
    """Read an upload.

    Args:
        upload: The file.
        work: A directory for what lies on disk meanwhile.
        params: The settings of the import.
        beat: Told which share is read.

    Raises:
        InputError: It cannot be read; the first faults are listed.
    """
    faults = TableFaults()
    if zipfile.is_zipfile(upload):
        found = _gather_files(upload, work, params, faults, beat)
    elif is_rows(upload, params):
        found = _from_rows(text_rows.read_rows(upload, params, faults), params, faults)
    else:
        with text_bytes.unpacked(upload) as stream:
            data = text_bytes.read_whole(stream, upload.name)
        text = text_bytes.decode(data, upload.name, params["encoding"], faults)
        found = _from_text(text, params)
    if not params["skip_broken"]:
        faults.refuse()
    found.left_out = faults.count
    found.documents = _named(found.documents)
    _refuse_large(found.documents)
    return found


def is_rows(path: Path, params: Params) -> bool:
    """Whether a file holds rows: by its name, by braces, or because settings name its columns."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(path.name).suffixes[-2:]]
    if suffixes and suffixes[-1] in (".gz", ".gzip"):
        suffixes.pop()
    if suffixes and suffixes[-1] in ROW_SUFFIXES:
        return True
    if markup_of(path.name.removesuffix(".gz")) != "plain":
        return False
    if params["delimiter"] != "auto" or any(params[name].strip() for name in _MAPPED):
        return True
    with text_bytes.unpacked(path) as stream:
        try:
            return stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b'{"', b'[{"', b"[\n"))
        except (OSError, EOFError):
            return False  # told of where it is read whole


def _from_rows(rows: Rows, params: Params, faults: TableFaults) -> Gathered:
    made = text_rows.make_documents(rows, params, faults)
    return Gathered(
        shape=made.shape,
        documents=made.documents,
        format=rows.format,
        encodings=Counter({rows.encoding: 1}),
        columns=made.columns,
        delimiter=rows.delimiter,
        roles=made.roles,
        removed=rows.removed,
    )


def _from_text(text: Text, params: Params) -> Gathered:
    """One file of text: its parts, or a page with headings."""
    facts: dict[str, Any] = {"encodings": Counter({text.encoding: 1}), "removed": text.removed}
    shape: Shape = params["shape"] if params["shape"] != "auto" else _shape_of(text.name)
    if shape == "documents":
        return Gathered(shape, list(_page(text.name, text)), "text", **facts)
    if shape == "dialogues":
        documents, roles = scripted(text, params["answering_role"])
        return Gathered(shape, documents, "text", roles=roles, **facts)
    stem = PurePosixPath(text.name.removesuffix(".gz")).stem
    pieces = list(divide(text, params["divide"]))
    single = len(pieces) == 1
    named = (Document(stem if single else f"{number}", (Part(piece),)) for number, piece in pieces)
    return Gathered(shape, list(named), "text", **facts)


def _shape_of(name: str) -> Shape:
    return "passages" if markup_of(name) == "plain" else "documents"


def divide(text: Text, how: str) -> Iterator[tuple[int, str]]:
    """The documents in a plain text, each with the number of its first line.

    Args:
        text: The file.
        how: ``running`` keeps it whole, ``lines`` makes a document of each line, ``blank_lines`` of what stands
            between blank lines; ``auto`` takes blank lines if they part anything, else lines.

    Raises:
        InputError: A document is too long.
    """
    if how == "running":
        if text.text.strip():
            yield 1, text.text
        return
    if how == "auto":
        how = "blank_lines" if "\n\n" in text.text.strip("\n") or "\n \n" in text.text else "lines"
    block, start = list[str](), 1
    for number, line in text_bytes.lines_of(text, LONGEST):
        if line.strip() and how == "blank_lines":
            start = start if block else number
            block.append(line)
        elif line.strip():
            yield number, line.strip()
        elif block:
            yield start, _joined(text.name, start, block)
            block = []
    if block:
        yield start, _joined(text.name, start, block)


def _joined(name: str, start: int, block: Sequence[str]) -> str:
    piece = "\n".join(block).rstrip()
    if len(piece) > LONGEST:
        raise too_long(name, start, LONGEST)
    return piece


def _page(name: str, text: Text) -> Iterator[Document]:
    page = read_page(text.text, markup_of(text.name))
    if page.parts:
        yield Document(name, tuple(page.parts), page.title)


def _gather_files(upload: Path, work: Path, params: Params, faults: TableFaults, beat: Beat) -> Gathered:
    try:
        with zipfile.ZipFile(upload) as archive:
            infos = archive.infolist()
            named = [(name, info) for name, info in zip(true_names(infos), infos, strict=True) if not info.is_dir()]
            texts = [(name, info) for name, info in named if is_text_name(name)]
            if not texts:
                return _rows_inside(archive, [each for each in named if is_row_name(each[0])], work, params, faults)
            found = _pages(archive, texts, params, faults, beat)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        sentence = "The archive {file} is cut off or damaged. Upload it again."
        raise refuse(sentence, "truncated-file", file=upload.name) from None
    found.skipped = [name for name, _ in named if not is_text_name(name) and not is_clutter(name)]
    return found


def _rows_inside(
    archive: zipfile.ZipFile,
    named: Sequence[tuple[str, zipfile.ZipInfo]],
    work: Path,
    params: Params,
    faults: TableFaults,
) -> Gathered:
    """Rows that are packed into a ZIP; of several files the largest counts."""
    if not named:
        sentence = "The archive {file} holds no texts. Put txt, md, html, JSONL or CSV files into it."
        raise refuse(sentence, "no-documents", file=PurePosixPath(str(archive.filename)).name)
    name, info = max(named, key=lambda each: each[1].file_size)
    path = work / f"rows{PurePosixPath(name.lower()).suffix}"
    with archive.open(info) as stream:
        path.write_bytes(text_bytes.read_whole(stream, name))
    found = _from_rows(text_rows.read_rows(path, params, faults), params, faults)
    found.skipped = [other for other, _ in named if other != name]
    return found


def _pages(
    archive: zipfile.ZipFile,
    texts: Sequence[tuple[str, zipfile.ZipInfo]],
    params: Params,
    faults: TableFaults,
    beat: Beat,
) -> Gathered:
    """Every file as a page, or as passages where that is the shape that was chosen."""
    shape: Shape = "passages" if params["shape"] == "passages" else "documents"
    found = Gathered(shape, [], "files")
    folders = _folders([name for name, _ in texts])
    characters = 0
    for place, (name, info) in enumerate(sorted(texts, key=lambda each: each[0])):
        with archive.open(info) as stream:
            data = text_bytes.read_whole(stream, name)
        text = text_bytes.decode(data, name, params["encoding"], faults)
        found.encodings[text.encoding] += 1
        found.removed += text.removed
        attributes = {_FOLDER: (folders[name],)} if folders.get(name) else {}
        made = _page(name, text) if shape == "documents" else _passages(name, text, params["divide"])
        fresh = [replace(document, attributes=attributes) for document in made]
        if not fresh and not text.text.strip():
            where = {"file": name}
            faults.add("The file {file} holds no text. Fill it or leave it out.", "dataset-empty", where)
        found.documents += fresh
        characters += sum(document.characters for document in fresh)
        if characters > MOST_CHARACTERS:
            raise _too_large()
        beat((place + 1) / len(texts))
    return found


def _passages(name: str, text: Text, how: str) -> Iterator[Document]:
    """A file's passages: the whole file unless it is to be divided; marks of headings stay in the text."""
    if how in ("auto", "running"):
        page = read_page(text.text, markup_of(name))
        whole = Document(name, tuple(page.parts)).text
        if whole:
            yield Document(name, (Part(whole),), page.title)
        return
    for number, piece in divide(text, how):
        yield Document(f"{name}:{number}", (Part(piece),))


def _folders(names: Sequence[str]) -> dict[str, str]:
    """The first folder in which the files differ, by file; nothing where all lie in one."""
    split = {name: PurePosixPath(name).parts[:-1] for name in names}
    shared = 0
    while len({parts[: shared + 1] for parts in split.values()}) == 1 and any(len(p) > shared for p in split.values()):
        shared += 1
    found = {name: parts[shared] for name, parts in split.items() if len(parts) > shared}
    return found if len(set(found.values())) > 1 or len(found) < len(names) else {}


def _named(documents: Sequence[Document]) -> list[Document]:
    """The documents with a number behind a name that was there before."""
    seen: Counter[str] = Counter()
    taken = {document.name for document in documents}
    named = []
    for document in documents:
        seen[document.name] += 1
        name = document.name
        while seen[document.name] > 1 and name in taken:
            name = f"{document.name} ({seen[document.name]})"
            seen[document.name] += name in taken
        taken.add(name)
        named.append(document if name == document.name else replace(document, name=name))
    return named


def _refuse_large(documents: Sequence[Document]) -> None:
    if len(documents) > MOST_DOCUMENTS or sum(document.characters for document in documents) > MOST_CHARACTERS:
        raise _too_large()


def _too_large() -> Exception:
    sentence = "There are more than {documents} texts or {characters} million characters. Split the file."
    return refuse(sentence, "dataset-too-large", documents=MOST_DOCUMENTS, characters=MOST_CHARACTERS // 10**6)
