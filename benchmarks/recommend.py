"""Quality and speed of the recommenders on MovieLens 100K, beside baselines and beside RecBole.

``python -m benchmarks.recommend [--quick] [--data FOLDER] [--peer-python PYTHON]``: the last line is JSON. RecBole
1.2.1 runs in an environment of its own, whose Python ``--peer-python`` (or ``AIGC_PEER_PYTHON``) names; without one its
figures are left out, and what to install is said. Both sides of a speed take turns on the same threads, each in a
process of its own. All rankings are measured by our one scorer: all items, histories masked, ties shared.

- ``sasrec_hr10``, ``sasrec_ndcg10``: our defaults, each user's last event, the one before it for validation;
  ``markov_*``, ``ease_ndcg10_sequential`` and ``popularity_*``: baselines on the same events.
- ``mult_vae_ndcg10``, ``ease_ndcg10``: our defaults and EASE, a quarter of each user's events drawn at random.
- ``sasrec_speedup``: targets a second of our training over RecBole's SASRec (same width, layers and history length).
  ``peer_ndcg10``: RecBole's SASRec after ``--peer-minutes``, at its defaults; ``peer_passes`` says how far it came.
- ``mult_vae_speedup``: users a second over RecBole's MultiVAE, the same networks and batch; ``peer_mult_vae_ndcg10``.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from aigc_models import training
from aigc_models.base import Metrics
from aigc_models.data.interaction_splits import TEST, TRAIN, ItemLists, SplitPlan
from aigc_models.data.interactions import Interactions
from aigc_models.metrics.ranking import rank_all
from aigc_models.mult_vae.params import MultVaeTrain
from aigc_models.mult_vae.trainer import MultVaeTrainer
from aigc_models.recommending.evaluation import never_had
from aigc_models.recommending.trainer import Lesson, Trainer
from aigc_models.registry import task
from aigc_models.sasrec.params import SasrecTrain
from aigc_models.sasrec.trainer import SasrecTrainer
from aigc_models.standalone import LocalRun, perform
from benchmarks import movielens
from benchmarks.peers.recbole_line import MISSING_PEER, RecBole
from benchmarks.sides import Side

DATASET = "ds_" + "0" * 26
SHARE = SplitPlan("share", 0.25, 0)


def main() -> None:
    """Measure all, print one line of JSON last."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a pass or two only: does it run, not how good it is")
    parser.add_argument("--data", default="", help="folder that holds ml-100k.inter somewhere")
    parser.add_argument("--peer-python", default=os.environ.get("AIGC_PEER_PYTHON", ""), help="Python with RecBole")
    parser.add_argument("--peer-minutes", type=float, default=10.0, help="how long RecBole's SASRec may learn")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each family; the means are given")
    arguments = parser.parse_args()
    found = movielens.find(arguments.data)
    if found is None:
        raise SystemExit(movielens.MISSING)
    training.tune_process()
    data = movielens.load(found)
    result: dict[str, Any] = {"quick": arguments.quick, "threads": torch.get_num_threads()}
    with tempfile.TemporaryDirectory() as name:
        dataset = movielens.save(data, Path(name) / "dataset")
        for family, renamed in (("sasrec", _sequential), ("mult_vae", _sets)):
            each = [_quality(family, dataset, seed, arguments.quick) for seed in range(arguments.seeds)]
            result |= renamed({key: statistics.mean(one[key] for one in each) for key in each[0]})
            print(json.dumps(_rounded(result)), flush=True)
        if not arguments.peer_python:
            print(MISSING_PEER, flush=True)
        else:
            for measure in (_sasrec_beside, _mult_vae_beside):
                result |= measure(data, Path(name), arguments)
                print(json.dumps(_rounded(result)), flush=True)


def _quality(family: str, dataset: Path, seed: int, quick: bool) -> dict[str, float]:
    """A training at its defaults, from its data to its test, as anyone would start it."""
    chosen = {"dataset": DATASET, "seed": seed, **({"epochs": 2} if quick else {})}
    params = task(f"{family}.train").model_validate_json(json.dumps(chosen))
    with tempfile.TemporaryDirectory() as name:
        run = LocalRun(Path(name), {"dataset": dataset}, on_log=lambda line: print(f"{family}: {line}", flush=True))
        started = time.perf_counter()
        metrics: Metrics = perform(family, "train", params, run)
    return {**metrics, "seconds": time.perf_counter() - started}


