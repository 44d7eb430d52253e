"""One of several ranks that do some trainings together: ``python -m tests.aigc_models.rank_trainings DIRECTORY RANK``.

What is to be trained lies in ``trainings.json``: for each its name, family, settings, dataset, the number of ranks and
the checkpoint to go on from. Each stops after its last step, when rank 0 leaves a checkpoint and the curve.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch

from aigc_models import ranks, training
from aigc_models.base import Adjustments, Paused
from aigc_models.standalone import perform
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.test_contract import params_of

PATIENCE = 60.0


def exact(device: str) -> training.Precision:
    """Whole floats, so that what differs by rounding differs by little."""
    return training.Precision("float32", device)


def do(directory: Path, wanted: dict[str, Any], rank: int) -> None:
    """Take part in one training."""
    if rank >= wanted["ranks"]:
        return
    home = directory / wanted["name"]
    if wanted["ranks"] > 1:
        ranks.join(ranks.Meeting(directory / f"{wanted['name']}.meeting", rank, ["cpu"] * wanted["ranks"], PATIENCE))
    run = RecordingRun(home / f"{rank}", {"dataset": Path(wanted["dataset"])}, checkpoints=home / f"saved-{rank}")
    run.resume_from = Path(wanted["resume_from"]) if wanted["resume_from"] else None
    run.adjustments = Adjustments(micro_batches=wanted["parts"])
    run.after_step = lambda step: setattr(run, "stopping", step == min(wanted["stop"] or step, run.steps[-1][1]))
    try:
        perform(wanted["family"], "train", params_of(f"{wanted['family']}.train", **wanted["params"]), run)
    except Paused:
        (home / f"curve-{rank}.json").write_text(json.dumps(run.curve), encoding="utf-8")
    ranks.leave()


def main(directory: Path, rank: int) -> None:
    """Take part in all of them."""
    torch.set_num_threads(1)
    training.choose_precision = exact
    for wanted in json.loads((directory / "trainings.json").read_text(encoding="utf-8")):
        do(directory, wanted, rank)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
