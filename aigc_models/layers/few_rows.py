"""Products of few rows with a matrix, in NumPy: without PyTorch's way to the kernel they take a third of the time.

A single row would go through another kernel than several, which adds in another order, so a row by itself is multiplied
twice. OpenBLAS has one kernel for small products and one for large ones, which adds up long sums in pieces. So products
are cut for the small one, a few rows at a time; with matrices too large for it, long sums are cut beforehand. Then a
row's numbers are the same alone and in company, bit for bit, where :func:`agrees` says so.
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]

LEAST = 2  # rows that are multiplied at once
_SMALL = 1_000_000  # multiplications up to which OpenBLAS takes its kernel for small products
_EVEN = 8  # rows that this kernel takes best
_LONG = 384  # numbers that both kernels add up in the same order
_PROBED = (2, 3, 5, 8, 12, 24, 33, 64)  # numbers of rows for which products are compared


def filled_up(rows: int) -> int:
    """So many rows, or as many as are multiplied at least."""
    return max(rows, LEAST)


def cut(rows: int, matrix: Numbers) -> list[slice]:
    """Which rows are multiplied with a matrix at once; the last ones may be multiplied twice."""
    fit = _SMALL // matrix.size // _EVEN * _EVEN
    if fit == 0 or rows <= fit:
        return [slice(0, rows)]
    return [slice(min(start, rows - LEAST), start + fit) for start in range(0, rows, fit)]


def product(rows: Numbers, matrix: Numbers, out: Numbers) -> Callable[[], object]:
    """What multiplies rows with a matrix whenever it is called, always from the same memory to the same memory.

    Args:
        rows: (N, in), with N of :func:`filled_up`.
        matrix: (in, out).
        out: (N, out).
    """
    if len(matrix) > _LONG and matrix.size * _EVEN > _SMALL:
        return _long_product(rows, matrix, out)
    parts = [partial(np.dot, rows[part], matrix, out[part]) for part in cut(len(rows), matrix)]
    if len(parts) == 1:
        return parts[0]

    def multiply() -> None:
        for part in parts:
            part()

    return multiply


def _long_product(rows: Numbers, matrix: Numbers, out: Numbers) -> Callable[[], object]:
    """The same in pieces of the sums."""
    pieces = np.array_split(np.arange(len(matrix)), -(-len(matrix) // _LONG))
    first, *others = (slice(int(piece[0]), int(piece[-1]) + 1) for piece in pieces)
    more = np.empty_like(out)

    def multiply() -> None:
        np.dot(rows[:, first], matrix[first], out)
        for piece in others:
            np.dot(rows[:, piece], matrix[piece], more)
            np.add(out, more, out=out)

    return multiply


def agrees(matrices: Iterable[Numbers]) -> bool:
    """Whether products with matrices of these shapes give a row the same numbers, bit for bit, in any company.

    It is tried with random numbers: another order of additions shows in nearly every sum.

    Args:
        matrices: (in, out) each.
    """
    generator = np.random.default_rng(0)
    shapes = {matrix.shape: matrix for matrix in matrices}
    return all(_rows_agree(matrix, generator.standard_normal((max(_PROBED), shape[0]), dtype=np.float32))
               for shape, matrix in shapes.items())  # fmt: skip


def _rows_agree(matrix: Numbers, rows: Numbers) -> bool:
    alone = np.concatenate([_multiplied(rows[place : place + 1].repeat(LEAST, 0), matrix)[:1] for place in range(8)])
    return all(np.array_equal(_multiplied(rows[:count], matrix)[:8], alone[:count]) for count in _PROBED)


def _multiplied(rows: Numbers, matrix: Numbers) -> Numbers:
    out = np.empty((len(rows), matrix.shape[1]), np.float32)
    product(rows, matrix, out)()
    return out
