"""The training step of the text transformer: one causal pass predicts the next token at every place at once."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from aigc_models import training
from aigc_models.accumulation import Figures
from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.recommending.trainer import drawing
from aigc_models.text_transformer.networks import TextTransformer
from aigc_models.text_transformer.params import TextTransformerTrain, plan_for
from aigc_models.writing.corpus import Corpus, validation_windows
from aigc_models.writing.generating import Text, write
from aigc_models.writing.loop import Learner, Settings
from aigc_models.writing.optimiser import Optimiser
from aigc_models.writing.sampling import Choice
from aigc_models.writing.tokenizers import BODY, Tokenizer

_SHOWN, _SHOWN_TOKENS = 2, 160
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


class TextTrainer(Learner):
    """Windows of text, network, optimiser, and one step down the cross-entropy of the next token."""

    network: TextTransformer
    best: TextTransformer

    def __init__(self, params: TextTransformerTrain, lesson: Lesson) -> None:
        self.params, self.lesson = params, lesson
        plan = plan_for(params, lesson.tokenizer.vocabulary)
        network, best = TextTransformer(plan, params.dropout), TextTransformer(plan)
        training.initialise(network, training.seeded(params.seed, "weights"))
        network.to(lesson.device)
        best.to(lesson.device)
        rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        optimiser = Optimiser(network, params.optimiser, rate, params.weight_decay)
        settings = Settings(params.steps, params.patience, params.seed, params.accumulation)
        super().__init__((network, best), optimiser, settings, lesson.device, lesson.adjustments)
        self._length = min(params.context, len(lesson.train) - 1)
        self._watched = min(params.context, len(lesson.validation) - 1)

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step."""
        last = len(self.lesson.train) - self._length
        starts = torch.randint(last, (self.params.batch_size,), generator=self.order)
        inputs, targets = self.lesson.train.windows(starts, self._length)
        inputs, targets = inputs.to(self.device), targets.to(self.device)
        self.worked_on = targets.numel()

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with drawing(self.params.seed, step, part.start), self.precision.autocast():
                scores = self.network.scores(self.network(inputs[part]))
            mean = F.cross_entropy(scores.float().flatten(0, 1), targets[part].flatten())
            return mean, {"loss": mean}

        self.optimiser.schedule(step, self.total)
        return self.parts.descend(self.optimiser, len(starts), loss)

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
        texts = [Text(list(starts[place % len(starts)]), seed=place, most=_SHOWN_TOKENS) for place in range(_SHOWN)]
        write(self.network, self.lesson.tokenizer, Choice(temperature=0.8), texts)
        return "\n\n----\n\n".join(self.lesson.tokenizer.decode(text.tokens) for text in texts) + "\n"


@torch.inference_mode()
def token_losses(network: TextTransformer, inputs: Tensor, targets: Tensor) -> Tensor:
    """Nats of each target, in 32 bits, (B, T)."""
    scores = network.scores(network(inputs)).float()
    return F.cross_entropy(scores.flatten(0, 1), targets.flatten(), reduction="none").view(targets.shape)
