"""From the first step to the last: meter, validation, the best weights, previews, checkpoints, an early end."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from aigc_models import ranks, training
from aigc_models.accumulation import Parts
from aigc_models.base import Adjustments, Run
from aigc_models.writing.optimiser import Optimiser


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a training that the loop reads: its steps, its patience in checks, its seed, parts of a batch."""

    steps: int
    patience: int
    seed: int
    accumulation: int = 1


class Learner:
    """A training of a network of texts; a family adds its step, its validation and what it shows.

    Args:
        networks: The one in training, and one of the same kind that keeps the best weights.
        optimiser: Moves the first one's weights.
        settings: ``steps``, ``patience`` and ``seed`` of the training.
        device: Where it is trained.
        adjustments: How to go gentler about it.

    Attributes:
        unit: What its speed is called among the figures.
        counted: What it reads one after the other.
    """

    previews = 10  # in a whole training
    unit: ClassVar[str] = "tokens_per_second"
    counted: ClassVar[str] = "token"

    def __init__(
        self,
        networks: tuple[nn.Module, nn.Module],
        optimiser: Optimiser,
        settings: Settings,
        device: str,
        adjustments: Adjustments,
    ) -> None:
        self.network, self.best = networks[0].train(), networks[1].eval().requires_grad_(False)
        self.best.load_state_dict(self.network.state_dict())
        self.device, self.total, self.settings = device, settings.steps, settings
        self.optimiser, self.parts = optimiser, Parts(settings.accumulation * adjustments.micro_batches)
        self.meter = training.Meter(speed=self.unit)
        self.precision = training.choose_precision(device)
        self.order = training.seeded(settings.seed, "order")
        self.worked_on = 0
        self.state = training.TrainingState(
            modules={"network": self.network, "best": self.best},
            optimisers={"optimiser": optimiser, "meter": self.meter},
            generators={"order": self.order},
            plain={"precision": self.precision.name, "best_loss": math.inf, "best_step": 0},
        )

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step; returns losses."""
        raise NotImplementedError

    def validation_loss(self) -> float:
        """Nats per token on what is set aside."""
        raise NotImplementedError

    def sample(self) -> str:
        """What the network writes now, from fixed draws."""
        raise NotImplementedError

    @property
    def every(self) -> int:
        """Steps from one validation to the next."""
        return max(10, math.ceil(self.total / 40))

    @property
    def best_loss(self) -> float:
        """Nats per token of the best weights on what is set aside."""
        return float(self.state.plain["best_loss"])

    def resume(self, directory: Path) -> int:
        """Go on from a checkpoint, in the precision it was made with; returns the steps done."""
        done = self.state.load(directory)
        self.precision = training.Precision(self.state.plain["precision"], self.precision.device_type)
        return done

    def validate(self, step: int) -> dict[str, float]:
        """Measure the weights, and keep them if they are the best yet."""
        self.network.eval()
        loss = ranks.agreed(self.validation_loss)
        self.network.train()
        if loss < self.best_loss:
            self.state.plain |= {"best_loss": loss, "best_step": step}
            self.best.load_state_dict(self.network.state_dict())
        return {"validation_loss": loss}

    def is_done(self, step: int) -> bool:
        """Whether the training is over after so many steps."""
        waited = step - int(self.state.plain["best_step"])
        return step >= self.total or waited >= self.settings.patience * self.every


def run_steps(learner: Learner, run: Run, done: int) -> None:
    """Train until nothing gets better, or to the last step."""
    shown_every = max(1, learner.total // learner.previews)
    losses: dict[str, Tensor] = {}
    step = done
    while not learner.is_done(step):
        step += 1
        losses = learner.step(step)
        learner.meter.add(learner.worked_on, **losses)
        found = learner.meter.read(step)
        if step % learner.every == 0 or step == learner.total:
            training.check_finite(step, *losses.values())
            found |= learner.validate(step)
        run.report(step, learner.total, **found)
        if ranks.leads() and (step % shown_every == 0 or step == learner.total):
            preview(learner, run, step)
        run.checkpoint(step, lambda directory, step=step: learner.state.save(directory, step))  # type: ignore[misc]
    training.check_finite(step, *losses.values())
    if step < learner.total:
        run.log(f"Stopped after {step:,} of {learner.total:,} steps: nothing got better.")
    best = int(learner.state.plain["best_step"])
    run.log(f"The best step was {best:,}, with {learner.best_loss:.4f} nats per {learner.counted}.")


def preview(learner: Learner, run: Run, step: int) -> None:
    """Show what is written now; always from the same draws."""
    learner.network.eval()
    with torch.inference_mode():
        text = learner.sample()
    learner.network.train()
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "text.txt"
        path.write_text(text, encoding="utf-8")
        run.preview("text", step, path)
