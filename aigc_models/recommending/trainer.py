"""What both families' trainings have: batches, precision, an average of the weights, and how they are kept."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import PartLoss, Parts
from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.data.interaction_splits import ItemLists
from aigc_models.data.interactions import Interactions

_WARM_UP_STEPS = 100


class Recommender(Protocol):
    """A trained network, ready to use."""

    def score(self, histories: ItemLists) -> Tensor:
        """A number for each item, the higher the likelier it comes next; float32 (B, I) on the CPU."""


class Settings(Protocol):
    """The settings that both families' trainings have."""

    @property
    def seed(self) -> int:
        """What starts all random draws."""

    @property
    def epochs(self) -> int:
        """Passes over all rows."""

    @property
    def batch_size(self) -> int:
        """Rows of a step."""

    @property
    def learning_rate(self) -> float:
        """Largest step size."""

    @property
    def weight_decay(self) -> float:
        """How strongly weights are drawn towards zero."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt from, where, and how gently."""

    train: Interactions
    device: str
    adjustments: Adjustments = UNADJUSTED

    @property
    def items(self) -> int:
        """Items of the catalogue, also those that nobody had yet."""
        return len(self.train.item_names)


class Trainer:
    """The state of a training; a family adds its step.

    Args:
        lesson: Data and device.
        settings: The settings both families have.
        networks: The one in training, drawn anew here from the seed, and one of the same kind that follows it.
        rows: Rows that batches are made of.
    """

    unit = "events_per_second"

    def __init__(self, lesson: Lesson, settings: Settings, networks: tuple[nn.Module, nn.Module], rows: int) -> None:
        network, average = networks
        self.learnt = ItemLists.by_user(lesson.train)
        self.device = lesson.device
        self._learning_rate = settings.learning_rate * lesson.adjustments.learning_rate_factor
        self._parts = Parts(lesson.adjustments.micro_batches)
        training.initialise(network, training.seeded(settings.seed, "weights"))
        network.to(self.device).train()
        batch_size = min(settings.batch_size, rows)
        self.epoch_steps = max(1, math.ceil(rows / batch_size))
        self.total, self.worked_on = settings.epochs * self.epoch_steps, 0
        order = training.seeded(settings.seed, "order")
        self.batches, self.meter = training.Batches(rows, batch_size, order), training.Meter(speed=self.unit)
        self.precision = training.choose_precision(self.device)
        self._follow = training.Ema(network, average.to(self.device), half_life=min(self.total / 20, self.epoch_steps))
        self._adam = torch.optim.AdamW(
            network.parameters(), betas=(0.9, 0.98), weight_decay=settings.weight_decay, fused=True
        )
        self.network, self.average = network, average
        self.state = training.TrainingState(
            modules={"network": network, "average": average},
            optimisers={"adam": self._adam, "batches": self.batches, "meter": self.meter},
            generators={"order": order},
            plain={"precision": self.precision.name},
        )

    def resume(self, directory: Path) -> int:
        """Go on from a checkpoint, in the precision it was made with; returns the steps done."""
        done = self.state.load(directory)
        self.precision = training.Precision(self.state.plain["precision"], self.precision.device_type)
        return done

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step; returns losses."""
        raise NotImplementedError

    def recommender(self, network: nn.Module) -> Recommender:
        """A network of this family, ready to use."""
        raise NotImplementedError

    def descend(self, rows: int, step: int, loss: PartLoss) -> dict[str, Tensor]:
        """Move the weights one step down a loss, and their average after them."""
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._learning_rate, step, self.total)
        figures = self._parts.descend(self._adam, rows, loss)
        self._follow.update(step)
        return figures


def learning_rate(largest: float, step: int, total: int) -> float:
    """Up over the first steps, then down to a tenth along half a cosine."""
    warm = min(_WARM_UP_STEPS, total // 10)
    if step <= warm:
        return largest * step / max(warm, 1)
    progress = (step - warm) / max(total - warm, 1)
    return largest * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


@contextmanager
def drawing(seed: int, step: int, row: int) -> Iterator[None]:
    """Inside, dropout draws from a seed of its own for each step and part of a batch; the global state stays.

    So a training goes on bit for bit after any step, and a part that is computed again draws the same.
    """
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(training.seeded(seed, f"dropout {step} {row}").initial_seed())
        yield
