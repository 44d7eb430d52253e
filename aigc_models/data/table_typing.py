"""The type of a column: what its cells look like, or what its owner says."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.table_dates import Dates, guess_format, read_dates
from aigc_models.data.table_numbers import DecimalMark, Numbers, read_numbers
from aigc_models.data.tables import Column, ColumnType

MISSING = frozenset({"", "NA", "N/A", "n/a", "NaN", "nan", "NAN", "NULL", "null", "Null", "#N/A", "\\N", "<NA>", "?"})
MISSING_NUMBERS = frozenset({"-", "--", ".", "None", "none", "missing", "unknown", "缺失", "未知", "无"})
MOST_CATEGORIES = 10_000
_LONG = 40  # characters; what is longer on average reads like text
_MOSTLY = 0.9
_FEW_STRAYS = 20
_SORTED = 50_000
_PAIRS = tuple(
    frozenset(pair) for pair in (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"), ("0", "1"), ("是", "否"))
)
_ID_NAME = re.compile(
    r"^(?:id|uuid|guid|key|row_?names?|index|no|nr|number|编号|序号|单号)$|(?:^|[_ -])(?:id|uuid|guid|key|nr|no)$|"
    r"(?-i:[a-z](?:Id|ID))$|编号$|单号$|号码$|证号$",
    re.IGNORECASE,
)
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What its owner says of a column: its type, and of dates how they are written."""

    type: ColumnType
    format: str = ""


@dataclass(frozen=True, slots=True)
class Spellings:
    """The different cells of a column without missing ones, the most frequent first where they are not too many.

    Attributes:
        counts: How often each occurs.
        missing: How often each spelling of a missing cell occurs.
        rows: Number of rows.
    """

    counts: Mapping[str, int]
    missing: Mapping[str, int]
    rows: int

    @property
    def texts(self) -> list[str]:
        """The different cells."""
        return list(self.counts)

    @property
    def present(self) -> int:
        """How many cells are not missing."""
        return self.rows - sum(self.missing.values())


@dataclass(frozen=True, slots=True)
class Typed:
    """A column with what each of its spellings stands for.

    Attributes:
        column: The column.
        values: For each spelling, in order, its number, moment or code; empty for written columns.
        bad: Spellings that do not fit the type its owner gave.
        strays: Spellings that keep a column from being one of numbers.
        either: Whether day and month could be the other way round.
    """

    column: Column
    values: NDArray[Any] = field(default_factory=lambda: np.zeros(0))
    bad: Sequence[str] = ()
    strays: Sequence[str] = ()
    either: bool = False


@dataclass(frozen=True, slots=True)
class TypeRules:
    """What holds for all columns: spellings of missing cells, and how numbers are written."""

    missing: frozenset[str] = MISSING
    mark: DecimalMark = "auto"
    european: bool = False


def spell(cells: Sequence[str], rules: TypeRules) -> Spellings:
    """Count the different cells of a column."""
    counts = Counter(cells)
    missing = {text: count for text, count in counts.items() if text.strip() in rules.missing}
    for text in missing:
        del counts[text]
    # Sorting what is mostly different anyway would take as much memory again.
    ordered = dict(counts.most_common()) if len(counts) <= _SORTED else counts
    return Spellings(ordered, missing, len(cells))


def without_marks(found: Spellings) -> Spellings:
    """The same with marks such as ``-`` taken as missing, too, as they are among numbers and dates."""
    marks = {text: count for text, count in found.counts.items() if text.strip() in MISSING_NUMBERS}
    if not marks:
        return found
    counts = {text: count for text, count in found.counts.items() if text not in marks}
    return Spellings(counts, {**found.missing, **marks}, found.rows)


def infer(name: str, found: Spellings, rules: TypeRules) -> tuple[Typed, Spellings]:
    """The type that a column's cells show."""
    texts = found.texts
    missing = _usual(found)
    if len(texts) <= 1:
        kind: ColumnType = "constant" if not texts or found.present == found.rows else "categorical"
        return coded(Column(name, kind, missing=missing), texts), found
    if len(texts) == 2 and frozenset(text.strip().lower() for text in texts) in _PAIRS:
        return coded(Column(name, "boolean", missing=missing), texts, sorted(texts)), found
    numeric = without_marks(found)
    if numeric.counts:
        measured = _measured(name, numeric, rules)
        if measured is not None:
            return measured, numeric
    return _worded(name, found, rules), found


def _measured(name: str, found: Spellings, rules: TypeRules) -> Typed | None:
    texts = found.texts
    if any(sign.isdigit() for sign in texts[0]):
        dates = read_dates(texts)
        if dates is not None:
            return _dated(name, found, dates)
        numbers = read_numbers(texts, rules.mark, european=rules.european)
        if not np.isnan(numbers.values).any() and not numbers.coded and numbers.exact:
            if numbers.whole and _counts_up(name, found, numbers):
                return Typed(Column(name, "identifier", missing=_usual(found)))
            return _numeric(name, found, numbers)
    return None


