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


Pair = tuple[Trained, Trained]


def pair(family: str, dataset: Path) -> Pair:
    """A training by one process and by two ranks."""
    alone = Trained(f"{family}-1", family, {**SMALL[family], **SETTINGS[family]}, str(dataset), home=dataset.parent)
    return alone, replace(alone, name=f"{family}-2", params={**alone.params, "devices": 2}, ranks=2)


@pytest.fixture(scope="module")
def of_texts(tmp_path_factory: pytest.TempPathFactory) -> tuple[Trained, Trained, Trained]:
    """One by one process, by two ranks, and by two of which one goes on alone from the middle."""
    home = tmp_path_factory.mktemp("texts")
    alone, together = pair("text_transformer", write_texts(home / "texts"))
    half = replace(together, name="half", stop=HALF)
    saved = home / half.name / "saved-0" / f"step-{HALF:08d}"
    resumed = replace(alone, name="resumed", resume_from=str(saved))
    train(home, alone, together, half, resumed)
    return alone, together, resumed


@pytest.fixture(scope="module")
def of_others(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Pair]:
    """The same of the other families that several devices can train."""
    home = tmp_path_factory.mktemp("others")
    events, table = write_events(home / "events", tiny_events()), write_tables(home / "table", tiny_tables())
    made = {
        "sasrec": pair("sasrec", events),
        "mult_vae": pair("mult_vae", events),
        "table_vae": pair("table_vae", table),
    }
    train(home, *(one for both in made.values() for one in both))
    return made


def test_two_ranks_learn_what_one_process_learns(of_texts: tuple[Trained, Trained, Trained]) -> None:
    check_equal(*of_texts[:2])


def test_a_training_of_two_ranks_goes_on_alone(of_texts: tuple[Trained, Trained, Trained]) -> None:
    alone, _, resumed = of_texts
    assert same_weights(alone, resumed)


@pytest.mark.long
@pytest.mark.parametrize("family", ["sasrec", "mult_vae", "table_vae"])
def test_so_it_is_with_every_family_that_says_so(family: str, of_others: Mapping[str, Pair]) -> None:
    check_equal(*of_others[family])


def test_all_families_that_say_so_are_tested_here() -> None:
    trainings = [task for task in registry.tasks() if task.endswith(".train")]
    able = {task.split(".")[0] for task in trainings if "devices" in registry.task(task).model_fields}
    assert able - {"toy"} == set(SETTINGS)


def check_equal(alone: Trained, together: Trained) -> None:
    """See that they reported the same figures and ended with the same weights, up to rounding."""
    assert len(alone.curve) == len(together.curve) > 0
    for one, two in zip(alone.curve, together.curve, strict=True):
        assert two == pytest.approx(one, rel=1e-3, abs=1e-4)
    assert same_weights(alone, together)


def same_weights(one: Trained, two: Trained) -> bool:
    """Whether all weights are equal up to rounding."""
    expected, found = one.weights(), two.weights()
    assert expected.keys() == found.keys()
    return all(torch.allclose(found[name], value, rtol=1e-2, atol=2e-4) for name, value in expected.items())
