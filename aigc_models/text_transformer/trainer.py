"""The training step of networks that write: one causal pass predicts the next token at every place at once."""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aigc_models import training
from aigc_models.accumulation import Figures
from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.recommending.trainer import drawing
from aigc_models.text_transformer.networks import TextTransformer
from aigc_models.text_transformer.params import TextTransformerTrain, plan_for
from aigc_models.writing.corpus import Corpus, validation_windows
from aigc_models.writing.generating import Text, write
from aigc_models.writing.language_model import LanguageModel
from aigc_models.writing.loop import Learner, Settings
from aigc_models.writing.optimiser import Optimiser
from aigc_models.writing.sampling import Choice
from aigc_models.writing.tokenizers import BODY, Tokenizer

_SHOWN = 2
_VALIDATED = 32  # windows read at once


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt from, where, and how gently.

    Attributes:
        train: Tokens to learn from.
        validation: Tokens by which the best step is chosen.
        tokenizer: What they stand for.
        starts: What previews begin with.
        device: Torch device string.
        adjustments: How to go gentler than the settings say.
    """

    train: Corpus
    validation: Corpus
    tokenizer: Tokenizer
    starts: list[list[int]]
    device: str = "cpu"
    adjustments: Adjustments = UNADJUSTED


class LearningSettings(Protocol):
    """The settings of a training that goes from token to token."""

    @property
    def steps(self) -> int:
        """Most steps."""

    @property
    def patience(self) -> int:
        """Checks without a better loss after which it stops."""

    @property
    def seed(self) -> int:
        """What starts all random draws."""

    @property
    def accumulation(self) -> int:
        """Parts of a batch."""

    @property
    def batch_size(self) -> int:
        """Windows of a step."""

    @property
    def context(self) -> int:
        """Tokens of a window."""


class NextTokenTrainer(Learner):
    """Windows of text, and one step down the cross-entropy of the next token.

    Args:
        networks: The one in training, and one that keeps the best weights.
        optimiser: Moves the first one's weights.
        params: The settings of the training.
        lesson: What is learnt from.
    """

    shown_tokens = 160
    network: LanguageModel

    def __init__(
        self,
        networks: tuple[LanguageModel, nn.Module],
        optimiser: Optimiser,
        params: LearningSettings,
        lesson: Lesson,
    ) -> None:
        settings = Settings(params.steps, params.patience, params.seed, params.accumulation)
        super().__init__(networks, optimiser, settings, lesson.device, lesson.adjustments)
        self.lesson, self._batch_size = lesson, params.batch_size
        self._length = min(params.context, len(lesson.train) - 1)
        self._watched = min(params.context, len(lesson.validation) - 1)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step."""
        last = len(self.lesson.train) - self._length
        starts = torch.randint(last, (self._batch_size,), generator=self.order)
        inputs, targets = self.lesson.train.windows(starts, self._length)
        inputs, targets = inputs.to(self.device), targets.to(self.device)
        self.worked_on = targets.numel()

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with drawing(self.settings.seed, step, part.start), self.precision.autocast():
                mean = self.mean_loss(inputs[part], targets[part])
            return mean, {"loss": mean}

        self.optimiser.schedule(step, self.total)
        return self.parts.descend(self.optimiser, len(starts), loss)

    def mean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Nats per token of some windows, to be minimised."""
        return self.network.losses(inputs, targets).mean()

    def validation_loss(self) -> float:
        """Nats per token on what is set aside."""
        starts = validation_windows(self.lesson.validation, self._watched)
        total = 0.0
        for some in starts.split(_VALIDATED):
            inputs, targets = self.lesson.validation.windows(some, self._watched)
            total += float(token_losses(self.network, inputs.to(self.device), targets.to(self.device)).sum())
        return total / (len(starts) * self._watched)

    def sample(self) -> str:
        """Two texts from fixed draws: what the network would write now."""
        starts = self.lesson.starts or [[BODY]]
        texts = [Text(list(starts[place % len(starts)]), seed=place, most=self.shown_tokens) for place in range(_SHOWN)]
        write(self.network, self.lesson.tokenizer, Choice(temperature=0.8), texts)
        return "\n\n----\n\n".join(self.lesson.tokenizer.decode(text.tokens) for text in texts) + "\n"


class TextTrainer(NextTokenTrainer):
    """A network of its own, learnt from nothing but the texts."""

    network: TextTransformer
    best: TextTransformer

    def __init__(self, params: TextTransformerTrain, lesson: Lesson) -> None:
        self.params = params
        plan = plan_for(params, lesson.tokenizer.vocabulary)
        network, best = TextTransformer(plan, params.dropout), TextTransformer(plan)
        training.initialise(network, training.seeded(params.seed, "weights"))
        network.to(lesson.device)
        best.to(lesson.device)
        rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        optimiser = Optimiser(network, params.optimiser, rate, params.weight_decay)
        super().__init__((network, best), optimiser, params, lesson)

    def mean_loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Nats per token of some windows, to be minimised."""
        scores = self.network.scores(self.network(inputs))
        return F.cross_entropy(scores.float().flatten(0, 1), targets.flatten())


@torch.inference_mode()
def token_losses(network: LanguageModel, inputs: Tensor, targets: Tensor) -> Tensor:
    """Nats of each target, in 32 bits, (B, T)."""
    return network.losses(inputs, targets)
