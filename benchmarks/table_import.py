"""How long the import of a table takes and how much memory: ``python -m benchmarks.table_import``.

It writes a CSV of 10 million cells (numbers, dates, categories, ids, free text, missing cells), reads it in the
confined process that imports use, and prints one line of JSON last: seconds, processor seconds and the largest
resident memory of that process in MiB, beside the file's own size and the limit the process runs under.
"""

import argparse
import csv
import json
import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from aigc_models.data.sandbox import MEMORY
from aigc_models.data.table_import import import_table
from aigc_models.dataset.table_params import DatasetImportTable
from aigc_models.standalone import LocalRun

COLUMNS = ("id", "amount", "price", "age", "city", "opened", "active", "email", "note", "score")
_BLOCK = 50_000


def write(path: Path, rows: int) -> None:
    """Write the table, the same each time."""
    draw = np.random.default_rng(0)
    days = [f"{date(2010, 1, 1) + timedelta(days=day)}" for day in range(5_000)]
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for start in range(0, rows, _BLOCK):
            count = min(_BLOCK, rows - start)
            numbers = [draw.lognormal(5, 1, count), draw.normal(size=count), draw.integers(18, 90, count)]
            kinds = [draw.zipf(1.5, count) % 5_000, draw.integers(0, 5_000, count), draw.integers(0, 3, count)]
            free = [draw.integers(0, 10**7, count), draw.integers(0, 10**6, count), draw.random(count)]
            for offset, (a, b, c, d, e, f, g, h, i) in enumerate(zip(*numbers, *kinds, *free, strict=True), start):
                words = f"some words in note {h}, to be read by nobody"
                flag = ("yes", "no", "")[f]
                writer.writerow(
                    [offset, f"{a:.2f}", f"{b:.6f}", c, f"city {d}", days[e], flag, f"user{g}@example.com", words, i]
                )


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        upload = Path(name) / "upload"
        upload.mkdir()
        write(upload / "table.csv", rows)
        size = (upload / "table.csv").stat().st_size
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        figures = import_table(DatasetImportTable(), LocalRun(Path(name) / "run", {"upload": upload}))
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found = {
        "cells": rows * len(COLUMNS),
        "file_mib": round(size / 2**20),
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "peak_mib": round(after.ru_maxrss / 1024),
        "limit_mib": MEMORY // 2**20,
        "rows": int(sum(figures.values())),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
