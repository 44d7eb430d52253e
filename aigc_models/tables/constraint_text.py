"""What rules between the cells of a row say, and the columns that a table does not have.

One rule a line (or with semicolons): ``18 <= Age <= 65``, ``Start < End``, ``Net + Tax = Gross``, ``A + B <= 100``,
``Items * Price + Shipping = Total``, ``unique(Customer, Day)``. A name with signs in it may stand in backticks; a date
stands in quotes. Only the standard library is used, as forms check what is typed.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from aigc_models.base import Fault, InputError
from aigc_models.tables.condition_text import NUMERIC, Asked, Listed, unknown_column

_POINTER = "/constraints"
_SIGNS = ("<=", ">=", "==", "=", "<", ">")
_NUMBER = re.compile(r"\d+(\.\d*)?([eE][+-]?\d+)?")

# A factor, and the columns that are multiplied with it.
Term = tuple[float, tuple[str, ...]]
ReadCell = Callable[[Any, str], float]


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a relation: products of columns with factors, and a number."""

    terms: tuple[Term, ...]
    constant: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns it reads, one after the other."""
        return tuple(name for _, names in self.terms for name in names)


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison that must hold in every row."""

    left: Side
    sign: str
    right: Side
    text: str


@dataclass(frozen=True, slots=True)
class Unique:
    """No two rows agree in all of these columns."""

    names: tuple[str, ...]
    text: str


def constraint_faults(text: str, report: Mapping[str, Any]) -> list[Fault]:
    """What of rules cannot be read, or the table of a report does not have; how dates are written the job knows."""
    listed = report.get("columns")
    if report.get("kind") != "table" or not listed:
        return []
    columns = [Listed.read(one) for one in listed]
    try:
        list(read_rules(text, columns, lambda _column, _text: 0.0))
    except InputError as error:
        return list(error.faults)
    return []


def read_rules(text: str, columns: Sequence[Asked], read_cell: ReadCell) -> Iterator[Compared | Unique]:
    """Rules for a table with these columns.

    Args:
        text: As it was typed.
        columns: What there is to name.
        read_cell: What a date in quotes is, as the table holds it; a ValueError says that it is none.

    Raises:
        InputError: A rule cannot be read, or names what is not there.
    """
    for line in re.split(r"[;；\n]", text):
        if line.strip():
            yield from _Reader(line.strip(), columns, read_cell).rules()


class _Reader:
    """Reads one rule from left to right."""

    def __init__(self, text: str, columns: Sequence[Asked], read_cell: ReadCell) -> None:
        self._text, self._place, self._read_cell = text, 0, read_cell
        self._columns = {column.name: column for column in columns}
        self._names = sorted(self._columns, key=len, reverse=True)

    def rules(self) -> list[Compared | Unique]:
        if re.match(r"unique\s*[(（]", self._text):
            return [self._unique()]
        sides, signs = [self._side()], list[str]()
        while sign := self._take(*_SIGNS):
            signs.append(sign)
            sides.append(self._side())
        if self._rest() or not signs:
            raise self._unreadable()
        self._read_dates(sides)
        return [
            Compared(_plain(left), sign, _plain(right), self._text)
            for (left, right), sign in zip(pairwise(sides), signs, strict=True)
        ]

    def _unique(self) -> Unique:
        self._place = len("unique")
        self._take("(", "（")
        names = [self._name()]
        while self._take(",", "，"):
            names.append(self._name())
        if not self._take(")", "）") or self._rest():
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
        names: list[str] = []
        while True:
            if not self._starts_with_name() and (number := self._match(_NUMBER)):
                factor *= float(number)
            else:
                names.append(self._numeric())
            if not self._take("*", "×"):
                break
        if names:
            side.terms.append((factor, tuple(names)))
        else:
            side.constant += factor

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
        word = re.match(r"[^\s,()<>=+*×]+", rest)
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
        dated = next((self._columns[name] for side in sides for _, names in side.terms for name in names), None)
        for side in sides:
            if side.date:
                try:
                    side.constant = self._read_cell(dated, side.date) if dated else float(side.date)
                except ValueError:
                    raise self._unreadable() from None

    def _unreadable(self) -> InputError:
        sentence = (
            'The constraint "{text}" cannot be read. Write one a line, such as 18 <= Age <= 65, Net + Tax = Gross, '
            "Start < End or unique(Name, Day)."
        )
        if self._rest().startswith(("/", "÷", "(", "^", "%")):
            sentence = (
                'The constraint "{text}" cannot be read. Sums, differences and products of columns can be kept, '
                "without brackets, quotients or powers: write A / B = C as B * C = A."
            )
        return InputError(Fault(sentence, {"text": self._text[:120]}, _POINTER, code="unreadable-constraint"))


@dataclass(slots=True)
class _Side:
    terms: list[Term]
    constant: float
    date: str


def _plain(side: _Side) -> Side:
    return Side(tuple(side.terms), side.constant)
