"""What a text asks of every row, "Status=bad, Age=30" or the same as JSON, and what a table cannot give of it.

Only the standard library is used, as forms check what is typed.
"""

import csv
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aigc_models.base import Fault, InputError

_POINTER = "/conditions"
_CODED = frozenset({"categorical", "boolean", "constant"})  # as aigc_models.data.tables says, which needs numpy
NUMERIC = frozenset({"continuous", "integer", "datetime"})


class Asked(Protocol):
    """A column of which a cell is asked for."""

    @property
    def name(self) -> str:
        """Its header."""

    @property
    def type(self) -> str:
        """How its cells are read."""

    @property
    def categories(self) -> tuple[str, ...]:
        """All spellings of a coded column."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A column as a dataset's report lists it."""

    name: str
    type: str
    categories: tuple[str, ...]
    missing: str

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> "Listed":
        """From JSON, which tells the most frequent spellings: all of them where they are few."""
        top = [str(one["value"]) for one in told.get("top", ())]
        categories = tuple(top) if len(top) == told.get("distinct") and not told.get("masked") else ()
        return cls(str(told["name"]), str(told["type"]), categories, str(told.get("missing", "")))


def condition_faults(text: str, report: Mapping[str, Any]) -> list[Fault]:
    """What of conditions the table of a report does not have; how numbers are written is left to the job."""
    listed = report.get("columns")
    if report.get("kind") != "table" or not listed:
        return []
    columns = {str(one["name"]): Listed.read(one) for one in listed}
    try:
        pairs = read_pairs(text)
    except InputError as error:
        return list(error.faults)
    found = [_fault(name, value, columns) for name, value in pairs.items()]
    return [fault for fault in found if fault is not None]


def _fault(name: str, value: str, columns: Mapping[str, Listed]) -> Fault | None:
    column = columns.get(name)
    if column is None:
        return unknown_column(name, columns, _POINTER)
    fits = column.type in NUMERIC
    if column.type in _CODED:
        fits = not column.categories or value in (*column.categories, "", column.missing)
    return None if fits else not_a_cell(column, value)


def read_pairs(text: str) -> dict[str, str]:
    """The cell that is asked for of each column.

    Raises:
        InputError: The text cannot be read.
    """
    text = text.strip()
    if not text:
        return {}
    if text.startswith("{"):
        try:
            stored = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_each_once)
        except ValueError:
            raise InputError(_unreadable(text)) from None
        if any(isinstance(value, dict | list | bool) for value in stored.values()):
            raise InputError(_unreadable(text))
        return {name: "" if value is None else str(value) for name, value in stored.items()}
    pairs = []
    for part in next(csv.reader([text.replace("\n", ",")], skipinitialspace=True)):
        name, equals, value = part.partition("=")
        if not part.strip():
            continue
        if not equals:
            raise InputError(_unreadable(part))
        pairs.append((name.strip(), value.strip()))
    return _each_once(pairs)


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """As a mapping; a column whose cell would have to be two things at once is refused."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            sentence = "The column {column} is asked for twice, as {one} and as {other}. Give it once."
            values = {"column": name, "one": str(found[name]), "other": str(value)}
            raise InputError(Fault(sentence, values, _POINTER, {"column": name}, "unreadable-condition"))
    return found


def not_a_cell(column: Asked, text: str) -> Fault:
    """What is said of a cell that a column does not have."""
    values: dict[str, Any] = {"column": column.name, "value": text, "type": column.type}
    where = {"column": column.name, "value": text}
    if column.type in _CODED:
        near = difflib.get_close_matches(text, column.categories, n=3, cutoff=0.3) or column.categories[:5]
        values["examples"] = ", ".join(near)
        sentence = "The column {column} has no value {value}. Some it has: {examples}."
    elif column.type in NUMERIC:
        sentence = "The value {value} of column {column} is no {type}. Write it as in the table."
    else:
        sentence = "The column {column} holds {type} and cannot be asked for. Choose another column."
    return Fault(sentence, values, _POINTER, where, "no-such-value")


def unknown_column(name: str, known: Mapping[str, Any], pointer: str) -> Fault:
    """What is said of a column that is not there."""
    guess = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    values: dict[str, Any] = {"column": name, "columns": ", ".join(known)}
    where = {"column": name}
    if guess:
        sentence = "The table has no column {column}. Did you mean {guess}?"
        return Fault(sentence, {**values, "guess": guess[0]}, pointer, where, "unknown-column")
    return Fault(
        "The table has no column {column}. Its columns are: {columns}.", values, pointer, where, "unknown-column"
    )


def _unreadable(text: str) -> Fault:
    sentence = 'Conditions cannot be read at "{text}". Write them as Column=value, with commas between, or as JSON.'
    return Fault(sentence, {"text": text[:80]}, _POINTER, code="unreadable-condition")
