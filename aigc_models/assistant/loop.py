"""From the first step to the last: validation, the best weights, previews, checkpoints, an early end."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from aigc_models import training
from aigc_models.assistant.lesson import TRAIN, VALIDATION, Lesson, Question
from aigc_models.assistant.networks import Encoder
from aigc_models.assistant.searching import Encoding, Searched
from aigc_models.assistant.trainer import AssistantTrainer
from aigc_models.base import Run
from aigc_models.retrieval.index import Floats, Groups, ranks
from aigc_models.retrieval.tokens import words

_MOST_VALIDATED, _SHOWN, _VALIDATIONS = 1_000, 3, 40


def drawn(questions: list[Question], most: int, seed: int) -> list[Question]:
    """The questions, or as many of them drawn at random."""
    if len(questions) <= most:
        return questions
    chosen = np.sort(np.random.default_rng([seed, 2]).permutation(len(questions))[:most])
    return [questions[place] for place in chosen]


@dataclass(slots=True)
class Keeper:
    """Watches a training and keeps its best weights.

    Attributes:
        trainer: The training.
        best: A network of the same kind, which holds the weights with the best validation figure.
        lesson: Passages and questions.
        searched: What is searched in tests.
        questions: The validation questions.
    """

    trainer: AssistantTrainer
    best: Encoder
    lesson: Lesson
    searched: Searched
    questions: list[Question]

    @classmethod
    def over(cls, trainer: AssistantTrainer, lesson: Lesson, searched: Searched) -> "Keeper":
        """Watch a training; what was best until now becomes part of its state."""
        kept = lesson.of(VALIDATION) or lesson.of(VALIDATION, fair=False) or lesson.of(TRAIN, fair=False)
        best = Encoder(trainer.plan)
        best.to(trainer.device)
        best.load_state_dict(trainer.average.state_dict())
        trainer.state.modules["best"] = best
        trainer.state.plain |= {"best_figure": -1.0, "best_step": 0}
        return cls(trainer, best, lesson, searched, drawn(kept, _MOST_VALIDATED, 0))

    @property
    def best_figure(self) -> float:
        """Mean reciprocal rank of the best weights on the validation questions."""
        return float(self.trainer.state.plain["best_figure"])

    def is_done(self, step: int) -> bool:
        """Whether the training is over after so many steps."""
        waited = step - int(self.trainer.state.plain["best_step"])
        return step >= self.trainer.total or waited >= self.trainer.params.patience * self.trainer.epoch_steps

    def validate(self, step: int) -> dict[str, float]:
        """Measure the averaged weights, and keep them if they are the best yet."""
        encoding = self.encoding(self.trainer.average)
        asked = encoding.vectors([words(one.text) for one in self.questions])
        scores = self._sections().best(_near(encoding, self.searched, len(self.lesson.passages), asked), -1.0)
        found = float((1 / ranks(scores, np.array([one.section for one in self.questions], np.int64))).mean())
        if found > self.best_figure:
            self.trainer.state.plain |= {"best_figure": found, "best_step": step}
            self.best.load_state_dict(self.trainer.average.state_dict())
        return {"validation_mrr": found}

    def encoding(self, network: Encoder) -> Encoding:
        """A network with this training's reader."""
        return Encoding(network, self.trainer.reader)

    def _sections(self) -> Groups:
        return Groups.of(self.lesson.sections, len(self.lesson.shares))


def _near(encoding: Encoding, searched: Searched, passages: int, asked: Floats) -> Floats:
    vectors, groups = encoding.dense(searched, passages)
    return groups.best(asked @ vectors.T, -1.0)


def run_steps(keeper: Keeper, run: Run, done: int) -> None:
    """Train until nothing gets better, or to the last step."""
    trainer = keeper.trainer
    every = trainer.epoch_steps * max(1, -(-trainer.params.epochs // _VALIDATIONS))
    losses: dict[str, Tensor] = {}
    step = done
    while not keeper.is_done(step):
        step += 1
        losses = trainer.step(step)
        trainer.meter.add(trainer.batches.batch_size, **losses)
        found = trainer.meter.read(step)
        measured = step % every == 0 or step == trainer.total
        if measured:
            training.check_finite(step, *losses.values())
            found |= keeper.validate(step)
        run.report(step, trainer.total, **found)
        if measured:
            preview(keeper, run, step)
        run.checkpoint(step, lambda directory, step=step: trainer.state.save(directory, step))  # type: ignore[misc]
    training.check_finite(step, *losses.values())
    epoch, reached = trainer.state.plain["best_step"] / trainer.epoch_steps, step / trainer.epoch_steps
    if step < trainer.total:
        run.log(f"Stopped after {reached:.0f} of {trainer.total / trainer.epoch_steps:.0f} passes: nothing got better.")
    run.log(f"The best pass was {epoch:.0f}, with a mean reciprocal rank of {keeper.best_figure:.4f} in validation.")


def preview(keeper: Keeper, run: Run, step: int) -> None:
    """Show what is found for three validation questions now; always the same three."""
    chosen = np.unique(np.linspace(0, len(keeper.questions) - 1, _SHOWN).astype(np.int64))
    questions = [keeper.questions[place] for place in chosen]
    encoding = keeper.encoding(keeper.trainer.average)
    asked = encoding.vectors([words(one.text) for one in questions])
    found = _near(encoding, keeper.searched, len(keeper.lesson.passages), asked).argmax(-1)
    lines = []
    for question, number in zip(questions, found, strict=True):
        passage = keeper.lesson.passages[number]
        right = "✓" if passage.section == question.section else "✗"
        lines += [f"{question.text}", f"  {right} {passage.sentences[0][:200]}"]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "found.txt"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        run.preview("found", step, path)
