"""What the figures of tables are measured on: columns that can be compared, spelled alike, and samples of rows."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from aigc_models.base import Fault, InputError
from aigc_models.data.tables import CODED, WRITTEN, Cells, Column, Table

Codes = NDArray[np.int32]
Numbers = NDArray[np.float64]

# Bins of a number and commonest categories of a coded column where pairs of columns are counted.
BINS, COMMONEST = 10, 18


def seeded(seed: int, purpose: str) -> np.random.Generator:
    """Random draws of their own for each purpose, the same for the same seed."""
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def measured(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Columns with a distribution to compare: all but identifiers and free text."""
    return tuple(column for column in columns if column.type not in WRITTEN)


def sample(table: Table, most: int, generator: np.random.Generator) -> Table:
    """The table itself if it is small enough, else so many of its rows, in their order."""
    if len(table) <= most:
        return table
    return table.take(np.sort(generator.choice(len(table), most, replace=False)))


def like(table: Table, real: Table) -> Table:
    """The comparable columns of a table, with categories numbered as the real table numbers them.

    Categories that only this table has get numbers behind the real ones.

    Raises:
        InputError: A column is missing, or holds another kind of values.
    """
    own = {column.name: column for column in table.columns}
    columns, cells = [], {}
    for column in measured(real.columns):
        found = own.get(column.name)
        if found is None or (found.type in CODED) != (column.type in CODED):
            sentence = "The synthetic table has no column {column} of the same kind as the real one."
            raise InputError(Fault(sentence, {"column": column.name}, code="columns-differ"))
        values = table.cells[column.name]
        if column.type in CODED and found.categories != column.categories:
            added = tuple(name for name in found.categories if name not in set(column.categories))
            column = replace(column, categories=column.categories + added)
            values = _renumbered(values, found.categories, column.categories)
        columns.append(column)
        cells[column.name] = values
    return Table(tuple(columns), cells)


def _renumbered(values: Cells, old: Sequence[str], new: Sequence[str]) -> Codes:
    places = {name: place for place, name in enumerate(new)}
    lookup = np.array([*(places[name] for name in old), -1], np.int32)  # the last one is where -1 points
    return lookup[values]


def is_missing(column: Column, values: Cells) -> NDArray[np.bool_]:
    """Which cells are missing. Shape: (N,) to (N,)."""
    return values < 0 if column.type in CODED else np.isnan(values)


def edges_of(values: Numbers, bins: int = BINS) -> Numbers:
    """Inner edges of bins that hold about equally many of these values; fewer where values repeat."""
    present = values[~np.isnan(values)]
    if not len(present):
        return np.empty(0)
    inner = np.quantile(present, np.linspace(0, 1, bins + 1)[1:-1])
    return np.unique(inner)


def binned(column: Column, values: Cells, real: Cells) -> tuple[Codes, int]:
    """A column as a few numbered values, 0 for a missing cell, and how many there are.

    Numbers go into bins of equally many real values, categories that are rare among the real ones share a number.
    """
    if column.type not in CODED:
        edges = edges_of(real)
        codes = np.searchsorted(edges, values, side="right").astype(np.int32) + 1
        codes[np.isnan(values)] = 0
        return codes, len(edges) + 2
    size = max(len(column.categories), int(max(values.max(initial=-1), real.max(initial=-1))) + 1)
    counts = np.bincount(real[real >= 0], minlength=size)
    lookup = np.full(size + 1, COMMONEST + 1, np.int32)  # what is rare, or never seen
    common = np.argsort(-counts, kind="stable")[:COMMONEST]
    lookup[common] = np.arange(1, len(common) + 1)
    lookup[-1] = 0  # where the code of a missing cell, -1, points
    return lookup[values], COMMONEST + 2