def _counts_up(name: str, found: Spellings, numbers: Numbers) -> bool:
    """Whether whole numbers name things: all different without gaps, or with a header that says so."""
    different = len(found.counts)
    if different < found.present:
        return bool(_ID_NAME.search(name)) and different > 2
    span = float(numbers.values.max() - numbers.values.min()) + 1
    return different >= 20 and (span == different or bool(_ID_NAME.search(name)))


def _worded(name: str, found: Spellings, rules: TypeRules) -> Typed:
    texts, missing = found.texts, _usual(found)
    numbers = read_numbers(texts, rules.mark, european=rules.european)
    weights = np.fromiter(found.counts.values(), np.int64, len(texts))
    none = np.isnan(numbers.values)
    stray = [texts[place] for place in np.flatnonzero(none)[:_FEW_STRAYS].tolist()]
    mostly = not numbers.coded and none.any() and float(weights[~none].sum()) >= _MOSTLY * found.present
    strays = stray if mostly and len(texts) > _FEW_STRAYS else []
    length = sum(len(text) * count for text, count in found.counts.items()) / max(found.present, 1)
    short = length <= _LONG and not _has_sentences(texts)
    if short and (_names_things(name, found) or all(map(_UUID.fullmatch, texts[:100]))):
        return Typed(Column(name, "identifier", missing=missing), strays=strays)
    few = len(texts) <= MOST_CATEGORIES and (len(texts) <= 20 or len(texts) <= 0.5 * found.present)
    if few and length <= 2 * _LONG and (len(texts) < found.present or len(texts) <= 20):
        return replace(coded(Column(name, "categorical", missing=missing), texts), strays=strays)
    if short and (len(texts) == found.present or sum(" " in text.strip() for text in texts[:500]) < 25):
        return Typed(Column(name, "identifier", missing=missing), strays=strays)
    return Typed(Column(name, "text", missing=missing), strays=strays)


def _names_things(name: str, found: Spellings) -> bool:
    return bool(_ID_NAME.search(name)) and len(found.counts) > max(20, 0.02 * found.present)


def _has_sentences(texts: Sequence[str]) -> bool:
    sample = texts[:500]
    return sum(text.count(" ") >= 4 or len(text) > 2 * _LONG for text in sample) > 0.3 * len(sample)


def _usual(found: Spellings) -> str:
    return max(found.missing, key=found.missing.__getitem__, default="")


def _numeric(name: str, found: Spellings, numbers: Numbers, kind: ColumnType | None = None) -> Typed:
    kind = kind or ("integer" if numbers.whole else "continuous")
    column = Column(name, kind, decimals=numbers.decimals, format=str(numbers.style), missing=_usual(found))
    return Typed(column, numbers.values)


def _dated(name: str, found: Spellings, dates: Dates) -> Typed:
    return Typed(
        Column(name, "datetime", format=dates.format, missing=_usual(found)), dates.seconds, either=dates.either
    )


def coded(column: Column, texts: Sequence[str], categories: Sequence[str] | None = None) -> Typed:
    """A column whose cells stand for the place of their spelling among the categories, which are all if left out."""
    categories = texts if categories is None else categories
    places = {text: place for place, text in enumerate(categories)}
    values = np.array([places.get(text, -1) for text in texts], np.int32)
    return Typed(replace(column, categories=tuple(categories)), values)


def convert(name: str, found: Spellings, wish: Wish, rules: TypeRules) -> tuple[Typed, Spellings]:
    """A column with the type its owner gave; spellings that do not fit are told in ``bad``."""
    if wish.type in ("identifier", "text"):
        return Typed(Column(name, wish.type, missing=_usual(found))), found
    if wish.type in ("categorical", "boolean", "constant"):
        most = {"categorical": len(found.counts), "boolean": 2, "constant": 1}[wish.type]
        texts = found.texts
        order = sorted(texts[:2]) if wish.type == "boolean" else texts[:most]
        typed = coded(Column(name, wish.type, missing=_usual(found)), texts, order)
        return replace(typed, bad=texts[most:]), found
    found = without_marks(found)
    texts = found.texts
    if wish.type == "datetime":
        guessed = None if wish.format else read_dates(texts)
        dates = guessed or read_dates(texts, wish.format or (guess_format(texts) if texts else "%Y-%m-%d"))
        assert dates is not None
        return _with_bad(_dated(name, found, dates), texts), found
    numbers = read_numbers(texts, rules.mark, european=rules.european)
    typed = _numeric(name, found, numbers, wish.type)
    if wish.type == "integer":
        fraction = ~np.isnan(typed.values) & (typed.values != np.floor(typed.values))
        typed.values[fraction] = np.nan
    return _with_bad(typed, texts), found


def _with_bad(typed: Typed, texts: Sequence[str]) -> Typed:
    bad = [texts[place] for place in np.flatnonzero(np.isnan(typed.values)).tolist()]
    return Typed(typed.column, typed.values, bad=bad) if bad else typed
