"""Dates and times as people write them: the format that fits all spellings of a column."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

_DAYS = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%Y.%m.%d", "%Y年%m月%d日")
_TIMES = ("", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f")
FORMATS = (
    *(day + time for day in _DAYS for time in _TIMES),
    *("%Y-%m-%dT%H:%M:%S" + rest for rest in ("", "Z", "%z", ".%f", ".%fZ", ".%f%z")),
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S%z",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%d %b %Y",
    "%d-%b-%Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%Y-%m",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %I:%M:%S %p",
)
_SAMPLE = 200
_CENTURIES = range(1800, 2200)


@dataclass(frozen=True, slots=True)
class Dates:
    """Spellings read as dates.

    Attributes:
        seconds: Since 1970 UTC, float64 (N,); NaN where a spelling is none.
        format: How they are written.
        either: Whether day and month could be the other way round.
    """

    seconds: NDArray[np.float64]
    format: str
    either: bool = False


def read_dates(spellings: Sequence[str], wished: str = "") -> Dates | None:
    """Read spellings as dates in the wished format or in the one that fits all of them; None where none fits."""
    if wished:
        return Dates(_seconds(spellings, wished), wished)
    step = max(1, len(spellings) // _SAMPLE)
    sample = spellings[::step][: 2 * _SAMPLE]
    fitting = [form for form in FORMATS if all(_parses(text, form) for text in sample)]
    found = [(form, seconds) for form in fitting if not np.isnan(seconds := _seconds(spellings, form)).any()]
    if not found:
        return None
    form, seconds = found[0]
    either = form.startswith("%m/%d") and any(other.startswith("%d/%m") for other, _ in found)
    return Dates(seconds, form, either)


def guess_format(spellings: Sequence[str]) -> str:
    """The format that fits the most spellings; for a column that is known to hold dates."""
    sample = spellings[:_SAMPLE]
    return max(FORMATS, key=lambda form: sum(_parses(text, form) for text in sample))


def _parses(text: str, form: str) -> bool:
    try:
        return datetime.strptime(text.strip(), form).year in _CENTURIES  # noqa: DTZ007 - only whether it reads
    except ValueError:
        return False


def _seconds(spellings: Sequence[str], form: str) -> NDArray[np.float64]:
    import pandas as pd  # half a second, and most tables have no dates

    texts = pd.Series([text.strip() for text in spellings], dtype=object)
    parsed = pd.to_datetime(texts, format=form, errors="coerce", utc=True)
    moments = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    seconds: NDArray[np.float64] = moments.astype(np.int64) / 1e6
    seconds[np.isnat(moments)] = np.nan
    return seconds


def write_date(seconds: float, form: str) -> str:
    """A moment as a column writes it."""
    moment = np.datetime64(round(seconds * 1e6), "us").astype(datetime)
    if "%z" in form:
        form = form.replace("%z", "+0000")
    text: str = moment.strftime(form)
    return text
