"""``python -m worker.rank``: one of several processes that train a network together, started by the runner.

It does what the runner does, on its share of every batch, and keeps nothing: it reports no progress, writes no
checkpoint and leaves when the training is over.
"""

import argparse
import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from aigc_models import ranks
from aigc_models.base import Phase
from worker import failures, linux
from worker.calls import model_module, read_params, workplace
from worker.mates import meet
from worker.protocol import Writer

T = TypeVar("T")


class Over(BaseException):
    """The training is over; no error, and nothing that model code could catch by accident."""


class SilentRun:
    """The run of a rank other than 0.

    Args:
        job: What the runner was given.
        rank: This one's number.
    """

    def __init__(self, job: dict[str, Any], rank: int) -> None:
        place = workplace(job)
        self.device: str = job["devices"][rank]
        self.inputs, self.resume_from, self.adjustments = place.inputs, place.resume_from, place.adjustments
        self.out_dir = place.scratch / f"rank-{rank}"

    def phase(self, name: Phase) -> None:
        """End where the evaluation begins, which rank 0 does alone."""
        if name == "evaluating":
            ranks.leave()
            raise Over

    def report(self, step: int, total: int, **metrics: float) -> None:
        """Rank 0 reports."""

    def preview(self, name: str, step: int, path: Path) -> None:
        """Rank 0 shows."""

    def checkpoint(self, step: int, write: Callable[[Path], None]) -> None:
        """Rank 0 saves."""

    def log(self, message: str) -> None:
        """Rank 0 speaks."""

    def warm(self, source: Path, load: Callable[[Path], T]) -> T:
        """Load it: nothing stays here."""
        return load(source)


def train(job: dict[str, Any], rank: int, events: Writer) -> None:
    """Take part until the training is over."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        meet(job, rank)
        getattr(model_module(job["family"]), job["operation"])(read_params(job), SilentRun(job, rank))
    except Over:
        return
    except Exception as error:  # noqa: BLE001 - whatever model code raises, the runner says so
        traceback.print_exception(error)
        sys.stderr.flush()
        events.send("end", **failures.from_exception(error).as_message())


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="worker.rank", description="Started by a worker, not by hand.")
    parser.add_argument("--orders", type=Path, required=True)
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args(sys.argv[1:] if arguments is None else arguments)
    linux.die_with_parent(options.parent)
    linux.be_killed_first()
    linux.keep_freed_memory()
    os.set_inheritable(options.events, False)
    train(json.loads(options.orders.read_text(encoding="utf-8")), options.rank, Writer(options.events))


if __name__ == "__main__":
    main()
