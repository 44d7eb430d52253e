"""Simple exact relations between columns, and in how many synthetic rows they hold.

Looked for are sums and differences of two or three columns, products of two, also with a third added or taken off, and
columns that are never larger than another. A model of distributions keeps none of them exactly; a constraint does, so
they are written as constraints are.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import Cells, Column, Table
from aigc_models.metrics.table_rows import sample, seeded

MOST_COLUMNS, MOST_ROWS, MOST_TOLD = 30, 2_000, 5
_FEWEST = 50  # rows whose cells are all there
_HOLDS = 0.99
_FIRST, _LIKELY = 32, 0.9  # rows that a candidate is tried on, and how many of them must agree
_FEWEST_VALUES, _MOST_ALIKE, _KNOWN = 5, 0.95, 0.8
_BY_CHANCE = 0.9  # of rows that do not belong together

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """One column against a sum of others, or of one product and others.

    Attributes:
        left: The column on the left.
        sign: ``=`` or ``<=``.
        terms: Products of columns, each with 1 or -1.
    """

    left: Column
    sign: str
    terms: tuple[tuple[float, tuple[Column, ...]], ...]

    def share(self, table: Table) -> float | None:
        """In how many of the rows whose cells are all there it holds; None where there are too few of them."""
        left = table.cells[self.left.name]
        right = sum(factor * np.prod([table.cells[one.name] for one in columns], 0) for factor, columns in self.terms)
        gap = (left - right)[~np.isnan(left - right)]
        if len(gap) < _FEWEST:
            return None
        multiplied = any(len(columns) > 1 for _, columns in self.terms)
        near = _slack(self.left, multiplied) + 1e-9 * float(np.nanmax(np.abs(left)))
        return float(np.mean(gap <= 0 if self.sign == "<=" else np.abs(gap) <= near))

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns it ties together."""
        return frozenset({self.left.name, *(one.name for _, columns in self.terms for one in columns)})

    def __str__(self) -> str:
        """As a constraint is written."""
        told = "".join(
            f" {'+' if factor > 0 else '-'} {' * '.join(map(_named, columns))}" for factor, columns in self.terms
        )
        return f"{_named(self.left)} {self.sign} {told.removeprefix(' + ')}"


def find(table: Table, seed: int) -> list[Rule]:
    """Relations that hold in nearly all of up to 2,000 rows of the first 30 columns of numbers, and of dates."""
    rows = sample(table, MOST_ROWS, seeded(seed, "relations"))
    numbers = [one for one in rows.columns if one.type in ("continuous", "integer") and _varies(rows.cells[one.name])]
    dates = [one for one in rows.columns if one.type == "datetime"]
    equations: list[Rule] = []
    for rule in _candidates(numbers[:MOST_COLUMNS], rows):
        if all(rule.columns != one.columns for one in equations) and (rule.share(rows) or 0.0) >= _HOLDS:
            equations.append(rule)
            if len(equations) == MOST_TOLD:
                break
    orders = [
        rule
        for group in (numbers, dates)
        for rule in _orders(group[:MOST_COLUMNS], rows)
        if not any(rule.columns <= one.columns for one in equations)
    ]
    return [*equations, *orders[:MOST_TOLD]]


def _named(column: Column) -> str:
    return column.name if re.fullmatch(r"[^\W\d][\w ]*", column.name) else f"`{column.name}`"


def _varies(cells: Cells) -> bool:
    known = cells[~np.isnan(cells)]
    if len(known) < max(_FEWEST, _KNOWN * len(cells)):
        return False
    return bool(np.unique(known, return_counts=True)[1].max() <= _MOST_ALIKE * len(known))


def _slack(column: Column, multiplied: bool) -> float:
    """How far off a cell may be: half of its last digit where a product is rounded."""
    return 0.5 * 10.0 ** -(column.decimals if column.type == "continuous" else 0) if multiplied else 1e-9


def _candidates(columns: Sequence[Column], rows: Table) -> Iterator[Rule]:
    """Equations that hold in the first rows, those of few columns first."""
    if len(columns) < 2:
        return
    cells = np.array([rows.cells[one.name] for one in columns])
    tried = cells[:, ~np.isnan(cells).any(0)][:, :_FIRST]
    if tried.shape[1] < _FIRST:
        return
    left = [len(np.unique(one[~np.isnan(one)])) >= _FEWEST_VALUES for one in cells]
    longer = []
    for a, b in combinations(range(len(columns)), 2):
        for multiplied in (False, True):
            value = tried[a] * tried[b] if multiplied else tried[a] + tried[b]
            terms = ((1.0, (columns[a], columns[b])),) if multiplied else ((1.0, (columns[a],)), (1.0, (columns[b],)))
            near = np.array([_slack(one, multiplied) for one in columns])[:, None] + 1e-9 * np.abs(tried)
            gaps = tried - value
            alone = (np.abs(gaps) <= near).mean(1) >= _LIKELY
            for c in np.flatnonzero(alone & left).tolist():
                if c not in (a, b):
                    yield Rule(columns[c], "=", terms)
            for sign in (1.0, -1.0):
                with_d = (np.abs(gaps[:, None] - sign * tried[None]) <= near[:, None]).mean(2) >= _LIKELY
                with_d[alone | ~np.array(left)] = False
                for c, d in np.argwhere(with_d).tolist():
                    if len({a, b, c, d}) == 4:
                        longer.append(Rule(columns[c], "=", (*terms, (sign, (columns[d],)))))
    yield from sorted(longer, key=lambda rule: -sum(factor for factor, _ in rule.terms))


def _orders(columns: Sequence[Column], rows: Table) -> Iterator[Rule]:
    """Columns that are never larger than another one, though their ranges overlap."""
    for a, b in permutations(columns, 2):
        rule = Rule(a, "<=", ((1.0, (b,)),))
        if (rule.share(rows) or 0.0) < _HOLDS:
            continue
        one, other = rows.cells[a.name], np.roll(rows.cells[b.name], len(rows) // 2)
        known = ~np.isnan(one) & ~np.isnan(other)
        if (
            known.any()
            and np.mean(one[known] <= other[known]) < _BY_CHANCE
            and np.nanmax(np.abs(one - rows.cells[b.name]))
        ):
            yield rule
