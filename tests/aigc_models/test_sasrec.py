"""SASRec: nothing looks ahead, windows lose no target, both losses agree, and it learns what follows what."""

from pathlib import Path

import numpy as np
import pytest
import torch

from aigc_models import training
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.recommending.trainer import Lesson
from aigc_models.recommending.windows import Windows
from aigc_models.sasrec.networks import Sasrec
from aigc_models.sasrec.params import SasrecTrain
from aigc_models.sasrec.plan import Plan
from aigc_models.sasrec.trainer import SasrecTrainer
from aigc_models.sasrec.using import SasrecRecommender
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.test_contract import IDS, train
from tests.aigc_models.tiny_interactions import tiny_events, write_events


@pytest.fixture
def network() -> Sasrec:
    made = Sasrec(Plan(items=9, width=8, num_layers=2, num_heads=2, max_length=6))
    training.initialise(made, training.seeded(1))
    with torch.no_grad():  # far from where nothing matters
        for weight in made.parameters():
            weight.mul_(20).add_(0.01)
    return made.eval()


def test_a_later_item_never_changes_an_earlier_score(network: Sasrec) -> None:
    first = torch.tensor([[9, 1, 2, 3, 4, 5]])
    scores = network.scores(network(first))
    for place in range(1, 6):
        changed = first.clone()
        changed[0, place] = 8
        others = network.scores(network(changed))
        assert torch.equal(scores[0, :place], others[0, :place]), "something looked ahead"
        assert not torch.allclose(scores[0, place], others[0, place])


def test_what_is_missing_at_the_front_changes_nothing(network: Sasrec) -> None:
    recommender = SasrecRecommender(network, "cpu")
    alone = recommender.score(ItemLists.of([[3, 4]]))
    beside = recommender.score(ItemLists.of([[3, 4], [1, 2, 3, 4, 5]]))
    assert torch.allclose(alone[0], beside[0], atol=1e-5)
    long = recommender.score(ItemLists.of([[7, 7, 7, 1, 2, 3, 4, 5, 6]]))
    assert torch.equal(long, recommender.score(ItemLists.of([[1, 2, 3, 4, 5, 6]]))), "only the newest count"


def test_attention_sums_to_one_and_leaves_out_what_is_missing(network: Sasrec) -> None:
    seen = SasrecRecommender(network, "cpu").attention(ItemLists.of([[3, 4], [1, 2, 3, 4, 5]]))
    assert torch.allclose(seen.sum(1), torch.ones(2))
    assert (seen[0, :3] == 0).all()


@pytest.mark.parametrize("length", [3, 4, 100])
def test_windows_have_every_event_but_the_first_as_a_target_once(length: int) -> None:
    lists = ItemLists.of([[0, 1, 2, 3, 4, 5, 6, 7], [], [8], [9, 10]])
    windows = Windows.over(lists, length)
    rows = np.arange(len(windows.row))
    inputs, targets = windows.cut(rows, np.zeros_like(rows), length)
    assert sorted(targets[targets >= 0].tolist()) == [1, 2, 3, 4, 5, 6, 7, 10]
    assert torch.equal(inputs[targets >= 0], targets[targets >= 0] - 1)
    _, later = windows.cut(rows, np.full_like(rows, length - 1), length)
    assert set(later[later >= 0].tolist()) <= {1, 2, 3, 4, 5, 6, 7, 10}, "no window leaves its history"


def trainer(**settings: float | str) -> SasrecTrainer:
    chosen = {"width": 8, "max_length": 8, "dropout": 0.0, **settings}
    params = SasrecTrain(dataset=IDS["dataset"], **chosen)  # type: ignore[arg-type]
    made = SasrecTrainer(params, Lesson(tiny_events(), "cpu"))
    made.precision = training.Precision("float32", "cpu")
    return made


def test_a_sampled_loss_is_near_the_full_one() -> None:
    full, sampled = trainer(loss="full"), trainer(loss="sampled", negatives=23)
    losses = [float(one.step(1)["loss"]) for one in (full, sampled)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    drawn = [trainer(loss="sampled", negatives=4, seed=seed) for seed in range(3)]
    assert all(one.step(1)["loss"].isfinite() for one in drawn)


def test_it_learns_what_follows_what(tmp_path: Path) -> None:
    dataset = write_events(tmp_path / "dataset", tiny_events(users=60))
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    figures = train("sasrec", run, epochs=40, batch_size=16, width=16, learning_rate=0.01, dropout=0.0)
    assert figures["hr10"] > 0.95, "one of the next two places of a circle comes next"
    assert figures["ndcg10"] > 2 * figures["ndcg10_popularity"]
