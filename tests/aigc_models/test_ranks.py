"""Several processes train together: each on its rows of every batch, and what is learnt is what one process learns."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from aigc_models import registry
from aigc_models.standalone import newest_checkpoint
from aigc_models.training import read_state
from tests.aigc_models.test_contract import SMALL
from tests.aigc_models.tiny_interactions import tiny_events, write_events
from tests.aigc_models.tiny_tables import tiny_tables, write_tables
from tests.aigc_models.tiny_texts import write_texts

# Batches that two cannot share evenly; without dropout, whose draws depend on the parts of a batch.
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "text_transformer": {"batch_size": 5},
    "sasrec": {"batch_size": 7, "dropout": 0.0},
    "mult_vae": {"batch_size": 7, "dropout": 0.5},
    "table_vae": {"batch_size": 15},
}
STOP, HALF = 12, 6


@dataclass
class Trained:
    """What the ranks are to train, and what rank 0 left."""

    name: str
    family: str
    params: Mapping[str, Any]
    dataset: str
    ranks: int = 1
    parts: int = 1
    stop: int = STOP
    resume_from: str = ""
    home: Path = field(default=Path(), compare=False)

    @property
    def curve(self) -> list[dict[str, float]]:
        """The figures it reported, without speeds."""
        points = json.loads((self.home / self.name / "curve-0.json").read_text(encoding="utf-8"))
        return [{name: value for name, value in point.items() if "per_second" not in name} for point in points]

    def weights(self, rank: int = 0) -> dict[str, torch.Tensor]:
        """The weights it had at the end, by file and name."""
        saved = newest_checkpoint(self.home / self.name / f"saved-{rank}")
        assert saved is not None
        assert read_state(saved)["step"] == self.stop
        files = sorted(saved.glob("*.safetensors"))
        return {f"{file.stem} {name}": value for file in files for name, value in load_file(file).items()}


def train(home: Path, *trainings: Trained) -> None:
    """Do all of it with as many processes as the largest needs."""
    told = [{name: str(value) if isinstance(value, Path) else value for name, value in asdict(one).items()}
            for one in trainings]  # fmt: skip
    home.mkdir(exist_ok=True)
    (home / "trainings.json").write_text(json.dumps(told), encoding="utf-8")
    command = [sys.executable, "-m", "tests.aigc_models.rank_trainings", str(home)]
    with ExitStack() as stack:
        processes = [
            stack.enter_context(subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE))
            for rank in range(max(one.ranks for one in trainings))
        ]
        said = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(said)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Trained]:
    """A training of each family that several devices can do, alone and by two ranks."""
    home = tmp_path_factory.mktemp("ranks")
    datasets = {
        "text": write_texts(home / "texts"),
        "interactions": write_events(home / "events", tiny_events()),
        "table": write_tables(home / "table", tiny_tables()),
    }
    made = dict[tuple[str, int], Trained]()
    for family, changed in SETTINGS.items():
        kind = registry.task(f"{family}.train").model_json_schema()["properties"]["dataset"]["x-kind"]
        for count in (1, 2):
            params = {**SMALL[family], **changed, "devices": count}
            made[family, count] = Trained(f"{family}-{count}", family, params, str(datasets[kind]), count, home=home)
    text = made["text_transformer", 2]
    half = replace(text, name="half", stop=HALF)
    saved = home / half.name / "saved-0" / f"step-{HALF:08d}"
    made["resumed", 1] = replace(made["text_transformer", 1], name="resumed", resume_from=str(saved))
    train(home, *list(made.values())[:-1], half, made["resumed", 1])
    return made


@pytest.mark.parametrize("family", SETTINGS)
def test_two_ranks_learn_what_one_process_learns(family: str, trained: dict[tuple[str, int], Trained]) -> None:
    alone, together = trained[family, 1], trained[family, 2]
    assert len(alone.curve) == len(together.curve) > 0
    for one, two in zip(alone.curve, together.curve, strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-4)
    expected, found = alone.weights(), together.weights()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-2, atol=2e-4), name


def test_a_training_of_two_ranks_goes_on_alone(trained: dict[tuple[str, int], Trained]) -> None:
    expected, found = trained["text_transformer", 1].weights(), trained["resumed", 1].weights()
    for name, value in expected.items():
        assert torch.allclose(found[name], value, rtol=1e-2, atol=2e-4), name
