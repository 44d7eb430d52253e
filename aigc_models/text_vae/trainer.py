"""The training step of the sentence VAE: up the evidence lower bound, with the KL term warmed up and free bits."""

from dataclasses import dataclass

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.accumulation import Figures
from aigc_models.base import UNADJUSTED, Adjustments
from aigc_models.recommending.trainer import drawing
from aigc_models.text_vae.likelihood import bound, kl_by_number, nats_of
from aigc_models.text_vae.networks import TextVae
from aigc_models.text_vae.params import TEMPERATURE, TextVaeTrain, plan_for
from aigc_models.text_vae.sentences import AlikeBatches, Rows, shifted
from aigc_models.text_vae.writer import decode_all
from aigc_models.writing.loop import Learner, Settings
from aigc_models.writing.optimiser import Optimiser
from aigc_models.writing.tokenizers import Tokenizer

_WATCHED, _SHOWN = 512, 8  # sentences
_WEIGHT_DECAY = 0.05


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learnt from, where, and how gently."""

    train: Rows
    validation: Rows
    tokenizer: Tokenizer
    device: str = "cpu"
    adjustments: Adjustments = UNADJUSTED


class TextVaeTrainer(Learner):
    """Sentences, networks, optimiser, and one step."""

    network: TextVae
    best: TextVae

    def __init__(self, params: TextVaeTrain, lesson: Lesson) -> None:
        self.params, self.lesson = params, lesson
        plan = plan_for(params, lesson.tokenizer.vocabulary)
        network, best = TextVae(plan, params.dropout), TextVae(plan)
        training.initialise(network, training.seeded(params.seed, "weights"))
        network.to(lesson.device)
        best.to(lesson.device)
        rate = params.learning_rate * lesson.adjustments.learning_rate_factor
        optimiser = Optimiser(network, "muon", rate, _WEIGHT_DECAY)
        settings = Settings(params.steps, params.patience, params.seed)
        super().__init__((network, best), optimiser, settings, lesson.device, lesson.adjustments)
        self.noise = training.seeded(params.seed, "noise")
        batch = min(params.batch_size, len(lesson.train))
        self.batches = AlikeBatches(lesson.train.lengths, batch, self.order)
        self.state.generators["noise"] = self.noise
        self.state.optimisers["batches"] = self.batches

    def step(self, step: int) -> dict[str, Tensor]:
        """Take one step up the evidence lower bound; losses are told in nats per token, the KL in nats per sentence."""
        tokens, known = self.lesson.train.take(self.batches.next())
        noise = torch.randn(len(tokens), self.params.latent_dim, generator=self.noise).to(self.device)
        hide = torch.rand(tokens.shape, generator=self.noise) < self.params.word_dropout
        before = shifted(tokens)
        before[:, 1:] = before[:, 1:].masked_fill(hide[:, 1:], self.network.hidden_token)
        tokens, known, before = tokens.to(self.device), known.to(self.device), before.to(self.device)
        weight = self.params.beta * min(1.0, step / max(self.params.kl_warmup * self.total, 1.0))
        self.worked_on = int(known.sum())

        def loss(part: slice) -> tuple[Tensor, Figures]:
            with drawing(self.params.seed, step, part.start), self.precision.autocast():
                mean, log_variance = self.network.encode(tokens[part], known[part])
                z = mean + noise[part] * (0.5 * log_variance).exp()
                scores = self.network.decode(before[part], z)
            nats = nats_of(scores, tokens[part], known[part]).sum() / len(mean)
            by_number = kl_by_number(mean, log_variance).mean(0)
            bound = nats + weight * by_number.clamp(min=self.params.free_bits).sum()
            length = known[part].sum() / len(mean)
            return bound, {"loss": bound / length, "reconstruction": nats / length, "kl": by_number.sum()}

        self.optimiser.schedule(step, self.total)
        return self.parts.descend(self.optimiser, len(tokens), loss)

    def validation_loss(self) -> float:
        """Nats per token by the bound, with the KL term at the weight it has once it is warmed up."""
        found = bound(self.network, self.lesson.validation, _WATCHED)
        return (found.reconstruction + self.params.beta * found.kl) / max(found.tokens, 1)

    def sample(self) -> str:
        """Sentences from fixed latent numbers: what the network writes now."""
        z = training.item_noise(range(_SHOWN), self.params.latent_dim)
        rows = decode_all(self.network, z, TEMPERATURE, seeds=range(_SHOWN))
        return "\n".join(self.lesson.tokenizer.decode(row) for row in rows) + "\n"
