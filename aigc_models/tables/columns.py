"""How one column becomes codes and numbers, and comes back with its type, its range and its digits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import Cells, Column
from aigc_models.tables.mixture import Mixture

# A value that so many of a column's rows hold is a mode of its own, and comes back exactly.
ATOM_SHARE, _LEAST_ATOM, _FEW_VALUES = 0.05, 10, 20
_SPAN = 4.0  # deviations of a mode that the number from -1 to 1 covers

Codes = NDArray[np.int32]
Numbers = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NumericCodec:
    """A numeric column: which mode a cell belongs to, and where within it (Xu et al. 2019, section 4.2).

    Beyond the paper, values that many rows hold are modes without width, and a missing cell is the last mode.

    Attributes:
        atoms: Values that are modes of their own.
        weights, means, deviations: The Gaussian modes.
        low, high: The range that is never left.
        base, step: Values are ``base`` plus a whole number of steps; a step of 0 leaves them as they are.
        decimals: Digits after the point they are rounded to; -1 leaves them as they are.
        missing: Whether cells may be missing.
    """

    atoms: tuple[float, ...]
    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]
    low: float
    high: float
    base: float
    step: float
    decimals: int
    missing: bool

    @property
    def width(self) -> int:
        """How many codes there are."""
        return len(self.atoms) + len(self.means) + self.missing

    @property
    def has_scalar(self) -> bool:
        """Whether a number goes with the code."""
        return bool(self.means)

    def encode(self, cells: Cells, generator: np.random.Generator) -> tuple[Numbers, Codes]:
        """Shape: (N,) to numbers and codes, each (N,); the mode is drawn by its chance."""
        gaps = np.isnan(cells)
        values = np.where(gaps, self.low, cells)
        codes, numbers = np.zeros(len(cells), np.int32), np.zeros(len(cells), np.float32)
        if self.means:
            numbers, codes = self._modes(values, generator)
            codes += len(self.atoms)
        if self.atoms:
            atoms = np.array(self.atoms)
            nearest = np.clip(np.searchsorted(atoms, values), 0, len(atoms) - 1)
            if not self.means and len(atoms) > 1:  # a value of another table goes to the nearer neighbour
                before = np.maximum(nearest - 1, 0)
                nearest = np.where(values - atoms[before] < atoms[nearest] - values, before, nearest)
            exact = (atoms[nearest] == values) if self.means else np.ones(len(cells), np.bool_)
            codes[exact], numbers[exact] = nearest[exact], 0
        if self.missing:
            codes[gaps], numbers[gaps] = self.width - 1, 0
        return numbers, codes

    def _modes(self, values: Cells, generator: np.random.Generator) -> tuple[Numbers, Codes]:
        means, deviations = np.array(self.means), np.array(self.deviations)
        log_weights = np.log(np.array(self.weights)) - np.log(deviations)
        numbers, codes = np.empty(len(values), np.float32), np.empty(len(values), np.int32)
        for start in range(0, len(values), 65_536):
            part = values[start : start + 65_536]
            score = log_weights - 0.5 * ((part[:, None] - means) / deviations) ** 2
            score -= score.max(1, keepdims=True)
            upto = np.exp(score).cumsum(1)
            code = (upto < generator.random((len(part), 1)) * upto[:, -1:]).sum(1)
            codes[start : start + len(part)] = code
            numbers[start : start + len(part)] = (part - means[code]) / (_SPAN * deviations[code])
        return np.clip(numbers, -1, 1), codes

    def decode(self, numbers: Numbers, codes: Codes) -> Cells:
        """Shape: each (N,) to cells (N,) with NaN where one is missing."""
        atoms = len(self.atoms)
        places = np.concatenate([self.atoms, self.means, [np.nan] * self.missing])
        spans = np.concatenate([np.zeros(atoms), np.multiply(self.deviations, _SPAN), [0.0] * self.missing])
        if not len(places):
            return np.full(len(codes), np.nan)
        values = places[codes] + numbers.astype(np.float64) * spans[codes]
        if self.step:
            values = np.rint((values - self.base) / self.step) * self.step + self.base
        elif self.decimals >= 0:
            values = np.round(values, self.decimals)
        return np.asarray(np.clip(values, self.low, self.high))


@dataclass(frozen=True, slots=True)
class CategoryCodec:
    """A coded column; categories beyond the frequent ones share a code and are drawn by how often each was seen.

    Attributes:
        kept: Codes of the frequent categories, most frequent first.
        rare: Codes of the others.
        shares: Their share of the rows up to each of them, rising to 1.
        missing: Whether cells may be missing.
    """

    kept: tuple[int, ...]
    rare: tuple[int, ...]
    shares: tuple[float, ...]
    missing: bool

    has_scalar = False

    @property
    def width(self) -> int:
        """How many codes there are."""
        return len(self.kept) + bool(self.rare) + self.missing

    def encode(self, cells: Cells, generator: np.random.Generator) -> tuple[Numbers, Codes]:
        """Shape: (N,) to no number and codes (N,); what was never seen counts as rare, else as the most frequent."""
        size = max([int(cells.max(initial=0)), *self.kept, *self.rare]) + 2
        lookup = np.full(size, len(self.kept) if self.rare else 0, np.int32)
        lookup[list(self.kept)] = np.arange(len(self.kept))
        lookup[-1] = self.width - 1 if self.missing else 0  # where a missing cell's -1 points
        return np.zeros(len(cells), np.float32), lookup[cells]

    def decode(self, uniform: Cells, codes: Codes) -> Cells:
        """Shape: uniform draws and codes, each (N,), to cells (N,)."""
        table = np.array([*self.kept, *[0] * bool(self.rare), *[-1] * self.missing], np.int32)
        if not len(table):
            return np.full(len(codes), -1, np.int32)
        cells = table[codes]
        if self.rare:
            drawn = codes == len(self.kept)
            cells[drawn] = np.array(self.rare, np.int32)[
                np.searchsorted(self.shares, uniform[drawn]).clip(0, len(self.rare) - 1)
            ]
        return cells

    def code_of(self, category: int) -> int | None:
        """The code of a category (-1 for a missing cell), or None if none was seen."""
        if category < 0:
            return self.width - 1 if self.missing else None
        if category in self.kept:
            return self.kept.index(category)
        return len(self.kept) if category in self.rare else None


Codec = NumericCodec | CategoryCodec
_KINDS: Mapping[str, Callable[..., Codec]] = {"numeric": NumericCodec, "category": CategoryCodec}


def told(codec: Codec) -> dict[str, Any]:
    """As JSON."""
    kind = "numeric" if isinstance(codec, NumericCodec) else "category"
    return {"kind": kind, **asdict(codec)}


def read(stored: Mapping[str, Any]) -> Codec:
    """From JSON."""
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()
    }
    kind = str(values.pop("kind"))
    return _KINDS[kind](**values)


def fit_category(cells: Cells, most: int) -> CategoryCodec:
    """Learn a coded column: so many categories are kept at most."""
    counts = np.bincount(cells[cells >= 0]) if (cells >= 0).any() else np.empty(0, np.int64)
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    kept, rare = order[:most], order[most:]
    if len(rare) == 1:  # nothing is gained by a bucket of one
        kept, rare = order, order[:0]
    shares = np.cumsum(counts[rare]) / max(counts[rare].sum(), 1)
    missing = bool((cells < 0).any())
    return CategoryCodec(tuple(kept.tolist()), tuple(rare.tolist()), tuple(shares.tolist()), missing)


def find_atoms(values: Cells) -> Cells:
    """Values that are modes of their own: all of few, else those that many rows hold. Shape: (N,) without gaps."""
    places, counts = np.unique(values, return_counts=True)
    few = len(places) <= _FEW_VALUES and len(values) >= _LEAST_ATOM * len(places)
    return places if few else places[counts >= max(_LEAST_ATOM, ATOM_SHARE * len(values))]


def make_numeric(column: Column, values: Cells, missing: bool, modes: tuple[Cells, Mixture | None]) -> NumericCodec:
    """A codec from a column's known values (N,), its atoms and the mixture of the others."""
    atoms, mixture = modes
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    step = 0.0
    if column.type == "datetime":
        step = _date_step(values)
    elif column.type == "integer":
        step = _whole_step(values)
    weights, means, deviations = (
        (tuple(each.tolist()) for each in (mixture.weights, mixture.means, mixture.deviations))
        if mixture is not None
        else ((), (), ())
    )
    decimals = column.decimals if column.type == "continuous" else -1
    return NumericCodec(tuple(atoms.tolist()), weights, means, deviations, low, high, low, step, decimals, missing)


def _whole_step(values: Cells) -> float:
    """The largest number that divides all differences, at least 1."""
    if not len(values) or not np.all(np.abs(values) < 2**53):
        return 1.0
    return float(max(1, np.gcd.reduce(np.rint(values - values.min()).astype(np.int64))))


def _date_step(values: Cells, steps: Sequence[float] = (86_400.0, 3_600.0, 60.0, 1.0)) -> float:
    """The coarsest of day, hour, minute and second that all times keep to; 0 for finer ones."""
    for step in steps:
        if len(values) and np.all((values - values[0]) % step == 0):
            return step
    return 0.0
