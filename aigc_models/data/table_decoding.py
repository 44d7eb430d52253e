"""Reads an uploaded table and writes a dataset; runs as a process of its own with limits.

``python -m aigc_models.data.table_decoding REQUEST`` where the request is JSON: ``file``, ``work`` (a directory for
what lies on disk meanwhile), ``out`` (the run's directory) and ``params`` (the import's settings). It writes
``dataset/`` and ``preview.json`` below ``out``, and ``result.json`` into ``work``: the report, or the faults.
"""

import json
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import InputError
from aigc_models.data.column_words import split as split_words
from aigc_models.data.reading import Beat
from aigc_models.data.sandbox import confine, extend_time
from aigc_models.data.table_checks import Seen, check, has_formulas
from aigc_models.data.table_faults import TableFaults, cut
from aigc_models.data.table_figures import figures
from aigc_models.data.table_personal import find_personal, mask_text, stand_ins
from aigc_models.data.table_rows import Rows, Spool
from aigc_models.data.table_source import Reading, Source, read_source
from aigc_models.data.table_split import content_hash, split
from aigc_models.data.table_typing import MISSING, Spellings, Typed, TypeRules, convert, infer, spell
from aigc_models.data.table_wishes import Wishes, read_wishes
from aigc_models.data.tables import CODED, NUMERIC, Cells, Column, save_arrays, stored_cells

RESULT = "result.json"
PREVIEW = "preview.json"
PREVIEW_ROWS = 20
SPOOL = "cells.spool"
_SENTENCES = {
    "integer": "Row {row}, column {column}: {value} is not a whole number. Use a form like 12.",
    "continuous": "Row {row}, column {column}: {value} is not a number. Use a form like 12.90.",
    "datetime": "Row {row}, column {column}: {value} is not a date of the form {format}.",
    "boolean": "Row {row}, column {column}: {value} is a third value. A boolean column has two.",
    "constant": "Row {row}, column {column}: {value} is another value. A constant column has one.",
}


@dataclass(slots=True)
class Work:
    """A table whose columns are read one after the other, and what was made of them so far.

    ``forgiving`` takes cells that do not fit their column as missing; ``breathe`` says that the work goes on.
    """

    wishes: Wishes
    rules: TypeRules
    rows: Rows
    is_test: NDArray[np.bool_]
    forgiving: bool
    breathe: Callable[[], None]
    faults: TableFaults = field(default_factory=TableFaults)
    arrays: dict[str, Cells] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    preview: list[Sequence[str]] = field(default_factory=list)

    def read(self, name: str, cells: list[str]) -> None:
        """Read one column."""
        found = spell(cells, self.rules)
        self.breathe()
        masked = name in self.wishes.mask
        if masked:
            cells, found = self._masked(name, cells, found)
        wish = self.wishes.types.get(name)
        typed, found = convert(name, found, wish, self.rules) if wish else infer(name, found, self.rules)
        self.breathe()
        texts = found.texts
        codes = _codes(cells, texts, found)
        if typed.bad:
            self._tell_bad(name, typed, texts, codes)
        is_text = typed.column.type == "text"
        personal = "" if masked or _cannot_be(typed) else find_personal(name, texts, is_text=is_text)
        column = replace(typed.column, personal=personal)
        values = _cells(typed, texts, codes)
        self.breathe()
        place = len(self.columns)
        self.arrays |= stored_cells(f"train.{place}", column, values[~self.is_test])
        self.arrays |= stored_cells(f"test.{place}", column, values[self.is_test])
        self.columns.append(column)
        self.told.append(figures(typed, found, codes) | {"masked": masked})
        self.preview.append(cells[:PREVIEW_ROWS])
        self.seen.append(self._seen(typed, found, cells, int((codes < 0).sum())))

    def _masked(self, name: str, cells: list[str], found: Spellings) -> tuple[list[str], Spellings]:
        typed, _ = infer(name, found, self.rules)
        texts = found.texts
        if typed.column.type == "text":
            table = {text: mask_text(text) for text in texts}
        else:
            table = stand_ins(
                list(dict.fromkeys(text for text in cells if text in found.counts)), find_personal(name, texts)
            )
        cells = [table.get(text, text) for text in cells]
        return cells, spell(cells, self.rules)

    def _tell_bad(self, name: str, typed: Typed, texts: Sequence[str], codes: NDArray[np.int64]) -> None:
        bad = np.isin(codes, np.flatnonzero(np.isin(np.array(texts, object), np.array(list(typed.bad), object))))
        for index in np.flatnonzero(bad).tolist() if not self.forgiving else ():
            where = {"row": self.rows.number(index), "column": name, "value": cut(texts[codes[index]])}
            sentence = _SENTENCES[typed.column.type]
            self.faults.add(sentence, "bad-cell", where, format=typed.column.format)
        codes[bad] = -1

    def _seen(self, typed: Typed, found: Spellings, cells: Sequence[str], missing: int) -> Seen:
        stray = typed.strays[0] if typed.strays else ""
        row = self.rows.number(cells.index(stray)) if stray else 0
        return Seen(typed.column, missing, found.rows, stray, row, typed.either, has_formulas(typed, found))


