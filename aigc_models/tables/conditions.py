"""What every generated row must say: "Status=bad, Age=30", or the same as JSON."""

import csv
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data.table_numbers import PLAIN, Style
from aigc_models.data.tables import CODED, NUMERIC, Column, Table

_POINTER = "/conditions"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Condition:
    """One column's cell in every row.

    Attributes:
        column: Whose cell it is.
        value: Its code, or its number; -1 or NaN for a missing cell.
        text: As it was asked for.
    """

    column: Column
    value: float
    text: str

    def holds(self, table: Table) -> Mask:
        """For which rows it is so, (N,)."""
        cells = table.cells[self.column.name]
        if np.isnan(self.value):
            return np.asarray(np.isnan(cells))
        return np.asarray(cells == self.value)

    def __str__(self) -> str:
        return f"{self.column.name}={self.text}"


def parse_conditions(text: str, columns: Sequence[Column]) -> tuple[Condition, ...]:
    """Conditions on a table with these columns.

    Raises:
        InputError: The text cannot be read, or names a column or a value that is not there.
    """
    pairs = _pairs(text.strip())
    known = {column.name: column for column in columns}
    found, faults = [], []
    for name, value in pairs.items():
        column = known.get(name)
        if column is None:
            faults.append(_unknown(name, known))
            continue
        try:
            found.append(Condition(column, read_cell(column, value), value))
        except ValueError:
            faults.append(_not_a_cell(column, value))
    if faults:
        raise InputError(faults)
    return tuple(found)


def _pairs(text: str) -> dict[str, str]:
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


def read_cell(column: Column, text: str) -> float:
    """A cell as the table holds it: a code, a number, seconds since 1970.

    Raises:
        ValueError: The column has no such cell.
    """
    if column.type in CODED:
        if text in column.categories:
            return float(column.categories.index(text))
        if text in ("", column.missing):
            return -1.0
        raise ValueError(text)
    if column.type not in NUMERIC:
        raise ValueError(text)
    if text in ("", column.missing):
        return float("nan")
    if column.type == "datetime":
        moment = datetime.strptime(text, column.format or "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        return moment.timestamp()
    style = Style(column.format[0], column.format[1:]) if column.format else PLAIN
    return float(style.plain(text) if style.pattern.fullmatch(text) else text)


def _unreadable(text: str) -> Fault:
    sentence = 'Conditions cannot be read at "{text}". Write them as Column=value, with commas between, or as JSON.'
    return Fault(sentence, {"text": text[:80]}, _POINTER, code="unreadable-condition")


def _unknown(name: str, known: Mapping[str, Any]) -> Fault:
    return unknown_column(name, known, _POINTER)


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


def _not_a_cell(column: Column, text: str) -> Fault:
    values: dict[str, Any] = {"column": column.name, "value": text, "type": column.type}
    where = {"column": column.name, "value": text}
    if column.type in CODED:
        near = difflib.get_close_matches(text, column.categories, n=3, cutoff=0.3) or column.categories[:5]
        values["examples"] = ", ".join(near)
        sentence = "The column {column} has no value {value}. Some it has: {examples}."
    elif column.type in NUMERIC:
        sentence = "The value {value} of column {column} is no {type}. Write it as in the table."
    else:
        sentence = "The column {column} holds {type} and cannot be asked for. Choose another column."
    return Fault(sentence, values, _POINTER, where, "no-such-value")
