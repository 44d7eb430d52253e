"""From the cells of a column to moments: seconds, milliseconds, days as numbers, ISO and common local dates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# How large a number since 1970 must be to count milliseconds, microseconds or nanoseconds: seconds reach 1e11 in the
# year 5138, and milliseconds had passed it by 1973.
_SCALES = ((1e17, 1e9, "nanoseconds"), (1e14, 1e6, "microseconds"), (1e11, 1e3, "milliseconds"))
_SMALL = 1e8  # as seconds, before March 1973: rather a count of days or clicks
_SAMPLE = 2000
# Day first stands before month first: more of the world writes so; where both fit, the report says what was taken.
FORMATS = (
    "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y",
    "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%Y", "%d/%m/%y", "%m/%d/%y",
)  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", "T%H:%M:%S", ", %H:%M", " %I:%M %p", " %I:%M:%S %p")
TWINS = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y", "%d/%m/%y": "%m/%d/%y"}


@dataclass(frozen=True, slots=True)
class Times:
    """Moments, and how they were read.

    Attributes:
        seconds: Since 1970 UTC; NaN where a cell is empty or no time. Float64 (N,).
        unit: ``seconds``, ``milliseconds``, ``microseconds``, ``nanoseconds``, ``days`` (as in 19970101), ``numbers``
            (an order, no dates), ``iso`` or a format of :meth:`datetime.datetime.strftime`.
        unclear: Whether day and month could be the other way round.
    """

    seconds: NDArray[np.float64]
    unit: str
    unclear: bool = False


def parse(cells: "pd.Series[str]") -> Times:
    """Read a column; what is in no way a time stays NaN. Cells without a zone are taken as UTC."""
    known = cells[cells != ""]
    numbers = pd.to_numeric(known, errors="coerce")
    if len(known) and numbers.notna().mean() > 0.5:
        found = _from_numbers(known, numbers.astype(np.float64))
    else:
        found = _from_dates(known)
    seconds = np.full(len(cells), np.nan)
    seconds[(cells != "").to_numpy()] = found.seconds
    return Times(seconds, found.unit, found.unclear)


def _from_numbers(cells: "pd.Series[str]", numbers: "pd.Series[float]") -> Times:
    whole = cells.str.fullmatch(r"(19|20)\d{6}")
    if whole[numbers.notna()].all():
        days = pd.to_datetime(cells, format="%Y%m%d", errors="coerce", utc=True)
        if days.notna().mean() > 0.99:
            return Times(_seconds(days), "days")
    values = numbers.to_numpy(copy=True)
    values[np.isinf(values)] = np.nan
    middle = float(np.nanmedian(np.abs(values))) if np.isfinite(values).any() else 0.0
    for least, factor, unit in _SCALES:
        if middle >= least:
            return Times((values / factor).astype(np.float64), unit)
    return Times(values.astype(np.float64), "numbers" if middle < _SMALL else "seconds")


def _from_dates(cells: "pd.Series[str]") -> Times:
    iso = pd.to_datetime(cells, format="ISO8601", errors="coerce", utc=True)
    if len(cells) == 0 or iso.notna().mean() > 0.5:
        return Times(_seconds(iso), "iso")
    sample = cells.iloc[:: max(1, len(cells) // _SAMPLE)]
    fits = {day + clock: _fit(sample, day + clock) for day in FORMATS for clock in CLOCKS}
    best = max(fits, key=lambda name: fits[name])  # the first of equals
    if not fits[best]:
        return Times(np.full(len(cells), np.nan), "iso")
    twin = next((best.replace(day, other) for day, other in TWINS.items() if best.startswith(day)), "")
    read = pd.to_datetime(cells, format=best, errors="coerce", utc=True)
    if twin and fits[twin] == fits[best]:  # the sample fits both ways: let every cell say
        other = pd.to_datetime(cells, format=twin, errors="coerce", utc=True)
        if other.notna().sum() > read.notna().sum():
            return Times(_seconds(other), twin)
        return Times(_seconds(read), best, bool(other.notna().sum() == read.notna().sum()))
    return Times(_seconds(read), best)


def _fit(cells: "pd.Series[str]", form: str) -> int:
    return int(pd.to_datetime(cells, format=form, errors="coerce", utc=True).notna().sum())


def _seconds(moments: "pd.Series[pd.Timestamp]") -> NDArray[np.float64]:
    seconds = moments.dt.tz_localize(None).astype("datetime64[us]").to_numpy().astype(np.int64) / 1e6
    seconds[moments.isna().to_numpy()] = np.nan
    found: NDArray[np.float64] = seconds
    return found
