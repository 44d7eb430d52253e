"""Two processes that train together learn what one process does that computes its batches in two parts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from aigc_models import ranks
from aigc_models.accumulation import Parts
from aigc_models.base import Adjustments
from aigc_models.ranks import Ranks
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.test_contract import train
from tests.aigc_models.tiny_images import tiny_set, write_set
from tests.aigc_models.tiny_texts import write_texts
from worker.runner_pool import RunnerSpec, environment

FAMILIES = {
    "image_gan": {"augmentation": "adaptive"},
    "image_vae": {},
    "text_transformer": {"optimiser": "muon"},
}


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models of two ranks, trained one family after the other by one start of two processes."""
    place = tmp_path_factory.mktemp("together")
    write_set(place / "images", tiny_set(side=12, count=80))
    write_texts(place / "texts")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--rdzv-backend=c10d",
        f"--rdzv-endpoint={place / 'meeting'}", "--rdzv-conf=store_type=file", "--monitor-interval=0.1",
        "--local-addr=localhost", "-m", "tests.aigc_models.rank_of_two", str(place), json.dumps(FAMILIES),
    ]  # fmt: skip
    own = environment(os.environ, RunnerSpec(environment={"GLOO_SOCKET_IFNAME": "lo"}))
    ran = subprocess.run(command, env=own, capture_output=True, text=True, check=False, timeout=150)
    assert ran.returncode == 0, ran.stderr[:6000]
    return place


@pytest.mark.parametrize("family", FAMILIES)
def test_two_processes_learn_what_one_does_in_two_parts(family: str, together: Path, tmp_path: Path) -> None:
    inputs = {"dataset": together / ("texts" if family.startswith("text") else "images")}
    alone = RecordingRun(tmp_path / "alone", inputs, adjustments=Adjustments(micro_batches=2))
    metrics = train(family, alone, **FAMILIES[family])
    told = json.loads((together / family / "metrics.json").read_text())
    assert told["steps"] == [list(step) for step in alone.steps]
    assert told["phases"] == alone.phases
    mine, theirs = (load_file(path / "model" / "weights.safetensors") for path in (alone.out_dir, together / family))
    apart = sum(float((mine[name].double() - theirs[name].double()).square().sum()) for name in mine)
    size = sum(float(weight.double().square().sum()) for weight in mine.values())
    assert (apart / size) ** 0.5 < 0.02
    for name, value in told["metrics"].items():
        assert value == pytest.approx(metrics[name], rel=0.1, abs=0.1), name


def test_every_row_is_computed_by_one_rank_or_by_all() -> None:
    for rows in range(1, 40):
        for count in range(1, 5):
            for ranked in range(1, 6):
                each = [Parts(count, Ranks(place, ranked)).mine(rows) for place in range(ranked)]
                covered = [row for parts in each for part in parts for row in range(rows)[part]]
                assert sorted(set(covered)) == list(range(rows))
                assert len(covered) in (rows, ranked * rows)


def test_nobody_else_means_nothing_is_exchanged() -> None:
    norm = nn.BatchNorm1d(2)
    parts = Parts()
    parts.soften(norm)
    assert parts.ranks == ranks.ALONE
    assert parts.ranks.agreed(1.5, "cpu") == 1.5
    weight = torch.ones(2)
    parts.ranks.add_up([weight])
    assert weight.tolist() == [1.0, 1.0]
