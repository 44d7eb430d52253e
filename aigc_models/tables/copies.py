"""Rows that equal a training row: known by hashes, so that a model holds no row in the clear."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import WRITTEN, Cells, Column, Table

Hashes = NDArray[np.uint64]

_MIX1, _MIX2, _STEP = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(0x9E3779B97F4A7C15)


def compared(columns: Sequence[Column]) -> list[Column]:
    """The columns in which a copy is a copy: what is made anew or never varies says nothing."""
    return [column for column in columns if column.type not in WRITTEN and column.type != "constant"]


def hash_rows(table: Table, columns: Sequence[Column], key: int) -> Hashes:
    """64 bits for each row, (N,). Equal rows have equal ones; others almost never.

    Source: the finaliser of SplitMix64 (Steele et al. 2014), once for each column.
    """
    hashes = np.full(len(table), np.uint64(key & (2**64 - 1)))
    with np.errstate(over="ignore"):
        for column in columns:
            hashes = _mixed(hashes * _STEP + _bits(table.cells[column.name]) + _STEP)
    return hashes


def hash_units(hashes: Hashes, units: NDArray[np.int64]) -> Hashes:
    """From hashes of rows to those of units, which are rows that follow each other. Shape: (N,) and starts (U,)."""
    place = np.arange(len(hashes)) - np.repeat(units, np.diff([*units, len(hashes)]))
    with np.errstate(over="ignore"):
        return np.asarray(np.add.reduceat(_mixed(hashes + place.astype(np.uint64) * _STEP), units))


def known_in(hashes: Hashes, ordered: Hashes) -> NDArray[np.bool_]:
    """Which of these are among those in order. Shape: (N,) to (N,)."""
    if not len(ordered):
        return np.zeros(len(hashes), np.bool_)
    places = np.searchsorted(ordered, hashes).clip(0, len(ordered) - 1)
    return np.asarray(ordered[places] == hashes)


def _bits(cells: Cells) -> Hashes:
    if cells.dtype.kind == "f":
        values = cells + 0.0  # minus zero is zero
        values[np.isnan(values)] = np.nan  # one kind of NaN
        return values.view(np.uint64)
    return cells.astype(np.int64).view(np.uint64)


def _mixed(x: Hashes) -> Hashes:
    x = (x ^ (x >> np.uint64(30))) * _MIX1
    x = (x ^ (x >> np.uint64(27))) * _MIX2
    return np.asarray(x ^ (x >> np.uint64(31)))
