"""How far the rows of made accounts hang together: ``python -m benchmarks.table_accounts``.

Trains the table VAE on the purchases of CDNOW's customers (the sample ``cdnow``), makes as many customers as were held
out, and compares both by figures that no single row shows. The last line is JSON: each figure of the held-out customers
(``real``), of the made ones (``made``), and of the held-out rows with each amount given to any other purchase
(``shuffled``).

- ``next_amount``: correlation of a purchase's amount with the same customer's next one, ``next_gap`` that of the days
  between purchases; ``amount_number`` that of amount and number of items within a purchase. Logarithms of amounts, and
  as they are with ``_raw``.
- ``gaps``: quartiles of the days between purchases. ``amounts``: quartiles.
- ``rows``: mean and deviation of a customer's purchases; ``once``: share with a single one.
- ``between``, ``within``: deviation of amounts between customers with several purchases, and within one.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aigc_models import registry, training
from aigc_models.data.tables import Table, load_table
from aigc_models.standalone import LocalRun, open_dataset
from aigc_models.table_vae.account_data import prepare_accounts
from aigc_models.table_vae.accounts import AccountTrainer
from aigc_models.tables.drawing import Asked, draw
from aigc_models.tables.lesson import Lesson

AMOUNT, NUMBER, TIME, ACCOUNT = "dollar_value", "number_of_cds", "date", "customer_id"
Floats = NDArray[np.float64]


def main() -> None:
    """Train, make, compare; print one line of JSON last."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--steps", type=int, default=0, help="in place of the preset's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dataset", default="cdnow", help="the sample, or a directory it was imported to")
    arguments = parser.parse_args()
    training.tune_process()
    task = registry.task("table_vae.train")
    values = {**task.presets[arguments.preset], "account_column": ACCOUNT, "time_column": TIME, "seed": arguments.seed}
    if arguments.steps:
        values |= {"epochs": 1, "least_steps": arguments.steps}
    params: Any = task.model_validate({"dataset": "ds_" + "0" * 26, **values})
    with tempfile.TemporaryDirectory() as name:
        run = LocalRun(Path(name))
        tables = load_table(open_dataset(arguments.dataset, Path(name) / "dataset", run, "table"))
        found = _measure(params, prepare_accounts(params, tables, run))
    print(json.dumps(found))


def _measure(params: Any, material: Any) -> dict[str, Any]:
    begun = time.process_time()
    precision = training.choose_precision("cpu")
    lesson = Lesson(params, material.encoder, material.encoded, precision, starts=material.starts, more=material.more)
    trainer = AccountTrainer(lesson)
    for step in range(1, trainer.total + 1):
        losses = trainer.step(step)
        if step % 100 == 0:
            told = {name: round(float(value), 3) for name, value in losses.items()}
            print(json.dumps({"step": step, "cpu_seconds": round(time.process_time() - begun, 1), **told}), flush=True)
    trained = time.process_time() - begun
    accounts = len(np.unique(material.test.cells[ACCOUNT].astype(str)))
    begun = time.process_time()
    made, _ = draw(trainer.source(), Asked(params.seed, accounts), material.known, lambda *_: None)
    drawn = time.process_time() - begun
    real = material.test
    shuffled = dict(real.cells)
    order = np.random.default_rng(0).permutation(len(real))
    shuffled |= {name: shuffled[name][order] for name in (AMOUNT, NUMBER)}
    tables = {"real": real, "made": made, "shuffled": Table(real.columns, shuffled)}
    return {
        **{name: compared(table) for name, table in tables.items()},
        "steps": trainer.total,
        "kl": round(float(losses["kl"]), 3),
        "train_cpu_seconds": round(trained, 1),
        "rows_per_cpu_second": round(len(made) / drawn),
    }


def compared(table: Table) -> dict[str, Any]:
    """Figures of accounts."""
    names, codes = np.unique(table.cells[ACCOUNT].astype(str), return_inverse=True)
    order = np.lexsort((table.cells[TIME], codes))
    codes, amounts, numbers = codes[order], table.cells[AMOUNT][order], table.cells[NUMBER][order]
    days = table.cells[TIME][order] / 86_400
    follows = codes[1:] == codes[:-1]
    gaps = np.diff(days)[follows]
    twice = follows[1:] & follows[:-1]
    logs = np.log1p(amounts)
    sizes = np.bincount(codes, minlength=len(names))
    several = sizes >= 2
    means = np.bincount(codes, amounts) / sizes
    left = (amounts - means[codes])[several[codes]]
    found: dict[str, Any] = {
        "next_amount": correlation(logs[:-1][follows], logs[1:][follows]),
        "next_amount_raw": correlation(amounts[:-1][follows], amounts[1:][follows]),
        "next_gap": correlation(np.diff(days)[:-1][twice], np.diff(days)[1:][twice]),
        "amount_number": correlation(np.log1p(numbers), logs),
        "amount_number_raw": correlation(numbers, amounts),
        "gaps": quartiles(gaps),
        "amounts": quartiles(amounts),
        "amount_mean": round(float(amounts.mean()), 2),
        "rows": [round(float(sizes.mean()), 2), round(float(sizes.std()), 2)],
        "once": round(float((sizes == 1).mean()), 3),
        "between": round(float(means[several].std()), 1),
        "within": round(float(left.std()), 1),
    }
    return found


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's."""
    return round(float(np.corrcoef(first, second)[0, 1]), 3)


def quartiles(values: Floats) -> list[float]:
    """The three."""
    return [round(float(each), 2) for each in np.quantile(values, [0.25, 0.5, 0.75])]


if __name__ == "__main__":
    main()
