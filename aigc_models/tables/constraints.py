"""Rules between the cells of a row: ranges, sums, products, orders, uniqueness, as they hold and are made to hold.

How they are written says :mod:`.constraint_text`.
"""

import operator
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import Cells, Column, Table
from aigc_models.tables.conditions import read_cell
from aigc_models.tables.constraint_text import Compared, Side, Unique, read_rules

_COMPARE: Mapping[str, Callable[[Cells, Cells], Cells]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_CLOSE = 1e-9

Mask = NDArray[np.bool_]


def _product(table: Table, factor: float, names: Sequence[str]) -> Cells:
    found = np.full(len(table), factor)
    for name in names:
        found = found * table.cells[name]
    return found


def _value(side: Side, table: Table) -> Cells:
    """Shape: (N,), NaN where a cell is missing."""
    total = np.full(len(table), side.constant)
    for factor, names in side.terms:
        total = total + _product(table, factor, names)
    return total


class Relation(Compared):
    """A comparison that must hold in every row whose cells are there."""

    __slots__ = ()

    def holds(self, table: Table) -> Mask:
        """For which rows it is so, (N,); a missing cell breaks no rule.

        An equation with a product holds where the column that :meth:`settle` works out is the closest it can write.
        """
        left, right = _value(self.left, table), _value(self.right, table)
        unknown = np.isnan(left) | np.isnan(right)
        if self.sign in ("=", "=="):
            slack = _CLOSE * np.maximum(1.0, np.abs(left) + np.abs(right)) + self._rounding(table)
            return np.asarray((np.abs(left - right) <= slack) | unknown)
        return np.asarray(_COMPARE[self.sign](left, right) | unknown)

    def settle(self, table: Table) -> Table:
        """Make an equation true by its last column, the one on a side alone first; other rules stay as they are.

        A column of a product is taken where no other is there. What comes out of its column's range, or would be
        divided by 0, is refused by who asks :meth:`holds` and the ranges.
        """
        if self.sign not in ("=", "==") or not (self.left.terms or self.right.terms):
            return table
        name, slope = self._open(table)
        cells, column = table.cells[name], table.column(name)
        gap = _value(self.left, table) - _value(self.right, table)
        settled = cells - gap / np.where(slope == 0, np.nan, slope)
        if column.type == "continuous":
            settled = np.round(settled, column.decimals)
        elif column.type == "integer":
            settled = np.rint(settled)
        settled = np.where(np.isnan(gap) | (slope == 0), cells, settled)
        return Table(table.columns, {**table.cells, name: settled})

    def _open(self, table: Table) -> tuple[str, Cells]:
        """The column that is worked out, and how much the gap between the sides grows with it, (N,)."""
        for side, sign in ((self.right, -1.0), (self.left, 1.0)):
            if len(side.names) == 1 and not side.constant:
                return side.names[0], np.full(len(table), sign * side.terms[0][0])
        left = list(self.left.terms)
        right = [(-factor, names) for factor, names in self.right.terms]
        every = (*self.left.names, *self.right.names)
        plain = [[term for term in terms if len(term[1]) == 1 == every.count(term[1][0])] for terms in (left, right)]
        factor, names = (plain[0] or plain[1] or left or right)[-1]
        return names[-1], _product(table, factor, names[:-1])

    def _rounding(self, table: Table) -> Cells | float:
        """Half of the last digit of the column that is worked out, where columns are multiplied, (N,)."""
        if all(len(names) == 1 for side in (self.left, self.right) for _, names in side.terms):
            return 0.0
        name, slope = self._open(table)
        column = table.column(name)
        return np.abs(slope) * 0.5 * 10.0 ** -(column.decimals if column.type == "continuous" else 0)


Constraint = Relation | Unique


def parse_constraints(text: str, columns: Sequence[Column]) -> tuple[Constraint, ...]:
    """Rules for a table with these columns.

    Raises:
        InputError: A rule cannot be read, or names what is not there.
    """
    return tuple(
        one if isinstance(one, Unique) else Relation(one.left, one.sign, one.right, one.text)
        for one in read_rules(text, columns, read_cell)
    )
