"""What can be set when a sentence VAE is trained or used."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Estimate, Family, Fault, Lane, Makes, Params, dataset_input, model_input, setting
from aigc_models.judging import MetricInfo
from aigc_models.text_vae.plan import Plan
from aigc_models.writing.figures import JUDGED
from aigc_models.writing.settings import MOST_TEXT, JudgeTexts, TokenizerKind, tokenizer_kind

# Multiplications a second of one CPU thread in training.
_RATE = 18e9
_EACH = 6.0  # seconds for judging a small model, whatever its data
_USUAL = 0.4  # share of the longest sentence that a sentence usually has

MOST_SENTENCES = 200  # of yours
TEMPERATURE = 0.4  # low, as sentences already differ by their latent numbers


class TextVaeTrain(Params):
    """Train a variational autoencoder on sentences, so that each is described by a few numbers."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {"steps": 400, "width": 128, "num_layers": 2, "learning_rate": 0.012, "dropout": 0.0},
            "balanced": {},
            "best": {"steps": 12_000, "batch_size": 128, "width": 256, "num_layers": 4, "dropout": 0.2},
        }
    )

    dataset: str = dataset_input("text", description="Texts whose sentences are learnt from.")
    steps: int = setting(
        3000,
        title="Steps",
        description="Most steps of the training; it stops before when nothing gets better.",
        ge=1,
        le=1_000_000,
    )
    batch_size: int = setting(
        64, title="Batch size", unit="sentences", description="Sentences per training step.", ge=2, le=4096
    )
    learning_rate: float = setting(
        0.005, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    longest: int = setting(
        48,
        title="Longest sentence",
        unit="tokens",
        description="Sentences with more tokens are left out, and none longer is written.",
        ge=4,
        le=512,
    )
    latent_dim: int = setting(
        32, title="Latent numbers", description="How many numbers describe a sentence.", ge=2, le=1024
    )
    width: int = setting(
        192, title="Width", description="Numbers that describe a token.", ge=16, le=2048, multiple_of=16
    )
    num_layers: int = setting(
        3,
        title="Layers",
        description="Blocks of self-attention in the encoder, and as many in the decoder.",
        ge=1,
        le=24,
    )
    num_heads: Literal[1, 2, 4, 8] = setting(
        4,
        title="Heads",
        description="Attentions side by side in each block; the width is shared out among them.",
        advanced=True,
    )
    tokenizer: TokenizerKind = setting(
        "auto",
        title="Tokenizer",
        description="What a token is: a piece of a word learnt from the texts, a character, or a byte; auto takes "
        "pieces unless there is little text.",
        advanced=True,
    )
    vocabulary: int = setting(
        2048,
        title="Vocabulary",
        unit="tokens",
        description="How many different tokens there may be, where they are learnt.",
        ge=320,
        le=64_000,
        advanced=True,
    )
    beta: float = setting(
        1.0,
        title="Beta",
        description="Weight of the KL term once it is warmed up; less keeps more of each sentence.",
        ge=0,
        le=10,
    )
    kl_warmup: float = setting(
        0.5,
        title="KL warm-up",
        description="Share of the training over which the weight of the KL term grows from 0 to beta.",
        ge=0,
        le=1,
        advanced=True,
    )
    free_bits: float = setting(
        0.5,
        title="Free bits",
        unit="nats",
        description="KL that each latent number has for free, so that the decoder does not learn to ignore it.",
        ge=0,
        le=10,
        advanced=True,
    )
    word_dropout: float = setting(
        0.1,
        title="Word dropout",
        description="Share of the tokens before it that the decoder does not get to see in training, so that it needs "
        "the latent numbers.",
        ge=0,
        le=1,
        advanced=True,
    )
    dropout: float = setting(
        0.1,
        title="Dropout",
        description="Share of the numbers left out at random in training.",
        ge=0,
        le=0.9,
        advanced=True,
    )
    patience: int = setting(
        12,
        title="Patience",
        unit="checks",
        description="Checks without a better loss on texts set aside after which the training stops; there are forty "
        "in a whole training.",
        ge=1,
        le=1000,
        advanced=True,
    )

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications, as if the training never stopped early."""
        characters = dataset.get("characters")
        if not isinstance(characters, Mapping):
            return None
        kind = tokenizer_kind(self.tokenizer, int(characters["train"]))
        plan = plan_for(self, {"pieces": self.vocabulary, "characters": 600, "bytes": 258}[kind])
        tokens = self.steps * self.batch_size * self.longest * _USUAL
        seconds = 3e6 * plan.millions * tokens / _RATE / max(cpu_threads, 1)
        cells = self.batch_size * self.longest * (3 * plan.vocabulary + 2 * self.num_layers * 40 * self.width)
        memory = 350 + (4 * cells + 20 * plan.parameters + 12 * int(characters["train"])) / 2**20
        return Estimate(round(seconds + _EACH + 3e-6 * int(characters["train"]), 1), round(memory), plan.parameters)


def plan_for(params: TextVaeTrain, vocabulary: int) -> Plan:
    """The networks that settings ask for, for a tokenizer of so many tokens."""
    return Plan(vocabulary + 1, params.width, params.num_layers, params.num_heads, params.latent_dim, params.longest)


class TextVaeGenerate(Params):
    """Write sentences: new ones, some on the way between two, or some near a sentence of yours."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"
    named_by: ClassVar[tuple[str, ...]] = ("sentences",)

    model: str = model_input("text_vae", description="Trained model to use.")
    mode: Literal["sample", "reconstruct", "interpolate", "near"] = setting(
        "sample",
        title="What to write",
        description="sample draws new sentences, reconstruct writes yours again, interpolate goes from your first "
        "sentence to your second, near rewrites yours a little differently each time.",
    )
    sentences: str = setting(
        "",
        title="Your sentences",
        description="One in each line: two or more to interpolate, one or more to reconstruct or to rewrite.",
        max_length=MOST_TEXT,
    )
    count: int = setting(
        8,
        title="Sentences",
        description="How many to write: in all, or for each sentence or step of yours.",
        ge=1,
        le=1000,
    )
    distance: float = setting(
        0.3,
        title="Distance",
        description="How far from a sentence its rewritings lie: 0 at it, 1 as far as any other sentence.",
        ge=0,
        le=1,
    )
    temperature: float = setting(
        TEMPERATURE,
        title="Temperature",
        description="How daring the choice of words is: 0 always takes the likeliest.",
        ge=0,
        le=5,
        advanced=True,
    )

    @property
    def given(self) -> list[str]:
        """Your sentences, without the blanks around them."""
        return [line.strip() for line in self.sentences.splitlines() if line.strip()]

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """That there are too few sentences for what is to be written, or too many."""
        least, count = {"sample": 0, "interpolate": 2}.get(self.mode, 1), len(self.given)
        if not least or least <= count <= MOST_SENTENCES:
            return []
        sentence = "Give between {least} and {most} sentences, one in each line; there are {count}."
        values = {"least": least, "most": MOST_SENTENCES, "count": count}
        return [Fault(sentence, values, "/sentences", code="sentences-missing")]

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:
        """As many as sentences that are written."""
        return int(params.get("count", 8)) * max(1, len(str(params.get("sentences", "")).splitlines()))


class TextVaeEvaluate(JudgeTexts):
    """Measure a trained model on the test sentences of a dataset, beside counts of characters."""

    model: str = model_input("text_vae", description="Trained model to use.")


_OWN: Mapping[str, MetricInfo] = MappingProxyType(
    {
        "kept_tokens": MetricInfo(
            "Tokens kept",
            "higher",
            "Share of a test sentence's tokens that stand at the same place when it is written again from its latent "
            "numbers.",
        ),
        "active_units": MetricInfo(
            "Active numbers",
            "higher",
            "Latent numbers whose mean varies from one test sentence to the next; none means that the decoder ignores "
            "them.",
        ),
        "kl": MetricInfo(
            "KL", "none", "Nats that the latent numbers of a test sentence say about it; near 0 they say nothing."
        ),
    }
)

FAMILY = Family(
    name="text_vae",
    title="Text VAE",
    summary="Describes sentences by a few numbers: draws new ones, goes from one to another, rewrites yours.",
    paper="https://arxiv.org/abs/1511.06349",
    operations={"train": TextVaeTrain, "generate": TextVaeGenerate, "evaluate": TextVaeEvaluate},
    metrics={**JUDGED, **_OWN},
)
