import math
from pathlib import Path

import pytest
import torch
from torch import nn

from aigc_models import training
from aigc_models.base import Diverged


def small_net(seed: int = 0) -> nn.Module:
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    training.initialise(net, training.seeded(seed, "weights"))
    return net


def test_initialisation_depends_on_its_own_generator_alone() -> None:
    first = small_net().state_dict()
    torch.manual_seed(99)
    second = small_net().state_dict()
    other = small_net(1).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
    assert first["3.bias"].abs().max() == 0


def test_streams_of_one_seed_differ() -> None:
    draws = [torch.randn(4, generator=training.seeded(3, name)) for name in ("a", "b", "ab", "ba")]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4


def test_item_noise_depends_on_its_own_seed() -> None:
    many = training.item_noise([5, 6, 7], 8)
    assert torch.equal(many[1], training.item_noise([6], 8)[0])
    assert training.item_noise([], 8).shape == (0, 8)


def test_precision_is_the_same_each_time() -> None:
    assert training.choose_precision("cpu") == training.choose_precision("cpu")
    precision = training.Precision("bfloat16", "cpu")
    with precision.autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.bfloat16
    with training.Precision("float32", "cpu").autocast():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


def test_ema_halves_the_distance_in_a_half_life() -> None:
    source, copy = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.zeros_(source.weight)
    ema = training.Ema(source, copy, half_life=20)
    nn.init.ones_(source.weight)
    for _ in range(20):
        ema.update(step=1_000_000)
    assert copy.weight.item() == pytest.approx(0.5, abs=1e-5)


def test_ema_copies_running_statistics() -> None:
    source, copy = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    ema = training.Ema(source, copy, half_life=5)
    source(torch.randn(8, 2))
    ema.update(step=0)
    assert torch.equal(ema.module.state_dict()["running_mean"], source.state_dict()["running_mean"])


def test_batches_see_every_row_once_a_pass() -> None:
    batches = training.Batches(10, 4, training.seeded(0))
    rows = torch.cat([batches.next() for _ in range(5)])
    assert sorted(rows[:10].tolist()) == list(range(10))
    assert sorted(rows[10:].tolist()) == list(range(10))


def step(net: nn.Module, optimiser: torch.optim.Optimizer, batches: training.Batches, data: torch.Tensor) -> None:
    loss = net(data[batches.next()]).square().mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def build() -> tuple[nn.Module, training.Ema, training.Batches, torch.optim.Optimizer, training.TrainingState]:
    net, generator = small_net(), training.seeded(0, "data")
    ema = training.Ema(net, small_net(1), 3)
    batches = training.Batches(10, 4, generator)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2, fused=True)
    state = training.TrainingState(
        {"net": net, "ema": ema.module},
        {"adam": optimiser, "batches": batches},
        {"data": generator},
        {"precision": "float32"},
    )
    return net, ema, batches, optimiser, state


def test_a_resumed_training_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    data = torch.randn(10, 1, 8, 8, generator=training.seeded(5))
    net, ema, batches, optimiser, state = build()
    for index in range(7):
        step(net, optimiser, batches, data)
        ema.update(index)
        if index == 3:
            state.save(tmp_path, index + 1)
    again, ema2, batches2, optimiser2, state2 = build()
    state2.plain["precision"] = "wrong"
    done = state2.load(tmp_path)
    assert (done, state2.plain) == (4, {"precision": "float32"})
    for index in range(done, 7):
        step(again, optimiser2, batches2, data)
        ema2.update(index)
    for mine, theirs in ((net, again), (ema.module, ema2.module)):
        assert all(
            torch.equal(a, b) for a, b in zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True)
        )


def test_a_state_with_nan_is_never_kept(tmp_path: Path) -> None:
    """It is what a diverged training would go back to."""
    net, _, _, _, state = build()
    with torch.no_grad():
        next(net.parameters()).view(-1)[0] = math.nan
    with pytest.raises(Diverged):
        state.save(tmp_path / "checkpoint", 5)
    assert not (tmp_path / "checkpoint").exists()


def test_meter_gives_means_every_few_steps() -> None:
    meter = training.Meter(every=2)
    meter.add(8, loss=torch.tensor(1.0))
    assert meter.read(1) == {}
    meter.add(8, loss=torch.tensor(3.0))
    read = meter.read(2)
    assert read["loss"] == 2.0
    assert read["images_per_second"] > 0


def test_meter_stops_a_diverged_training() -> None:
    meter = training.Meter(every=1)
    meter.add(8, loss=torch.tensor(math.nan))
    with pytest.raises(Diverged) as caught:
        meter.read(3)
    assert caught.value.step == 3
    with pytest.raises(Diverged):
        training.check_finite(5, 1.0, torch.tensor(math.inf))


def test_frozen_lets_gradients_through() -> None:
    layer, x = nn.Linear(2, 1), torch.ones(1, 2, requires_grad=True)
    with training.frozen(layer):
        layer(x).sum().backward()
    assert layer.weight.grad is None
    assert x.grad is not None
    assert layer.weight.requires_grad


def test_one_thread_is_given_back() -> None:
    before = torch.get_num_threads()
    with training.one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before
