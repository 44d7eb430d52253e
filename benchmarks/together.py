"""Several processes that train one network together, beside one process, in one run.

``python -m benchmarks.together``: the same text transformer learns the same batches alone and by two ranks on the CPU
(Gloo), one thread each, in turns. The last line is JSON.

- ``speedup``: steps a second of the ranks together over those of one process, medians of the rounds.
- ``loss_gap``: the largest difference of a reported loss between the two, as a share of the loss.

On two cores the ranks share what one process with two threads would have; this shows what the exchange of gradients
costs, not what a second GPU brings.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aigc_models.standalone import LocalRun, open_dataset, perform
from aigc_models.text_transformer.params import TextTransformerTrain

WARM = 5  # steps that are not counted
SIZE: Mapping[str, Any] = {
    "width": 256,
    "num_layers": 4,
    "context": 128,
    "batch_size": 16,
    "vocabulary": 1024,
    "patience": 1000,
}


class Enough(Exception):
    """All steps that count are done."""


@dataclass
class Watch:
    """Notes when each step was done, and ends the training after the last."""

    last: int
    times: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)

    def report(self, step: int, total: int, metrics: Mapping[str, float]) -> None:
        """Take in a step."""
        self.times.append(time.perf_counter())
        if "loss" in metrics:
            self.losses.append(metrics["loss"])
        if step >= self.last or step >= total:
            raise Enough

    @property
    def steps_per_second(self) -> float:
        """The speed after the first steps."""
        return (len(self.times) - WARM) / (self.times[-1] - self.times[WARM - 1])


def main() -> None:
    """Measure in turns and print, or take part as one rank."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=24, help="steps of a training; fewer than its first validation")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rank", type=int, help="take part, as this one")
    parser.add_argument("--home", type=Path, help="directory of a training that this process takes part in")
    options = parser.parse_args()
    if options.rank is not None:
        take_part(options.home, options.rank, options.ranks, options.steps)
        return
    with tempfile.TemporaryDirectory(prefix="aigctogether") as directory:
        home = Path(directory)
        open_dataset("synthetic-products", home / "data", LocalRun(home / "import"))
        speeds: dict[int, list[float]] = {1: [], options.ranks: []}
        losses: dict[int, list[float]] = {}
        for round_ in range(options.rounds):
            for ranks in speeds:
                found = train(home, f"round-{round_}-{ranks}", ranks, options.steps)
                speeds[ranks].append(found["speed"])
                losses[ranks] = found["losses"]
                print(f"round {round_}: {ranks} rank(s) {found['speed']:.2f} steps/s", flush=True)
    alone, together = (statistics.median(speeds[count]) for count in (1, options.ranks))
    gap = max(abs(one - two) / abs(one) for one, two in zip(losses[1], losses[options.ranks], strict=True))
    said = {"speedup": round(together / alone, 2), "alone_per_s": round(alone, 2), "together_per_s": round(together, 2)}
    print(json.dumps({**said, "loss_gap": round(gap, 5), "ranks": options.ranks, "cpus": os.cpu_count()}))


def train(home: Path, name: str, ranks: int, steps: int) -> dict[str, Any]:
    """One training by so many processes."""
    (home / name).mkdir()
    command = [sys.executable, "-m", "benchmarks.together", "--home", str(home / name), f"--steps={steps}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen([*command, f"--ranks={ranks}", f"--rank={rank}"], env=environment) for rank in range(ranks)
    ]
    if any(process.wait() for process in processes):
        raise SystemExit("a rank failed")
    found: dict[str, Any] = json.loads((home / name / "found.json").read_text(encoding="utf-8"))
    return found


def take_part(home: Path, rank: int, count: int, steps: int) -> None:
    """Be one of the ranks."""
    import torch

    from aigc_models import ranks

    torch.set_num_threads(1)
    if count > 1:
        ranks.join(ranks.Meeting(home / "meeting", rank, ["cpu"] * count, 300.0))
    watch = Watch(steps)
    run = LocalRun(home / f"{rank}", {"dataset": home.parent / "data" / "dataset"}, on_report=watch.report)
    params = TextTransformerTrain(dataset="ds_" + "0" * 26, steps=1000, devices=count, **SIZE)
    try:
        perform("text_transformer", "train", params, run)
    except Enough:
        if rank == 0:
            told = {"speed": watch.steps_per_second, "losses": watch.losses}
            (home / "found.json").write_text(json.dumps(told), encoding="utf-8")
    ranks.leave()


if __name__ == "__main__":
    main()
