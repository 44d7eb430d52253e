"""From the first step to the last: meter, validation, the best weights, previews, checkpoints, an early end."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from aigc_models import ranks, training
from aigc_models.base import Run
from aigc_models.data.interaction_splits import VALIDATION, ItemLists, Queries, Split
from aigc_models.recommending.evaluation import figures, never_had, some_of
from aigc_models.recommending.lists import best_items
from aigc_models.recommending.trainer import Recommender, Trainer

_MOST_VALIDATED, _VALIDATIONS, _PREVIEWS = 2_000, 100, 10
_SHOWN_USERS, _SHOWN_ITEMS, _SHOWN_EVENTS = 3, 5, 3


@dataclass(slots=True)
class Keeper:
    """Watches a training and keeps its best weights.

    Attributes:
        trainer: The training.
        best: A network of the same kind, which holds the weights with the best validation figure.
        queries: The validation events.
        cold: Items nobody in the training part has, bool (I,).
        patience: Passes without a better figure after which it ends.
        split: Where titles and names are found for previews.
        planned: Steps that are shown as the total.
    """

    trainer: Trainer
    best: nn.Module
    queries: Queries
    cold: NDArray[np.bool_]
    patience: int
    split: Split
    planned: int

    @classmethod
    def over(cls, trainer: Trainer, best: nn.Module, split: Split, patience: int, planned: int) -> "Keeper":
        """Watch a training; what was best until now becomes part of its state."""
        queries = some_of(split.queries(VALIDATION), _MOST_VALIDATED, 0)
        items = len(split.data.item_names)
        best.to(trainer.device)
        best.load_state_dict(trainer.average.state_dict())
        trainer.state.modules["best"] = best
        trainer.state.plain |= {"best_figure": -1.0, "best_step": 0}
        return cls(trainer, best, queries, never_had(ItemLists.by_user(split.train), items), patience, split, planned)

    @property
    def best_figure(self) -> float:
        """NDCG@10 of the best weights on the validation events."""
        return float(self.trainer.state.plain["best_figure"])

    def is_done(self, step: int) -> bool:
        """Whether the training is over after so many steps."""
        waited = step - int(self.trainer.state.plain["best_step"])
        return step >= self.trainer.total or waited >= self.patience * self.trainer.epoch_steps

    def validate(self, step: int, run: Run) -> dict[str, float]:
        """Measure the averaged weights, and keep them if they are the best yet."""
        found = ranks.agreed(lambda: self._figure(run))
        if found > self.best_figure:
            self.trainer.state.plain |= {"best_figure": found, "best_step": step}
            self.best.load_state_dict(self.trainer.average.state_dict())
        return {"validation_ndcg10": found}

    def _figure(self, run: Run) -> float:
        """NDCG@10 of the averaged weights."""
        return figures(self.trainer.recommender(self.trainer.average), self.queries, self.cold, run)["ndcg10"]

    def recommender(self) -> Recommender:
        """The best weights, ready to use."""
        return self.trainer.recommender(self.best)


def run_steps(keeper: Keeper, run: Run, done: int) -> int:
    """Train until nothing gets better, or to the last step; returns the steps taken in all."""
    trainer = keeper.trainer
    # Small trainings validate each pass; long ones a hundred times in all.
    every = trainer.epoch_steps * max(1, math.ceil(trainer.total / trainer.epoch_steps / _VALIDATIONS))
    shown_every = max(1, trainer.total // _PREVIEWS)
    losses: dict[str, Tensor] = {}
    step = done
    while not keeper.is_done(step):
        step += 1
        losses = trainer.step(step)
        trainer.meter.add(trainer.worked_on, **losses)
        found = trainer.meter.read(step)
        if step % every == 0 or step == trainer.total:
            training.check_finite(step, *losses.values())
            found |= keeper.validate(step, run)
        run.report(step, keeper.planned, **found)
        if ranks.leads() and (step % shown_every == 0 or step == trainer.total):
            preview(keeper, run, step)
        run.checkpoint(step, lambda directory, step=step: trainer.state.save(directory, step))  # type: ignore[misc]
    training.check_finite(step, *losses.values())
    epoch, reached = trainer.state.plain["best_step"] / trainer.epoch_steps, step / trainer.epoch_steps
    if step < trainer.total:
        run.log(f"Stopped after {reached:.0f} of {trainer.total / trainer.epoch_steps:.0f} passes: nothing got better.")
    run.log(f"The best pass was {epoch:.0f}, with NDCG@10 {keeper.best_figure:.4f} on the validation events.")
    return step


def preview(keeper: Keeper, run: Run, step: int) -> None:
    """Show what three users would be recommended now; always the same three."""
    count = len(keeper.queries)
    chosen = np.unique(np.linspace(0, count - 1, _SHOWN_USERS).astype(np.int64))
    text = sample_text(keeper.trainer.recommender(keeper.trainer.average), keeper, chosen)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "recommendations.txt"
        path.write_text(text, encoding="utf-8")
        run.preview("recommendations", step, path)


def sample_text(recommender: Recommender, keeper: Keeper, chosen: NDArray[np.int64]) -> str:
    """What some of the validation's users had last, and what they would be recommended."""
    some, data = keeper.queries.take(chosen), keeper.split.data
    found = best_items(recommender, some.histories, ~keeper.cold, _SHOWN_ITEMS)
    lines = []
    for row, (user, items) in enumerate(zip(some.users, found, strict=True)):
        last = some.histories[row][-_SHOWN_EVENTS:]
        lines.append(f"{data.user_names[user]}: … {', '.join(_called(keeper, item) for item in last)}")
        lines += [f"  {place}. {_called(keeper, item)}" for place, (item, _) in enumerate(items, 1)]
    return "\n".join(lines) + "\n"


def _called(keeper: Keeper, item: int) -> str:
    data = keeper.split.data
    return data.item_titles[item] or data.item_names[item]
