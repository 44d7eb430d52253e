"""One side of the comparison of table families, in a process of its own: fit, sample, tell the seconds.

``python -m benchmarks.table_side FAMILY TRAIN.csv OUT.csv``: the CSV holds numbers and texts; what is timed is what a
user waits for: learning the encoding, encoding, training; then drawing rows.
"""

import argparse
import json
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from aigc_models import registry, training
from aigc_models.data.tables import Column, Table, TableSet
from aigc_models.standalone import LocalRun
from aigc_models.table_gan.trainer import GanTrainer
from aigc_models.table_vae.trainer import RowTrainer
from aigc_models.tables import learning
from aigc_models.tables.drawing import Asked, draw
from aigc_models.tables.lesson import Lesson
from aigc_models.tables.writing import write_csv

TRAINERS: Mapping[str, type[Any]] = {"table_gan": GanTrainer, "table_vae": RowTrainer}


def read_table(path: Path, names: dict[str, tuple[str, ...]] | None = None) -> Table:
    """A CSV whose columns of numbers are integers, and whose others are categories."""
    frame = pd.read_csv(path, skipinitialspace=True)
    columns, cells = [], {}
    for name in frame:
        values = frame[name]
        if values.dtype.kind in "if":
            columns.append(Column(str(name), "integer"))
            cells[str(name)] = values.to_numpy(float)
            continue
        texts = values.astype(str)
        known = names[str(name)] if names else tuple(sorted(texts.unique()))
        codes = {text: code for code, text in enumerate(known)}
        columns.append(Column(str(name), "categorical", known))
        cells[str(name)] = texts.map(codes).fillna(-1).to_numpy(np.int32)
    return Table(tuple(columns), cells)


def main() -> None:
    """Fit and sample; print one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family", choices=list(TRAINERS))
    parser.add_argument("train", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epochs", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=500)
    parser.add_argument("--most-steps", type=int, default=0, help="stop early, to measure memory")
    parser.add_argument("--samples", type=int, default=0, help="rows to draw; as many as there are by default")
    parser.add_argument("--least-steps", type=int, default=0, help="in place of the preset's")
    parser.add_argument("--preset", default="balanced")
    arguments = parser.parse_args()
    training.tune_process()
    print(json.dumps(_measure(arguments)))


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    table = read_table(arguments.train)
    task = registry.task(f"{arguments.family}.train")
    values = {**task.presets[arguments.preset], "epochs": arguments.epochs, "batch_size": arguments.batch_size}
    if arguments.least_steps:
        values["least_steps"] = arguments.least_steps
    params: Any = task.model_validate({"dataset": "ds_" + "0" * 26, **values})
    begun, cpu = time.perf_counter(), time.process_time()
    nothing = table.take(np.empty(0, np.int64))
    material = learning.prepare_rows(params, TableSet(table, nothing), LocalRun(arguments.out.parent))
    encoded = time.perf_counter() - begun
    precision = training.choose_precision("cpu")
    trainer = TRAINERS[arguments.family](Lesson(params, material.encoder, material.encoded, precision))
    steps = min(trainer.total, arguments.most_steps or trainer.total)
    for step in range(1, steps + 1):
        losses = trainer.step(step)
    training.check_finite(steps, *losses.values())
    source = trainer.source()
    fitted, fitted_cpu = time.perf_counter() - begun, time.process_time() - cpu
    source.propose((0, "warm"), {})
    count = arguments.samples or len(table)
    begun, cpu = time.perf_counter(), time.process_time()
    made, tally = draw(source, Asked(0, count), material.known, lambda *_: None)
    sampled, sampled_cpu = time.perf_counter() - begun, time.process_time() - cpu
    write_csv(made, arguments.out)
    return {
        "encode_seconds": encoded,
        "fit_seconds": fitted,
        "fit_cpu_seconds": fitted_cpu,
        "steps": steps,
        "sample_rows_per_second": count / sampled,
        "sample_rows_per_cpu_second": count / sampled_cpu,
        "refused": tally.refused,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "precision": precision.name,
        "threads": torch.get_num_threads(),
    }


if __name__ == "__main__":
    main()
