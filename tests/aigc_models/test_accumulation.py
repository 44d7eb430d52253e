"""Batches in parts: the same gradients, the same draws, and one more try when the device has no room."""

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from aigc_models.accumulation import Figures, Parts, with_room
from aigc_models.base import Adjustments
from aigc_models.image_gan.plan import Plan
from aigc_models.image_gan.trainer import Recipe
from aigc_models.image_gan.trainer import Trainer as GanTrainer
from aigc_models.image_vae.params import ImageVaeTrain
from aigc_models.image_vae.trainer import Lesson, make_trainer
from aigc_models.training import Precision
from tests.aigc_models.tiny_images import tiny_set

LOSSES = ["relativistic", "non_saturating", "hinge", "wgan_gp"]


@given(st.integers(1, 300), st.integers(1, 9))
def test_parts_cover_a_batch_in_order_and_are_of_one_size(rows: int, count: int) -> None:
    parts = Parts(count).slices(rows)
    assert [row for part in parts for row in range(rows)[part]] == list(range(rows))
    sizes = [part.stop - part.start for part in parts]
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) <= count
    assert min(sizes) >= 2 or len(parts) == 1


def linear_loss(layer: nn.Linear, x: Tensor) -> Callable[[slice], tuple[Tensor, Figures]]:
    def loss(part: slice) -> tuple[Tensor, Figures]:
        error = layer(x[part]).square().mean()
        return error, {"error": error}

    return loss


def test_unequal_parts_are_weighted_by_their_share() -> None:
    x = torch.randn(7, 3)
    grads, errors = [], []
    for count in (1, 2, 3):
        torch.manual_seed(0)
        layer = nn.Linear(3, 1)
        figures = Parts(count).descend(torch.optim.SGD(layer.parameters(), lr=0.0), 7, linear_loss(layer, x))
        grads.append(layer.weight.grad)
        errors.append(figures["error"])
        assert not figures["error"].requires_grad
    assert grads[0] is not None
    for grad, error in zip(grads[1:], errors[1:], strict=True):
        torch.testing.assert_close(grad, grads[0])
        torch.testing.assert_close(error, errors[0])


def gradients(*modules: nn.Module) -> list[Tensor]:
    found = [p.grad for module in modules for p in module.parameters()]
    assert all(grad is not None for grad in found)
    return [grad for grad in found if grad is not None]


def vae(parts: int, **settings: Any) -> Any:
    """A VAE's trainer whose norms do not depend on the batch, and whose weights stand still."""
    params = ImageVaeTrain(
        dataset="ds_" + "0" * 26, batch_size=10, width=4, latent_dim=4, learning_rate=1e-12, free_bits=0.0, **settings
    )
    trainer = make_trainer(Lesson(params, tiny_set(), "cpu", Adjustments(micro_batches=parts)))
    trainer.precision = Precision("float32", "cpu")
    trainer.state.modules["networks"].eval()
    return trainer


@pytest.mark.parametrize("settings", [{"backbone": "mlp"}, {"backbone": "conv"}, {"prior": "tokens"}], ids=str)
def test_a_vae_has_the_same_gradients_in_parts(settings: dict[str, Any]) -> None:
    whole, halves = vae(1, **settings), vae(3, **settings)
    network = "autoencoder" if settings.get("prior") == "tokens" else ""
    losses = [trainer.step(1) for trainer in (whole, halves)]
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-4, atol=1e-4)
    one, other = (gradients(trainer.state.modules["networks"].get_submodule(network)) for trainer in (whole, halves))
    torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-4)


def test_a_prior_over_tokens_has_the_same_gradients_in_parts() -> None:
    found = []
    for parts in (1, 2):
        trainer = vae(parts, prior="tokens")
        trainer.step(trainer.stage_steps + 1)
        found.append(gradients(trainer.state.modules["networks"].prior))
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-5)


def gan(parts: int, loss: str, **more: Any) -> GanTrainer:
    recipe = Recipe(loss=loss, batch_size=8, penalty_every=1, steps=100, micro_batches=parts, **more)
    return GanTrainer(Plan("dcgan", 16, 1, 2, 4, 4, False), recipe, Precision("float32", "cpu"))


