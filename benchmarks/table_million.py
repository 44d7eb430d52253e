"""A table of a million rows on its whole way, each process's memory: ``python -m benchmarks.table_million``.

A CSV with ids, dates, numbers, missing cells, free text, and columns of 1,000 and 5,000 categories goes through import,
training, drawing as many rows again, and evaluation, each in a process of its own, as a worker runs them. The last line
is JSON: of each stage ``seconds`` and ``peak_mib`` (the largest resident memory of that process or of one it started),
and of each column with many categories how well the made rows keep their shares:

- ``head``: total variation distance of the 20 most frequent categories' shares, of made and real rows; ``head_share``
  is the share of the rows that they hold.
- ``all``: the same over all categories, and ``all_real`` between the two parts of the real rows.

``limit_mib`` is what no stage may need more of; the command ends with 1 where one does.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models.data.tables import load_table
from aigc_models.metrics.table_columns import total_variation

LIMIT_MIB, HEAD, BLOCK = 4096, 20, 50_000
HEADER = ("id", "opened", "seen", "amount", "price", "age", "branch", "product", "street", "active", "status", "note")
MANY = ("product", "street")  # 1,000 and 5,000 categories


def main() -> None:
    """Run all stages; print one line of JSON last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--family", default="table_vae", choices=("table_vae", "table_gan"))
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="further training settings")
    parser.add_argument("--out", type=Path, default=Path("build/bench-million"))
    parser.add_argument("--go-on", action="store_true", help="keep the stages that an earlier run has finished")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    table = out / f"table-{arguments.rows}.csv"
    if not table.exists():
        write(table, arguments.rows)
    found: dict[str, Any] = {
        "rows": arguments.rows,
        "family": arguments.family,
        "epochs": arguments.epochs,
        "file_mib": round(table.stat().st_size / 2**20),
        "limit_mib": LIMIT_MIB,
    }
    for stage, command in _stages(arguments, table).items():
        done = out / f"{stage}.json"
        if not (arguments.go_on and done.exists()):
            done.write_text(json.dumps(_run(command, out / stage)), encoding="utf-8")
        found[stage] = json.loads(done.read_text(encoding="utf-8"))
        print(json.dumps({stage: found[stage]}), flush=True)
    found["shares"] = _shares(out / "import" / "dataset", out / "generate" / "synthetic")
    found["within"] = all(found[stage]["peak_mib"] <= LIMIT_MIB for stage in _stages(arguments, table))
    print(json.dumps(found))
    sys.exit(not found["within"])


def _stages(arguments: argparse.Namespace, table: Path) -> dict[str, list[str]]:
    out, family, rows = arguments.out, arguments.family, arguments.rows
    dataset = str(out / "import" / "dataset")
    settings = {"epochs": arguments.epochs, "batch_size": 500, "least_steps": 1, "target": "status"}
    settings |= dict(each.split("=", 1) for each in arguments.set)
    given = [word for name, value in settings.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return {
        "import": ["dataset", "import_table", "--upload", str(table)],
        "train": [family, "train", "--dataset", dataset, *given],
        "generate": [family, "generate", "--model", str(out / "train"), "--count", str(rows)],
        "evaluate": [family, "evaluate", "--model", str(out / "train"), "--dataset", dataset, "--target", "status"],
    }


def _run(command: Sequence[str], out: Path) -> dict[str, Any]:
    """Seconds, and the largest memory of a process that ran a command and of all it waited for."""
    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    with (out.parent / f"{out.name}.log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "aigc_models", *command, "--out", str(out)], stdout=log, stderr=log
        )
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)  # it was waited for already
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed: see {log.name}.")
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }


def _shares(dataset: Path, synthetic: Path) -> dict[str, dict[str, float]]:
    real, made = load_table(dataset), load_table(synthetic).train
    found = {}
    for name in MANY:
        known = {text: code for code, text in enumerate(real.train.column(name).categories)}
        codes = np.array([known[text] for text in made.column(name).categories], np.int32)[made.cells[name]]
        train, test = real.train.cells[name], real.test.cells[name]
        first, second = (np.bincount(side, minlength=len(known)) / len(side) for side in (train, codes))
        head = np.argsort(-first, kind="stable")[:HEAD]
        found[name] = {
            "categories": len(known),
            "head": round(float(np.abs(first[head] - second[head]).sum() / 2), 4),
            "head_share": round(float(first[head].sum()), 4),
            "all": round(total_variation(train, codes), 4),
            "all_real": round(total_variation(train, test), 4),
        }
    return found


def write(path: Path, rows: int) -> None:
    """Write the table, the same each time."""
    draw = np.random.default_rng(0)
    days = [f"{date(2010, 1, 1) + timedelta(days=day)}" for day in range(5_000)]
    with path.open("w", encoding="utf-8") as stream:
        stream.write(",".join(HEADER) + "\n")
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            age = draw.integers(18, 90, count)
            amount = np.exp(draw.normal(4, 1, count) + age / 60)
            gaps, seconds = draw.random((2, count)) < 0.3, draw.integers(0, 2 * 10**8, count)
            kinds = [_zipf(draw, count, size) for size in (5, 1_000, 5_000)]
            status = (amount / 200 + kinds[0] + draw.normal(size=count)) > 3
            seen = np.datetime_as_string(np.datetime64("2018-01-01T00:00:00") + seconds).tolist()
            opened = draw.integers(0, 5_000, count).tolist()
            numbers = zip(amount.tolist(), draw.normal(size=count).tolist(), age.tolist(), strict=True)
            words = zip(*(kind.tolist() for kind in kinds), gaps[0].tolist(), gaps[1].tolist(), strict=True)
            for n, ((a, b, c), (d, e, f, g, h)) in enumerate(zip(numbers, words, strict=True)):
                row = start + n
                stream.write(
                    f"C{row * 7919 % 10_000_019:08d},{days[opened[n]]},{seen[n]},{'' if g else f'{a:.2f}'},{b:.4f},"
                    f"{'NA' if h else c},branch {d},product {e},street {f},{'yes' if row % 3 else 'no'},"
                    f"{'bad' if status[n] else 'good'},words that nobody reads in note {row} of many\n"
                )


def _zipf(draw: np.random.Generator, count: int, size: int) -> NDArray[np.int64]:
    """Categories of which the first are by far the most frequent."""
    chances = 1 / np.arange(1, size + 1)
    return draw.choice(size, count, p=chances / chances.sum())


if __name__ == "__main__":
    main()
