"""The first rows that were made, as a table to look at."""

from collections.abc import Sequence
from dataclasses import dataclass

from aigc_models.data.table_results import SAMPLES, SYNTHETIC, Preview
from jobs.tables import Artifact
from web import result_files


@dataclass(frozen=True, slots=True)
class Shown:
    """The first rows of a file, and the file with all of them."""

    rows: Preview
    file: Artifact


def of(files: Sequence[Artifact]) -> Shown | None:
    """The rows a job made; None where it made none."""
    file = result_files.named(files, SYNTHETIC) or result_files.named(files, SAMPLES)
    rows = result_files.first_rows(file) if file is not None else None
    return Shown(rows, file) if rows is not None and file is not None else None
