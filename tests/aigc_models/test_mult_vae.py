"""Mult-VAE: divergences against draws, the likelihood by hand, resuming, and that it learns what goes together."""

from pathlib import Path

import numpy as np
import pytest
import torch

from aigc_models import training
from aigc_models.base import Paused
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.mult_vae.networks import composite_kl, kl_to_normal, log_normal
from aigc_models.mult_vae.params import MultVaeTrain
from aigc_models.mult_vae.trainer import MultVaeTrainer
from aigc_models.recommending.trainer import Lesson
from aigc_models.standalone import newest_checkpoint
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.test_contract import IDS, train, weights
from tests.aigc_models.tiny_interactions import events, tiny_events, write_events


def test_the_divergence_is_the_mean_log_ratio() -> None:
    mean, log_variance = torch.tensor([[1.0, -0.5]]), torch.tensor([[0.3, -1.0]])
    z = mean + torch.randn(200_000, 2, generator=training.seeded(1)) * (0.5 * log_variance).exp()
    ratio = (log_normal(z, mean, log_variance) - log_normal(z, torch.zeros(2), torch.zeros(2))).sum(1).mean()
    assert float(kl_to_normal(mean, log_variance)) == pytest.approx(float(ratio), abs=0.02)


def test_the_composite_prior_mixes_three() -> None:
    z, mean, wide = torch.tensor([[0.5]]), torch.tensor([[1.0]]), torch.tensor([[10.0]])
    nothing = torch.zeros(1, 1)
    mixed = 0.15 * np.exp(-0.125) + 0.75 * np.exp(-0.125) + 0.10 * np.exp(-5 - 0.125 / np.exp(10))
    expected = -0.125 - np.log(mixed)
    assert float(composite_kl(z, (mean, nothing), (mean, nothing))) == pytest.approx(expected, rel=1e-5)
    assert float(log_normal(nothing, nothing, wide)) == -5


@pytest.mark.parametrize("settings", [{}, {"prior": "normal", "beta_by_user": False}])
def test_a_step_reports_the_multinomial_likelihood(settings: dict[str, object]) -> None:
    data = events([[0, 1], [0, 1, 2, 3]], items=4)
    params = MultVaeTrain(dataset=IDS["dataset"], hidden_dim=4, latent_dim=2, batch_size=2, **settings)  # type: ignore[arg-type]
    made = MultVaeTrainer(params, Lesson(data, "cpu"))
    for weight in made.network.parameters():
        torch.nn.init.zeros_(weight)
    figures = made.step(1)
    assert float(figures["reconstruction"]) == pytest.approx(3 * np.log(4), rel=1e-3), "3 items each, all alike"
    assert float(figures["kl"]) == pytest.approx(0, abs=0.5)


def test_options_resume_bit_for_bit(tmp_path: Path) -> None:
    """The composite prior's older encoder is part of the state."""
    params = MultVaeTrain(dataset=IDS["dataset"], hidden_dim=8, latent_dim=4, batch_size=8, prior="composite", epochs=4)
    whole, first, second = (MultVaeTrainer(params, Lesson(tiny_events(), "cpu")) for _ in range(3))
    for step in range(1, 13):
        whole.step(step)
    for step in range(1, 8):
        first.step(step)
    first.state.save(tmp_path, 7)
    for step in range(second.resume(tmp_path) + 1, 13):
        second.step(step)
    pairs = zip(whole.network.parameters(), second.network.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_it_learns_what_goes_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    shelves = [list(range(shelf * 12, shelf * 12 + 12)) for shelf in range(3)]
    lists = [rng.permutation(shelves[user % 3])[:9].tolist() for user in range(60)]
    dataset = write_events(tmp_path / "dataset", events(lists, items=36))
    run = RecordingRun(tmp_path / "out", {"dataset": dataset})
    figures = train("mult_vae", run, epochs=40, batch_size=16, hidden_dim=32, latent_dim=8, learning_rate=0.005)
    assert figures["ndcg10"] > 1.5 * figures["ndcg10_popularity"]
    assert figures["recall10"] > 0.9


def test_the_order_of_a_history_does_not_matter() -> None:
    params = MultVaeTrain(dataset=IDS["dataset"], hidden_dim=8, latent_dim=4)
    made = MultVaeTrainer(params, Lesson(tiny_events(), "cpu"))
    scores = made.recommender(made.average).score(ItemLists.of([[1, 2, 3], [3, 1, 2, 2]]))
    assert torch.allclose(scores[0], scores[1], atol=1e-6)


def test_it_learns_again_from_the_validation_events_and_goes_on_there_bit_for_bit(tmp_path: Path) -> None:
    """Whatever number of steps is best, the second training takes as many, and may be broken off."""
    dataset = write_events(tmp_path / "dataset", tiny_events())
    whole, broken = (RecordingRun(tmp_path / name, {"dataset": dataset}) for name in ("whole", "broken"))
    train("mult_vae", whole)
    first = next(place for place, (_, total) in enumerate(whole.steps) if total != whole.steps[0][1])
    assert whole.steps[first][0] == first + 1, "steps are counted on"
    assert whole.steps[-1][0] == whole.steps[-1][1]
    broken.checkpoints = tmp_path / "checkpoints"
    broken.after_step = lambda step: setattr(broken, "stopping", step == first + 2)
    with pytest.raises(Paused):
        train("mult_vae", broken)
    resumed = RecordingRun(tmp_path / "resumed", {"dataset": dataset})
    resumed.resume_from = newest_checkpoint(tmp_path / "checkpoints")
    train("mult_vae", resumed)
    assert all(torch.equal(value, weights(resumed)[name]) for name, value in weights(whole).items())
    once = RecordingRun(tmp_path / "once", {"dataset": dataset})
    train("mult_vae", once, refit=False)
    assert any(not torch.equal(value, weights(once)[name]) for name, value in weights(whole).items())
