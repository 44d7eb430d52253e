"""The files in which results of tables are kept, for who writes and who shows them; only the standard library.

A job that makes rows writes :data:`SYNTHETIC`, or :data:`SAMPLES` where they are only to look at. What is measured
goes into :data:`QUALITY`, the ``details`` of :class:`aigc_models.metrics.table_quality.TableQuality`, with every plot
as SVG, PNG and CSV in :data:`FIGURES`; a study of augmentation into :data:`AUGMENTATION`.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice

SYNTHETIC, SAMPLES = "synthetic.csv", "samples.csv"
QUALITY, FIGURES, AUGMENTATION = "quality.json", "figures.zip", "augmentation.json"
_SIGNS = ",;\t|"  # what may stand between cells; the first wins where several cut the header into as many
SHOWN_ROWS, SHOWN_COLUMNS = 20, 60
_LONGEST = 1_000_000  # characters of a line that are read


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a table as they are written; ``more_columns`` were left out."""

    header: list[str]
    rows: list[list[str]]
    more_columns: int = 0


def preview(lines: Iterable[str]) -> Preview | None:
    """The first rows of a CSV file; None where nothing can be read. Only so many lines are taken."""
    kept = _bounded(lines)
    head = next(kept, "")
    try:
        sign = max(_SIGNS, key=lambda one: len(next(csv.reader([head], delimiter=one), ())))
        rows = list(islice(csv.reader(chain([head], kept), delimiter=sign), SHOWN_ROWS + 1))
    except csv.Error:
        return None
    if not rows or not rows[0]:
        return None
    shown = [row[:SHOWN_COLUMNS] for row in rows]
    return Preview(shown[0], shown[1:], max(0, len(rows[0]) - SHOWN_COLUMNS))


def _bounded(lines: Iterable[str]) -> Iterator[str]:
    taken = 0
    for place, line in enumerate(lines):
        taken += len(line)
        if taken > _LONGEST:
            return
        yield line.lstrip("\ufeff") if not place else line
