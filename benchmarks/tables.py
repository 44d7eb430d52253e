"""Quality, speed and memory of the table families beside the public CTGAN and TVAE on Adult; the last line is JSON.

``python -m benchmarks.tables [--only FAMILY] [--epochs 300] [--quick] [--again]``. The data is read from the folder
that ``AIGC_BENCH_DATA`` names (``adult_train.csv.gz``, ``adult_test.csv.gz``). The peers run in an environment of
their own, ``build/peers-tables``, which is made at the first run (``pip install ctgan==0.12.1``) or named by
``--peer-python``. Each side runs in a process of its own, on as many threads, one after the other; both train for the
same epochs at the same batch, and one scorer judges both.

- ``tstr_auc``, ``peer_tstr_auc``: AUC on the real test rows of gradient boosting taught with as many synthetic rows.
- ``fit_speedup``: seconds of the peer's fit, encoding included, over ours; ``fit_cpu_speedup`` in CPU time.
- ``sample_speedup``: rows a second. ``exact_copies``: synthetic rows that equal a training row.
- ``wall_to_score_speedup``: the peer's fit over ours with ``--our-epochs``, when our score is no lower.
- ``peak_mib``: of our training on a million rows (Adult's, repeated with noise in its numbers; 200 steps), and
  of drawing 100,000 from it.

The peers take a quarter of an hour. What a side has said is kept in ``--out`` under what it was asked, so a run that
was cut off goes on where it was, and another family joins; ``--again`` measures everything anew.
"""

import argparse
import gzip
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aigc_models.data.tables import Table
from aigc_models.metrics.table_utility import judge, make_task, predict
from aigc_models.tables.copies import hash_rows, known_in
from benchmarks.table_side import TRAINERS, read_table

PEER = Path(__file__).parent / "peers" / "ctgan_side.py"
TARGET = "income"