def gan_step(trainer: GanTrainer) -> dict[str, Tensor]:
    data = tiny_set()
    assert data.train_labels is not None
    return trainer.step(data.train[:8], data.train_labels[:8])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_gan_has_the_same_gradients_in_parts(loss: str) -> None:
    """Penalties included; only the generator's batch norms would differ, so they stand still here."""
    found, losses = [], []
    for parts in (1, 2, 4):
        trainer = gan(parts, loss, learning_rate=1e-12)
        trainer.generator.eval()
        losses.append(gan_step(trainer))
        found.append([gradients(trainer.discriminator), gradients(trainer.generator)])
    for more in (1, 2):
        torch.testing.assert_close(losses[more], losses[0], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[more], found[0], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("augmentation", ["strong", "adaptive"])
def test_both_turns_see_the_same_changes_and_as_much_is_drawn_as_for_a_whole_batch(augmentation: str) -> None:
    trainer = gan(2, "relativistic", augmentation=augmentation)
    trainer.chance = 1.0
    seen: dict[str, list[Tensor]] = {"_discriminate": [], "_fool": []}
    show = trainer._show

    def watched(batch: Any, part: slice) -> tuple[Tensor, Tensor]:
        shown = show(batch, part)
        seen["_fool" if len(seen["_discriminate"]) == 2 else "_discriminate"].append(shown[0])
        return shown

    trainer._show = watched  # type: ignore[method-assign]
    gan_step(trainer)
    torch.testing.assert_close(seen["_fool"], seen["_discriminate"])
    assert torch.equal(trainer._noise.get_state(), _after_one_whole_step())


def _after_one_whole_step() -> Tensor:
    trainer = gan(1, "relativistic")
    gan_step(trainer)
    return trainer._noise.get_state()


def most_saved(work: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> int:
    """Bytes that the graph of the largest backward pass holds."""
    held, most = 0, 0
    backward: Callable[[Tensor], None] = Tensor.backward

    def keep(tensor: Tensor) -> Tensor:
        nonlocal held
        held += tensor.nbytes
        return tensor

    def measured(self: Tensor) -> None:
        nonlocal held, most
        most, held = max(most, held), 0
        backward(self)

    with monkeypatch.context() as patch, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        patch.setattr(Tensor, "backward", measured)
        work()
    return most


@pytest.mark.parametrize("make", [lambda parts: vae(parts).step(1), lambda parts: gan_step(gan(parts, "wgan_gp"))])
def test_a_part_holds_less_than_a_batch(make: Callable[[int], object], monkeypatch: pytest.MonkeyPatch) -> None:
    whole, halves, quarters = (most_saved(lambda: make(parts), monkeypatch) for parts in (1, 2, 4))  # noqa: B023
    assert halves < 0.75 * whole
    assert quarters < 0.5 * whole


class OneFailure:
    """A module's forward pass that finds no room at one of its calls."""

    def __init__(self, module: nn.Module, at: int) -> None:
        self.calls, self.at = 0, at
        module.register_forward_pre_hook(self)

    def __call__(self, *_: Any) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_step_that_found_no_room_is_done_once_more_as_if_nothing_had_been(parts: int, at: int) -> None:
    """The calls of the discriminator: judging, the penalty, and two in the generator's turn."""
    calm, broken = (gan(parts, "relativistic", augmentation="strong") for _ in range(2))
    OneFailure(broken.discriminator, at)
    losses = [[gan_step(trainer) for _ in range(2)] for trainer in (calm, broken)]
    assert losses[0] == losses[1]
    for mine, theirs in ((calm.generator, broken.generator), (calm.discriminator, broken.discriminator)):
        assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))


def test_a_vae_that_found_no_room_goes_on_as_if_nothing_had_been() -> None:
    calm, broken = vae(1), vae(1)
    OneFailure(broken.state.modules["networks"].decoder, 1)
    assert calm.step(1) == broken.step(1)
    assert calm.step(2) == broken.step(2)


def test_what_the_first_try_held_is_gone_before_the_second() -> None:
    held: list[weakref.ref[Tensor]] = []

    def work() -> bool:
        if held:
            return held[0]() is None
        large = torch.ones(8)
        held.append(weakref.ref(large))
        raise torch.OutOfMemoryError

    assert with_room(work)


def test_a_second_failure_is_told_and_changes_nothing() -> None:
    layer = nn.Linear(2, 1)
    before = layer.weight.clone()

    def loss(_: slice) -> tuple[Tensor, Figures]:
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        Parts(2).descend(torch.optim.SGD(layer.parameters(), lr=1.0), 4, loss)
    assert torch.equal(layer.weight, before)


@pytest.mark.parametrize("passes", [1, 2])
def test_running_statistics_move_as_far_as_with_a_whole_batch(passes: int) -> None:
    x = torch.cat([torch.tensor([[1.0], [3.0]])] * 2)
    whole, parts = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    Parts(1).soften(whole, passes)
    Parts(2).soften(parts, passes)
    for _ in range(3):
        whole(x)
        for _ in range(passes):
            for half in x.chunk(2):
                parts(half)
    assert whole.momentum == 0.1
    assert whole.running_mean is not None
    torch.testing.assert_close(parts.running_mean, whole.running_mean)
