"""The training step: questions of a batch are told apart from each other's passages, in both directions.

Source: InfoNCE (van den Oord et al. 2018, equation 4) with the other passages of the batch as negatives (Karpukhin et
al. 2020, section 3.2), symmetrical as in Radford et al. 2021; a sentence taken out of its passage is a question, too
(Lee et al. 2019, section 4). Where a batch is computed in parts, the gradient of all its vectors is found first
(Gao et al. 2021), so that the negatives stay the whole batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from aigc_models import training
from aigc_models.accumulation import Figures, PartLoss, Parts
from aigc_models.assistant.lesson import TRAIN, Lesson
from aigc_models.assistant.networks import Encoder, Plan
from aigc_models.assistant.params import AssistantTrain
from aigc_models.base import Run
from aigc_models.recommending.trainer import learning_rate
from aigc_models.retrieval.features import Bags, Reader
from aigc_models.retrieval.tokens import words

_LEAST_SENTENCES = 3  # of a passage from which one is taken out
_MOST_FEATURES = 256  # of a passage that are looked at in a step; which ones is drawn anew each time


@dataclass(frozen=True)
class Pairs:
    """Questions with what answers them: known ones first, then passages out of which a sentence is taken.

    Attributes:
        reader: Reads what is taken out, and what is left.
        questions: The known questions' features.
        passages: The features of all passages.
        passage: Which passage answers each question, or is asked about itself; (N,).
        section: Which section that is of, as pieces of a section are no negatives of each other; (N,).
        sentences: The words of each sentence of each passage.
    """

    reader: Reader
    questions: Bags
    passages: Bags
    passage: NDArray[np.int64]
    section: NDArray[np.int64]
    sentences: Sequence[Sequence[Sequence[str]]]

    @classmethod
    def of(cls, lesson: Lesson, reader: Reader) -> "Pairs":
        """All pairs of the training share."""
        sections = lesson.sections
        first = dict(zip(sections[::-1].tolist(), range(len(sections) - 1, -1, -1), strict=True))
        asked = [one for one in lesson.of(TRAIN, fair=False) if one.section in first]
        split = [[words(one) for one in passage.sentences] for passage in lesson.passages]
        of_their_own = [
            number
            for number, one in enumerate(lesson.passages)
            if not lesson.intents and lesson.shares[one.section] == TRAIN and len(one.sentences) >= _LEAST_SENTENCES
        ]
        passage = np.array([first[one.section] for one in asked] + of_their_own, np.int64)
        questions = reader.read(words(one.text) for one in asked)
        bodies = reader.read(list(chain.from_iterable(one)) for one in split)
        return cls(reader, questions, bodies, passage, sections[passage], split)

    def __len__(self) -> int:
        return len(self.passage)

    def take(self, rows: NDArray[np.int64], rng: np.random.Generator) -> tuple[Bags, Bags]:
        """Questions and what answers them; which sentence is taken out of a passage is drawn."""
        known = rows < len(self.questions)
        taken = [self._without_one(int(self.passage[row]), rng) for row in rows[~known]]
        back = np.argsort(np.concatenate([np.flatnonzero(known), np.flatnonzero(~known)]))
        asked = self.questions.take(rows[known]) + self.reader.read(one for one, _ in taken)
        answers = self.passages.take(self.passage[rows[known]]) + self.reader.read(rest for _, rest in taken)
        return asked.take(back), answers.take(back)

    def _without_one(self, number: int, rng: np.random.Generator) -> tuple[list[str], list[str]]:
        sentences = self.sentences[number]
        place = int(rng.integers(len(sentences)))
        rest = [word for other, one in enumerate(sentences) if other != place for word in one]
        return list(sentences[place]), rest


class AssistantTrainer:
    """Pairs, network, optimiser, and one step.

    Args:
        params: The settings.
        lesson: What is learnt from.
        run: Where, and how gently.
    """

    def __init__(self, params: AssistantTrain, lesson: Lesson, run: Run) -> None:
        self.params, self.device = params, run.device
        learnt = [words(one.text) for one in lesson.of(TRAIN, fair=False)]
        self.reader = Reader.over([words(one.text) for one in lesson.passages] + learnt, params.buckets)
        self.pairs = Pairs.of(lesson, self.reader)
        self.plan = Plan(self.reader.buckets, params.width, len(lesson.shares) if lesson.intents else 0)
        rarity = torch.from_numpy(self.reader.rarity)
        self.network, self.average = Encoder(self.plan, rarity), Encoder(self.plan, rarity)
        training.initialise(self.network, training.seeded(params.seed, "weights"))
        self.network.to(self.device).train()
        self._parts = Parts(run.adjustments.micro_batches)
        self._learning_rate = params.learning_rate * run.adjustments.learning_rate_factor
        size = min(params.batch_size, len(self.pairs))
        self.epoch_steps = max(1, math.ceil(len(self.pairs) / size))
        self.total = params.epochs * self.epoch_steps
        order = training.seeded(params.seed, "order")
        self.batches = training.Batches(len(self.pairs), size, order)
        self.meter = training.Meter(speed="questions_per_second")
        self._follow = training.Ema(self.network, self.average.to(self.device), half_life=max(1, self.total / 20))
        self._adam = torch.optim.AdamW(self.network.parameters(), weight_decay=params.weight_decay, fused=True)
        self.state = training.TrainingState(
            modules={"network": self.network, "average": self.average},
            optimisers={"adam": self._adam, "batches": self.batches, "meter": self.meter},
            generators={"order": order},
        )

    def resume(self, directory: Path) -> int:
        """Go on from a checkpoint; returns the steps done."""
        return self.state.load(directory)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step; returns the loss."""
        for group in self._adam.param_groups:
            group["lr"] = learning_rate(self._learning_rate, step, self.total)
        rows = self.batches.next().numpy()
        loss = self._told_apart(rows, step) if self.plan.answers else self._contrasted(rows, step)
        figures = self._parts.descend(self._adam, len(rows), loss)
        self._follow.update(step)
        return figures

    def _told_apart(self, rows: NDArray[np.int64], step: int) -> PartLoss:
        """The loss where answers are few: every question beside every answer."""
        wanted = torch.from_numpy(self.pairs.section[rows]).to(self.device)

        def loss(part: slice) -> tuple[Tensor, Figures]:
            bags = self.pairs.questions.take(rows[part])
            asked = self.network(bags.thinned(self.params.dropout, _MOST_FEATURES, self._drawing(step, part)))
            scores = asked @ self.network.answer_vectors().T / self.params.temperature
            mean = F.cross_entropy(scores, wanted[part])
            return mean, {"loss": mean}

        return loss

    def _contrasted(self, rows: NDArray[np.int64], step: int) -> PartLoss:
        """The loss where passages are read: the batch's questions beside the batch's passages."""
        section = torch.from_numpy(self.pairs.section[rows]).to(self.device)
        parts = self._parts.slices(len(rows))
        if len(parts) == 1:

            def whole(part: slice) -> tuple[Tensor, Figures]:
                mean = contrast(*self._encode(rows, part, step), section, self.params.temperature)
                return mean, {"loss": mean}

            return whole
        with torch.no_grad():
            held = [torch.cat(each) for each in zip(*(self._encode(rows, part, step) for part in parts), strict=True)]
        asked, passages = (one.requires_grad_() for one in held)
        mean = contrast(asked, passages, section, self.params.temperature)
        pulls = torch.autograd.grad(mean, (asked, passages))
        mean = mean.detach()

        def partly(part: slice) -> tuple[Tensor, Figures]:
            share = (part.stop - part.start) / len(rows)
            both = self._encode(rows, part, step)
            total = sum((one * pull[part]).sum() for one, pull in zip(both, pulls, strict=True))
            return torch.as_tensor(total) / share, {"loss": mean}

        return partly

    def _encode(self, rows: NDArray[np.int64], part: slice, step: int) -> tuple[Tensor, Tensor]:
        """Vectors of questions and of their passages; (B, D) each."""
        rng = self._drawing(step, part)
        asked, passages = self.pairs.take(rows[part], rng)
        both = self.network((asked + passages).thinned(self.params.dropout, _MOST_FEATURES, rng))
        return both[: len(asked)], both[len(asked) :]

    def _drawing(self, step: int, part: slice) -> np.random.Generator:
        """What is drawn depends on the step and the part alone, so that a part computed again is the same."""
        return np.random.default_rng([self.params.seed, step, part.start])


def contrast(asked: Tensor, passages: Tensor, section: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy, in nats, of finding a question's passage and a passage's question in a batch.

    Pairs of the same section are no negatives of each other.

    Shape: asked and passages (B, D), section (B,).
    """
    scores = asked @ passages.T / temperature
    own = torch.eye(len(section), dtype=torch.bool, device=section.device)
    scores = scores.masked_fill((section[:, None] == section[None]) & ~own, -torch.inf)
    wanted = torch.arange(len(section), device=section.device)
    return (F.cross_entropy(scores, wanted) + F.cross_entropy(scores.T, wanted)) / 2