def main() -> None:
    """Measure all; print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(TRAINERS))
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--our-epochs", type=int, default=20, help="of a second, shorter training of ours; 0: none")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--peer-python", default="", help="an interpreter with ctgan 0.12.1")
    parser.add_argument("--quick", action="store_true", help="3 epochs of 3,000 rows: does it run")
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--out", type=Path, default=Path("build/bench-tables"))
    arguments = parser.parse_args()
    data = os.environ.get("AIGC_BENCH_DATA")
    if not data or not (Path(data) / "adult_train.csv.gz").is_file():
        sys.exit("Set AIGC_BENCH_DATA to a folder with adult_train.csv.gz and adult_test.csv.gz.")
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.quick:
        arguments.epochs = 3
    train, test = (_unpacked(Path(data) / f"adult_{part}.csv.gz", arguments) for part in ("train", "test"))
    result: dict[str, Any] = {"epochs": arguments.epochs, "threads": arguments.threads, "quick": arguments.quick}
    python = arguments.peer_python or _peer_python()
    for family in [arguments.only] if arguments.only else list(TRAINERS):
        result[family] = _compare(family, (train, test), python, arguments)
        print(json.dumps(result), flush=True)


def _unpacked(packed: Path, arguments: argparse.Namespace) -> Path:
    path: Path = arguments.out / packed.name.removesuffix(".gz")
    lines = gzip.decompress(packed.read_bytes()).decode().splitlines(keepends=True)
    path.write_text("".join(lines[:3001] if arguments.quick else lines), encoding="utf-8")
    return path


def _peer_python() -> str:
    home = Path("build/peers-tables")
    python = home / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "ctgan==0.12.1"], check=True)
    return str(python)


def _compare(family: str, files: tuple[Path, Path], python: str, arguments: argparse.Namespace) -> dict[str, Any]:
    train, test = files
    out = arguments.out
    epochs = ["--epochs", str(arguments.epochs)]
    ours = [sys.executable, "-m", "benchmarks.table_side", family]
    mine = _run([*ours, str(train), str(out / f"{family}.csv"), *epochs, "--least-steps", "1"], arguments)
    theirs = _run([python, str(PEER), family, str(train), str(out / f"{family}-peer.csv"), *epochs], arguments)
    real = read_table(train)
    score = _score(real, test, out / f"{family}.csv")
    peer = _score(real, test, out / f"{family}-peer.csv")
    found = {
        "tstr_auc": score["auc"],
        "peer_tstr_auc": peer["auc"],
        "trtr_auc": _score(real, test, train)["auc"],
        "fit_speedup": theirs["fit_seconds"] / mine["fit_seconds"],
        "fit_cpu_speedup": theirs["fit_cpu_seconds"] / mine["fit_cpu_seconds"],
        "fit_seconds": mine["fit_seconds"],
        "encode_seconds": mine["encode_seconds"],
        "sample_speedup": mine["sample_rows_per_second"] / theirs["sample_rows_per_second"],
        "sample_cpu_speedup": mine["sample_rows_per_cpu_second"] / theirs["sample_rows_per_cpu_second"],
        "sample_rows_per_second": mine["sample_rows_per_second"],
        "exact_copies": score["copies"],
        "peer_exact_copies": peer["copies"],
        "held_out_copies": _score(real, test, test)["copies"],
    }
    if arguments.our_epochs:
        fewer = ["--epochs", str(arguments.our_epochs), "--least-steps", "1"]
        short = _run([*ours, str(train), str(out / f"{family}-short.csv"), *fewer], arguments)
        found["short_tstr_auc"] = _score(real, test, out / f"{family}-short.csv")["auc"]
        reached = found["short_tstr_auc"] >= peer["auc"]
        found["wall_to_score_speedup"] = theirs["fit_seconds"] / short["fit_seconds"] if reached else 0.0
    large = out / "million.csv"
    if not large.exists():
        _million(train, large, 20_000 if arguments.quick else 1_000_000)
    limited = ["--epochs", "1", "--most-steps", "200", "--samples", "100000"]
    found["peak_mib"] = _run([*ours, str(large), str(out / f"{family}-large.csv"), *limited], arguments)["peak_mib"]
    return {name: round(float(value), 4) for name, value in found.items()}


def _run(command: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """What a side says, in a process of its own; or what it has said before, when it was asked the same."""
    threads = str(arguments.threads)
    asked = hashlib.sha256(repr([*command, threads, arguments.quick]).encode()).hexdigest()[:16]
    said = arguments.out / f"side-{asked}.json"
    if arguments.again or not said.exists():
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        said.write_text(done.stdout.splitlines()[-1], encoding="utf-8")
        print(f"{' '.join(command[-6:])}: {said.read_text(encoding='utf-8')}", flush=True)
    figures: dict[str, Any] = json.loads(said.read_text(encoding="utf-8"))
    return figures


def _score(real: Table, test: Path, synthetic: Path) -> dict[str, float]:
    """One scorer for everybody: figures of gradient boosting, and rows that equal a training row."""
    names = {column.name: column.categories for column in real.columns if column.categories}
    made = read_table(synthetic, names)
    task = make_task(real, read_table(test, names), TARGET, seed=0)
    known = np.sort(hash_rows(real, real.columns, 0))
    copies = float(known_in(hash_rows(made, real.columns, 0), known).sum())
    said = predict(task, made, seed=0)
    return {**({} if said is None else judge(task, said)), "copies": copies}


def _million(train: Path, path: Path, rows: int) -> None:
    frame = pd.read_csv(train)
    draws = np.random.default_rng(0)
    large = frame.sample(rows, replace=True, random_state=0)
    for name in large:
        if large[name].dtype.kind in "if":
            spread = max(1, int(frame[name].std() / 20))
            large[name] = large[name] + draws.integers(0, spread, rows)
    large.to_csv(path, index=False)


if __name__ == "__main__":
    main()
