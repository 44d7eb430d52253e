"""Rules between the cells of a row: ranges, sums, orders, uniqueness.

One rule a line (or with semicolons): ``18 <= Age <= 65``, ``Start < End``, ``Net + Tax = Gross``, ``A + B <= 100``,
``unique(Customer, Day)``. A name with signs in it may stand in backticks; a date stands in quotes.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data.tables import NUMERIC, Cells, Column, Table
from aigc_models.tables.condition_text import unknown_column
from aigc_models.tables.conditions import read_cell

_POINTER = "/constraints"
_SIGNS = ("<=", ">=", "==", "=", "<", ">")
_COMPARE: Mapping[str, Callable[[Cells, Cells], Cells]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?")
_CLOSE = 1e-9

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a relation: columns with factors, and a number."""

    terms: tuple[tuple[float, str], ...]
    constant: float = 0.0

    def value(self, table: Table) -> Cells:
        """Shape: (N,), NaN where a cell is missing."""
        total = np.full(len(table), self.constant)
        for factor, name in self.terms:
            total = total + factor * table.cells[name]
        return total


@dataclass(frozen=True, slots=True)
class Relation:
    """A comparison that must hold in every row whose cells are there."""

    left: Side
    sign: str
    right: Side
    text: str

    def holds(self, table: Table) -> Mask:
        """For which rows it is so, (N,); a missing cell breaks no rule."""
        left, right = self.left.value(table), self.right.value(table)
        unknown = np.isnan(left) | np.isnan(right)
        if self.sign in ("=", "=="):
            close = np.abs(left - right) <= _CLOSE * np.maximum(1.0, np.abs(left) + np.abs(right))
            return np.asarray(close | unknown)
        return np.asarray(_COMPARE[self.sign](left, right) | unknown)

    def settle(self, table: Table) -> Table:
        """Make an equation true by its last column, the one on a side alone first; other rules stay as they are.

        What comes out of its column's range is refused by who asks :meth:`holds` and the ranges.
        """
        if self.sign not in ("=", "==") or not (self.left.terms or self.right.terms):
            return table
        alone = next((side for side in (self.right, self.left) if len(side.terms) == 1 and not side.constant), None)
        factor, name = alone.terms[0] if alone is not None else (self.left.terms or self.right.terms)[-1]
        if alone is None and not self.left.terms:
            factor = -factor
        if alone is self.right:
            factor = -factor
        cells = table.cells[name]
        gap = self.left.value(table) - self.right.value(table)
        column = table.column(name)
        settled = cells - gap / factor
        if column.type == "continuous":
            settled = np.round(settled, column.decimals)
        elif column.type == "integer":
            settled = np.rint(settled)
        settled = np.where(np.isnan(gap), cells, settled)
        return Table(table.columns, {**table.cells, name: settled})


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows agree in all of these columns."""

    names: tuple[str, ...]
    text: str


Constraint = Relation | Unique


def parse_constraints(text: str, columns: Sequence[Column]) -> tuple[Constraint, ...]:
    """Rules for a table with these columns.

    Raises:
        InputError: A rule cannot be read, or names what is not there.
    """
    found: list[Constraint] = []
    for line in re.split(r"[;\n]", text):
        if line.strip():
            found += _Reader(line.strip(), columns).rules()
    return tuple(found)


class _Reader:
    """Reads one rule from left to right."""

    def __init__(self, text: str, columns: Sequence[Column]) -> None:
        self._text, self._place = text, 0
        self._columns = {column.name: column for column in columns}
        self._names = sorted(self._columns, key=len, reverse=True)

    def rules(self) -> list[Constraint]:
        if re.match(r"unique\s*\(", self._text):
            return [self._unique()]
        sides, signs = [self._side()], list[str]()
        while sign := self._take(*_SIGNS):
            signs.append(sign)
            sides.append(self._side())
        if self._rest() or not signs:
            raise self._unreadable()
        self._read_dates(sides)
        return [
            Relation(_plain(left), sign, _plain(right), self._text)
            for (left, right), sign in zip(pairwise(sides), signs, strict=True)
        ]

    def _unique(self) -> Unique:
        self._place = self._text.index("(") + 1
        names = [self._name()]
        while self._take(","):
            names.append(self._name())
        if not self._take(")") or self._rest():
            raise self._unreadable()
        return Unique(tuple(names), self._text)

    def _side(self) -> "_Side":
        side, factor = _Side([], 0.0, ""), -1.0 if self._take("-") else 1.0
        while True:
            self._term(side, factor)
            sign = self._take("+", "-")
            if not sign:
                return side
            factor = -1.0 if sign == "-" else 1.0

    def _term(self, side: "_Side", factor: float) -> None:
        if date := self._match(re.compile(r"'([^']*)'|\"([^\"]*)\"")):
            side.date = date[1:-1]
            return
        if not self._starts_with_name() and (number := self._match(_NUMBER)):
            if self._take("*"):
                side.terms.append((factor * float(number), self._numeric()))
            else:
                side.constant += factor * float(number)
            return
        side.terms.append((factor, self._numeric()))

    def _numeric(self) -> str:
        name = self._name()
        if self._columns[name].type not in NUMERIC:
            sentence = "The column {column} holds {type}, which cannot be compared. Choose numbers or dates."
            values = {"column": name, "type": self._columns[name].type}
            raise InputError(Fault(sentence, values, _POINTER, {"column": name}, "unreadable-constraint"))
        return name

    def _name(self) -> str:
        if quoted := self._match(re.compile(r"`([^`]*)`")):
            if quoted[1:-1] not in self._columns:
                raise InputError(unknown_column(quoted[1:-1], self._columns, _POINTER))
            return quoted[1:-1]
        rest = self._rest()
        for name in self._names:
            if name and rest.startswith(name):
                self._place += len(self._text[self._place :]) - len(rest) + len(name)
                return name
        word = re.match(r"[^\s,()<>=+*]+", rest)
        raise InputError(unknown_column(word[0], self._columns, _POINTER)) if word else self._unreadable()

    def _starts_with_name(self) -> bool:
        return any(name and self._rest().startswith(name) for name in self._names)

    def _rest(self) -> str:
        return self._text[self._place :].lstrip()

    def _take(self, *signs: str) -> str:
        rest = self._rest()
        for sign in signs:
            if rest.startswith(sign):
                self._place = len(self._text) - len(rest) + len(sign)
                return sign
        return ""

    def _match(self, pattern: re.Pattern[str]) -> str:
        rest = self._rest()
        found = pattern.match(rest)
        if found is None:
            return ""
        self._place = len(self._text) - len(rest) + found.end()
        return found[0]

    def _read_dates(self, sides: "Sequence[_Side]") -> None:
        dated = next((self._columns[name] for side in sides for _, name in side.terms), None)
        for side in sides:
            if side.date:
                try:
                    side.constant = read_cell(dated, side.date) if dated else float(side.date)
                except ValueError:
                    raise self._unreadable() from None

    def _unreadable(self) -> InputError:
        sentence = (
            'The constraint "{text}" cannot be read. Write one a line, such as 18 <= Age <= 65, Net + Tax = Gross, '
            "Start < End or unique(Name, Day)."
        )
        return InputError(Fault(sentence, {"text": self._text[:120]}, _POINTER, code="unreadable-constraint"))


@dataclass(slots=True)
class _Side:
    terms: list[tuple[float, str]]
    constant: float
    date: str


def _plain(side: _Side) -> Side:
    return Side(tuple(side.terms), side.constant)