def _cannot_be(typed: Typed) -> bool:
    return typed.column.type in ("datetime", "boolean", "constant", "continuous")


def _codes(cells: Sequence[str], texts: Sequence[str], found: Spellings) -> NDArray[np.int64]:
    """The place of each cell's spelling, -1 where it is missing; int64 (N,)."""
    table = {text: place for place, text in enumerate(texts)}
    table.update(dict.fromkeys(found.missing, -1))
    return np.fromiter(map(table.__getitem__, cells), np.int64, len(cells))


def _cells(typed: Typed, texts: Sequence[str], codes: NDArray[np.int64]) -> Cells:
    kind = typed.column.type
    if kind in NUMERIC:
        return np.append(typed.values, np.nan)[codes]
    if kind in CODED:
        return np.append(typed.values, -1).astype(np.int32)[codes]
    written = np.empty(len(texts) + 1, object)
    written[:-1] = texts
    return written[codes]


def read_upload(request: dict[str, Any], beat: Beat) -> dict[str, Any]:
    """Read a table and write it as a dataset; returns its report.

    Raises:
        InputError: The upload cannot be used; carries the first faults found.
    """
    params, file, out = request["params"], Path(request["file"]), Path(request["out"])
    size = max(1, file.stat().st_size)
    with Spool(Path(request["work"]) / SPOOL) as spool:
        wishes, tell = read_wishes(params), lambda read: beat(min(read, size), 2 * size)
        reading = Reading(params, wishes, spool, TableFaults(), tell)
        source = read_source(file, reading)
        rows = source.rows
        content = content_hash(rows, params)
        missing = MISSING | set(split_words(params["missing_values"]))
        rules = TypeRules(missing, params["decimal_mark"], european=source.facts.get("delimiter") == ";")
        read = 0

        def breathe() -> None:
            beat(size + size * read // len(rows.names), 2 * size)

        is_test = split(rows, params["test_percent"], content)
        work = Work(wishes, rules, rows, is_test, params["skip_broken"], breathe)
        for place, name in enumerate(rows.names):
            work.read(name, spool.column(place))
            read = place + 1
            breathe()
    work.faults.refuse()
    report = _report(work, source, reading.faults.count) | {"hash": content}
    save_arrays(work.arrays, work.columns, report, out / "dataset")
    _save_preview(work, out / PREVIEW)
    return report


def _report(work: Work, source: Source, skipped: int) -> dict[str, Any]:
    count, tested = len(work.is_test), int(work.is_test.sum())
    copies = count - len(np.unique(work.rows.digests))
    told = check(work.seen, count, copies, headless=source.headless)
    if skipped:
        sentence = "{count} rows could not be read and were left out."
        told.append({"message": sentence, "values": {"count": skipped}})
    return {
        "kind": "table",
        "train": count - tested,
        "test": tested,
        "columns": work.told,
        "duplicates": copies,
        "unreadable": skipped,
        "account": work.wishes.account,
        "dropped": list(work.wishes.drop),
        "source": source.facts,
        "warnings": told,
    }


def _save_preview(work: Work, path: Path) -> None:
    names = [column.name for column in work.columns]
    rows = [list(row) for row in zip(*work.preview, strict=True)]
    path.write_text(json.dumps({"columns": names, "rows": rows}, ensure_ascii=False), encoding="utf-8")


def _beat(done: int, total: int) -> None:
    extend_time()
    print(done, total, flush=True)


def main(request: dict[str, Any]) -> None:
    """Read an upload within limits and write the result, or the faults."""
    confine()
    warnings.simplefilter("ignore")
    try:
        result = read_upload(request, _beat)
    except InputError as error:
        result = {"faults": [asdict(fault) for fault in error.faults]}
    (Path(request["work"]) / RESULT).write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