def _sequential(found: Metrics) -> dict[str, float]:
    own = ("hr10", "ndcg10", "mrr", "coverage10", "validation_ndcg10", "seconds")
    beside = [(name, key) for name in ("markov", "popularity") for key in ("hr10", "ndcg10")]
    return {
        **{f"sasrec_{key}": found[key] for key in own},
        **{f"{name}_{key}": found[f"{key}_{name}"] for name, key in beside},
        **{f"ease_{key}_sequential": found[f"{key}_ease"] for key in ("hr10", "ndcg10")},
    }


def _sets(found: Metrics) -> dict[str, float]:
    own = ("ndcg10", "recall10", "coverage10", "validation_ndcg10", "seconds")
    beside = {"ease_ndcg10": found["ndcg10_ease"], "popularity_ndcg10_sets": found["ndcg10_popularity"]}
    return {**{f"mult_vae_{key}": found[key] for key in own}, **beside}


class Ours:
    """One of our trainings, step by step, in a process of its own."""

    def __init__(self, family: str, data: Interactions, settings: dict[str, Any]) -> None:
        training.tune_process()
        self._trainer: Trainer
        if family == "sasrec":
            lesson = Lesson(SplitPlan("leave_one_out").part(data).train, "cpu")
            self._trainer = SasrecTrainer(SasrecTrain(dataset=DATASET, **settings), lesson)
        else:
            lesson = Lesson(SHARE.part(data).train, "cpu")
            self._trainer = MultVaeTrainer(MultVaeTrain(dataset=DATASET, **settings), lesson)
        self._step = 0

    def step(self) -> int:
        """Take a step; returns targets, or users."""
        self._step += 1
        self._trainer.step(self._step)
        return self._trainer.worked_on


def _sasrec_beside(data: Interactions, home: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """RecBole's SASRec at its defaults: 64 wide, 2 layers, 2 heads, 50 events, cross-entropy over all items."""
    split = SplitPlan("leave_one_out").part(data)
    files = {"all": data.take(split.parts <= TEST)}
    settings = {"max_length": 50, "width": 64, "num_layers": 2, "num_heads": 2, "loss": "full", "dropout": 0.5}
    with (
        RecBole("SASRec", data, files, home / "sasrec", arguments.peer_python) as peer,
        Side(Ours, "sasrec", data, settings) as ours,
    ):
        speeds = _in_turns(ours, peer, (40, 1), 1 if arguments.quick else 5)
        until = time.perf_counter() + 60 * (0.1 if arguments.quick else arguments.peer_minutes)
        while time.perf_counter() < until:
            peer.run(1)
        known = ItemLists.by_user(split.train)
        figures = rank_all(peer, split.queries(TEST), never_had(known, len(data.item_names)))
        return {
            "sasrec_speedup": speeds[0] / speeds[1],
            "sasrec_targets_per_second": speeds[0],
            "peer_targets_per_second": speeds[1],
            "peer_ndcg10": figures["ndcg10"],
            "peer_hr10": figures["hr10"],
            "peer_passes": peer.passes,
        }


def _mult_vae_beside(data: Interactions, home: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """RecBole's MultiVAE at its defaults: 600 hidden and 128 latent numbers, all users in one batch."""
    split = SHARE.part(data)
    parts = {name: data.take(split.parts == part) for name, part in (("train", TRAIN), ("valid", 2), ("test", TEST))}
    settings = {"hidden_dim": 600, "latent_dim": 128, "batch_size": 2048}
    with (
        RecBole("MultiVAE", data, parts, home / "mult_vae", arguments.peer_python) as peer,
        Side(Ours, "mult_vae", data, settings) as ours,
    ):
        speeds = _in_turns(ours, peer, (10, 10), 1 if arguments.quick else 9)
        peer.run(10 if arguments.quick else 300)
        known = ItemLists.by_user(split.train)
        figures = rank_all(peer, split.queries(TEST), never_had(known, len(data.item_names)))
        return {
            "mult_vae_speedup": speeds[0] / speeds[1],
            "mult_vae_users_per_second": speeds[0],
            "peer_mult_vae_users_per_second": speeds[1],
            "peer_mult_vae_ndcg10": figures["ndcg10"],
        }


def _in_turns(ours: Side, peer: RecBole, steps: tuple[int, int], blocks: int) -> tuple[float, float]:
    """Median items a second of both, in blocks that take turns; the first ones warm up."""
    rates: list[tuple[float, float]] = [(ours.run(steps[0]), peer.run(steps[1])) for _ in range(blocks + 1)]
    mine, theirs = zip(*rates[1:], strict=True)
    return statistics.median(mine), statistics.median(theirs)


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}


if __name__ == "__main__":
    main()
