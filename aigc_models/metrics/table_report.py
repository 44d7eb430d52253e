"""Writing what was measured of a synthetic table, for people and programs."""

import json
from pathlib import Path

from aigc_models.data import table_results
from aigc_models.metrics.table_plots import save_figures
from aigc_models.metrics.table_quality import TableQuality


def write_quality(quality: TableQuality, directory: Path) -> None:
    """Write :data:`~aigc_models.data.table_results.QUALITY` and the plots into a job's results."""
    text = json.dumps(quality.details, ensure_ascii=False, allow_nan=False, indent=1)
    (directory / table_results.QUALITY).write_text(text, encoding="utf-8")
    save_figures(quality.details, directory / table_results.FIGURES)
