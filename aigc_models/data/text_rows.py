"""Rows of text, from JSON lines or CSV: reading them, and making documents of them by what their columns are."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from aigc_models.data import text_bytes
from aigc_models.data.reading import refuse
from aigc_models.data.table_dialect import Dialect, find_dialect, open_bytes
from aigc_models.data.table_faults import TableFaults, cut
from aigc_models.data.table_rows import LONGEST_LINE, RowReader
from aigc_models.data.text_columns import Columns, Use, choose, cut_values, names_one
from aigc_models.data.text_markup import read_page
from aigc_models.data.text_turns import TURNS, Speaker, as_turns, merge, name_roles
from aigc_models.data.texts import Document, Part, Shape

SAMPLE = 2000
LONGEST_JSON = 16 * 2**20
_USES: tuple[Use, ...] = ("text", "question", "answer", "role", "dialogue", "title", "language", "name")
_DATA = 80  # characters of a first cell; headers are shorter

Cell: TypeAlias = str | tuple[str, ...]
Turns: TypeAlias = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number in the file, its cells by column, and turns or sections if it holds a list of them."""

    number: int
    cells: Mapping[str, Cell]
    turns: Turns = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that were read.

    Attributes:
        file: What the file is called.
        format: ``jsonl`` or ``csv``.
        columns: Headers, in the order of the file.
        rows: All of them.
        encoding: The codec of the file.
        delimiter: What stands between cells; empty for JSON.
        removed: Signs that were left out.
    """

    file: str
    format: str
    columns: Sequence[str]
    rows: Sequence[Row]
    encoding: str
    delimiter: str = ""
    removed: int = 0

    @property
    def word(self) -> str:
        """What a person calls the number of a row of such a file."""
        return "line" if self.format == "jsonl" else "row"


@dataclass(slots=True)
class Made:
    """Documents made of rows, and how."""

    shape: Shape
    documents: list[Document]
    columns: Columns | None = None
    roles: Mapping[str, str] = field(default_factory=dict)


def read_rows(path: Path, params: Mapping[str, Any], faults: TableFaults) -> Rows:
    """Read all rows of a file.

    Raises:
        InputError: It cannot be read; faults of single rows are added to ``faults``.
    """
    with text_bytes.unpacked(path) as stream:
        head = stream.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head[:1] in (b"{", b"[", b'"') and params["delimiter"] == "auto" and not path.name.lower().endswith(".csv"):
        return _read_json(path, params, faults)
    return _read_csv(path, params, faults)


def _read_json(path: Path, params: Mapping[str, Any], faults: TableFaults) -> Rows:
    with text_bytes.unpacked(path) as stream:
        text = text_bytes.decode(text_bytes.read_whole(stream, path.name), path.name, params["encoding"], faults)
    rows, columns = list[Row](), dict[str, None]()
    for number, value in _values(text, faults):
        row = _row(number, value)
        if row is None:
            where = {"file": path.name, "line": number, "value": cut(json.dumps(value, ensure_ascii=False))}
            sentence = "{file}, line {line} is no object with names and values. It begins with {value}."
            faults.add(sentence, "bad-json", where)
            continue
        columns |= dict.fromkeys(row.cells)
        rows.append(row)
    if not rows:
        if not params["skip_broken"]:
            faults.refuse()
        raise refuse("The file {file} holds no rows.", "dataset-empty", file=path.name)
    return Rows(path.name, "jsonl", list(columns), rows, text.encoding, removed=text.removed)


def _values(text: text_bytes.Text, faults: TableFaults) -> Iterator[tuple[int, Any]]:
    """The values of a file of JSON lines with their lines, or of one JSON list with their places."""
    if text.text.lstrip().startswith("["):
        try:
            whole = json.loads(text.text)
        except (ValueError, RecursionError):
            pass  # lines that are lists are told of one by one
        else:
            yield from enumerate(whole, 1)
            return
    for number, line in text_bytes.lines_of(text, LONGEST_JSON):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            where = {"file": text.name, "line": number, "value": cut(line.strip())}
            faults.add("{file}, line {line} is no JSON. It begins with {value}.", "bad-json", where)
            continue
        yield number, value


def _row(number: int, value: Any) -> Row | None:
    if isinstance(value, str):
        return Row(number, {"text": text_bytes.clean(value)[0]})
    if not isinstance(value, Mapping):
        return None
    cells: dict[str, Cell] = {}
    turns: Turns = ()
    known = value.get("attributes")
    for name, held in {**value, **(known if isinstance(known, Mapping) else {})}.items():
        name = text_bytes.clean(name)[0].strip()
        if isinstance(held, list) and held and all(isinstance(each, Mapping) for each in held):
            turns = turns or (held if name.casefold() in TURNS else ())
        elif isinstance(held, list):
            cells[name] = tuple(text_bytes.clean(_spelled(each))[0] for each in held if _spelled(each))
        elif not isinstance(held, Mapping):
            cells[name] = text_bytes.clean(_spelled(held))[0]
    return Row(number, cells, turns)


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, Mapping | list) else str(value)


def _read_csv(path: Path, params: Mapping[str, Any], faults: TableFaults) -> Rows:
    dialect = find_dialect(path, params["encoding"], params["delimiter"])
    if dialect.delimiter == " ":  # words of a text, no columns
        dialect = Dialect(dialect.encoding, ",", dialect.packed)
    if params["encoding"] == "auto":
        with text_bytes.unpacked(path) as stream:  # for the faults of lines in another encoding
            text_bytes.decode(text_bytes.read_whole(stream, path.name), path.name, "auto", faults)
        if not params["skip_broken"]:
            faults.refuse()
    first = _first_row(path, dialect)
    headless = params["header"] == "no" or (params["header"] == "auto" and max(map(len, first), default=0) > _DATA)
    names = [str(place) for place in range(1, len(first) + 1)] if headless else []
    reader = RowReader(path, dialect, faults, names)
    kept, skipped = list[Sequence[str]](), reader.skipped
    for block in reader.blocks():
        kept += block
    gone, number, rows = set(skipped), reader.first - 1, list[Row]()
    for cells in kept:
        number += 1
        while number in gone:
            number += 1
        rows.append(
            Row(number, {name: text_bytes.clean(cell)[0] for name, cell in zip(reader.names, cells, strict=True)})
        )
    if not rows:
        raise refuse("The file {file} holds no rows below its header.", "dataset-empty", file=path.name)
    sign = dialect.delimiter
    return Rows(path.name, "csv", list(reader.names), rows, dialect.encoding.removesuffix("-sig"), sign)


def _first_row(path: Path, dialect: Dialect) -> list[str]:
    with open_bytes(path, packed=dialect.packed) as stream:
        head = stream.read(4 * LONGEST_LINE).decode(dialect.encoding, "replace")
    return next(csv.reader(islice(head.splitlines(keepends=True), 100), delimiter=dialect.delimiter), [])


def make_documents(rows: Rows, params: Mapping[str, Any], faults: TableFaults) -> Made:
    """Documents from rows; rows without a text are faults.

    Raises:
        InputError: What the columns hold stays unclear.
    """
    nested = sum(bool(row.turns) for row in rows.rows)
    if nested:
        return _from_lists(rows, params, faults)
    sample = {name: [flat(row.cells.get(name, "")) for row in rows.rows[:SAMPLE]] for name in rows.columns}
    sample = {name: [cell for cell in cells if cell] for name, cells in sample.items()}
    wished: dict[Use, str] = {use: params[f"{use}_column"] for use in _USES if params[f"{use}_column"].strip()}
    columns = choose(sample, wished, params["attribute_columns"], params["shape"])
    maker = _Maker(rows, columns, params, faults)
    if columns.shape == "dialogues":
        documents = maker.pairs() if "question" in columns.uses and "answer" in columns.uses else maker.dialogues()
        return Made("dialogues", list(documents), columns, maker.roles)
    return Made(columns.shape, list(maker.passages()), columns)


def _from_lists(rows: Rows, params: Mapping[str, Any], faults: TableFaults) -> Made:
    """Documents from rows that hold a list each: of turns, or of sections."""
    turns = [list(as_turns(row.turns)) for row in rows.rows]
    spoken = any(turn.role for each in turns for turn in each)
    shape: Shape = "dialogues" if spoken else "documents"
    if shape == "documents" and all(len(each) == 1 and not each[0].heading for each in turns):
        shape = "passages"
    uses: dict[Use, str] = {}
    known: tuple[tuple[Use, tuple[str, ...]], ...] = (
        ("title", ("title", "标题")),
        ("language", ("language", "lang", "语言")),
        ("name", ("name", "path", "id", "url")),
    )
    for use, names in known:
        named = params[f"{use}_column"].strip()
        found = next((name for name in (named, *names) if name in rows.columns), None)
        if found and (not named or names_one(named, rows.columns)):
            uses[use] = found
    left = [name for name in rows.columns if name not in uses.values()]
    sample = {name: [flat(row.cells.get(name, "")) for row in rows.rows[:SAMPLE]] for name in left} | {
        "\0": ["\0" * 99]
    }
    wished = params["attribute_columns"]
    chosen = choose(sample, {"text": "\0"}, wished, "passages").attributes
    columns = Columns(shape, uses, chosen, [name for name in left if name not in chosen])
    maker = _Maker(rows, columns, params, faults)
    roles = name_roles(turns, params["answering_role"]) if spoken else {}
    documents = []
    for row, each in zip(rows.rows, turns, strict=True):
        parts = merge(each, roles) if spoken else [turn.part() for turn in each if turn.text.strip() or turn.heading]
        if parts:
            documents.append(maker.document(row, tuple(parts)))
        else:
            maker.tell(row, "{file}, line {number} holds no text.")
    return Made(shape, documents, columns, roles)


def flat(cell: Cell) -> str:
    """A cell as one text, several values with commas between them."""
    return cell if isinstance(cell, str) else ", ".join(cell)


@dataclass(slots=True)
class _Maker:
    """Makes documents of rows whose columns are known."""

    rows: Rows
    columns: Columns
    params: Mapping[str, Any]
    faults: TableFaults
    roles: dict[str, str] = field(default_factory=dict)

    def cell(self, row: Row, use: Use) -> str:
        """What a row says for a use."""
        column = self.columns.uses.get(use)
        return flat(row.cells.get(column, "")).strip() if column is not None else ""

    def tell(self, row: Row, sentence: str, **values: Any) -> None:
        """Note what is wrong with a row."""
        where = {"file": self.rows.file, self.rows.word: row.number}
        self.faults.add(sentence, "cell-missing", where, number=row.number, **values)

    def document(self, row: Row, parts: tuple[Part, ...], name: str = "") -> Document:
        """A document of a row, with what its other columns say."""
        attributes = {}
        for column in self.columns.attributes:
            cell, separator = row.cells.get(column, ""), self.params["list_separator"]
            values = cut_values(cell, column, separator) if isinstance(cell, str) else tuple(dict.fromkeys(cell))
            if values:
                attributes[column] = values
        title = " ".join(self.cell(row, "title").split())
        language = self.cell(row, "language").casefold().replace("_", "-").partition("-")[0]
        language = language if len(language) == 2 and language.isalpha() else ""
        return Document(name or self.cell(row, "name") or str(row.number), parts, title, language, attributes)

    def passages(self) -> Iterator[Document]:
        """One document for each row; of a page, with its headings."""
        for row in self.rows.rows:
            text = self.cell(row, "text")
            if not text:
                self.missing(row, "text")
                continue
            if self.columns.shape == "documents":
                page = read_page(text, "markdown")
                made = self.document(row, tuple(page.parts))
                yield (
                    made if made.title else Document(made.name, made.parts, page.title, made.language, made.attributes)
                )
            else:
                yield self.document(row, (Part(text),))

    def pairs(self) -> Iterator[Document]:
        """A question and its answer for each row."""
        for row in self.rows.rows:
            question, answer = self.cell(row, "question"), self.cell(row, "answer")
            if question and answer:
                yield self.document(row, (Part(question, role="user"), Part(answer, role="assistant")))
            else:
                self.missing(row, "answer" if question else "question")

    def dialogues(self) -> Iterator[Document]:
        """Rows with the same dialogue in their order, one document each; without roles, two speak in turn."""
        groups: dict[str, list[Row]] = {}
        for row in self.rows.rows:
            if not self.cell(row, "text"):
                self.missing(row, "text")
            elif not self.cell(row, "dialogue"):
                self.missing(row, "dialogue")
            else:
                groups.setdefault(self.cell(row, "dialogue"), []).append(row)
        spoken = {
            key: [Speaker(self.cell(row, "text"), self._role(row, place)) for place, row in enumerate(rows)]
            for key, rows in groups.items()
        }
        self.roles = name_roles(list(spoken.values()), self.params["answering_role"])
        for key, turns in spoken.items():
            yield self.document(groups[key][0], tuple(merge(turns, self.roles)), key)

    def _role(self, row: Row, place: int) -> str:
        return self.cell(row, "role") or ("user", "assistant")[place % 2]

    def missing(self, row: Row, use: Use) -> None:
        """Note that a row lacks what it must have."""
        sentence = (
            "{file}, line {number} has no text under {column}."
            if self.rows.word == "line"
            else "{file}, row {number} has no text in the column {column}."
        )
        self.tell(row, sentence, column=self.columns.uses[use])
