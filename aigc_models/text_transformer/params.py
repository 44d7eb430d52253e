"""What can be set when a text transformer is trained or used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Estimate, Family, Lane, Makes, Params, dataset_input, devices_setting, model_input, setting
from aigc_models.text_transformer.plan import Plan
from aigc_models.writing.figures import GUIDED, JUDGED
from aigc_models.writing.settings import JudgeTexts, TokenizerKind, WriteWanted, tokenizer_kind

# Multiplications a second of one CPU thread in training, measured with bfloat16 in AVX-512: 224 steps of 4.2 million
# numbers on 2.4 million characters were expected to take 300 s and took 330.
_RATE = 45e9
_EACH, _PER_CHARACTER = 6.0, 15e-6  # seconds for judging a small model, and for counting what it learnt from
_CHECKS, _CHECKED = 40, 40_000  # how often a training is watched, and by how many tokens at most


class TextTransformerTrain(Params):
    """Train self-attention on texts, to write more of their kind."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {
                "steps": 300,
                "width": 128,
                "num_layers": 4,
                "context": 128,
                "batch_size": 16,
                "vocabulary": 1024,
            },
            "balanced": {},
            "best": {"steps": 8000, "width": 384, "num_layers": 8, "num_heads": 8, "context": 512, "dropout": 0.1},
        }
    )

    dataset: str = dataset_input("text", description="Texts to learn from.")
    steps: int = setting(
        2000,
        title="Steps",
        description="Most steps of the training; it stops before when nothing gets better.",
        ge=1,
        le=1_000_000,
    )
    batch_size: int = setting(
        32, title="Batch size", unit="texts", description="Pieces of text per training step.", ge=1, le=4096
    )
    learning_rate: float = setting(
        0.004, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    context: int = setting(
        256,
        title="Context",
        unit="tokens",
        description="How far the model looks back when it writes the next token.",
        ge=8,
        le=8192,
    )
    width: int = setting(
        256, title="Width", description="Numbers that describe a token.", ge=16, le=4096, multiple_of=16
    )
    num_layers: int = setting(
        6, title="Layers", description="Blocks of self-attention, one after the other.", ge=1, le=64
    )
    num_heads: Literal[1, 2, 4, 8] = setting(
        4,
        title="Heads",
        description="Attentions side by side in each block; the width is shared out among them.",
        advanced=True,
    )
    key_heads: Literal[0, 1, 2, 4, 8] = setting(
        0,
        title="Key heads",
        description="Heads of keys and values that the heads share among them; fewer make writing faster, 0 has as "
        "many as heads.",
        advanced=True,
    )
    tokenizer: TokenizerKind = setting(
        "auto",
        title="Tokenizer",
        description="What a token is: a piece of a word learnt from the texts, a character, or a byte; auto takes "
        "pieces unless there is little text.",
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
    dropout: float = setting(
        0.0,
        title="Dropout",
        description="Share of the numbers left out at random in training; helps where there is little text.",
        ge=0,
        le=0.9,
        advanced=True,
    )
    optimiser: Literal["muon", "adamw"] = setting(
        "muon",
        title="Optimiser",
        description="How steps are made of gradients; muon needs fewer of them than adamw.",
        advanced=True,
    )
    weight_decay: float = setting(
        0.05,
        title="Weight decay",
        description="How strongly weights are drawn towards zero at each step.",
        ge=0,
        le=1,
        advanced=True,
    )
    accumulation: int = setting(
        1,
        title="Parts of a batch",
        description="In how many parts a batch is computed, one after the other, so that it takes less memory.",
        ge=1,
        le=256,
        advanced=True,
    )
    patience: int = setting(
        8,
        title="Patience",
        unit="checks",
        description="Checks without a better loss on texts set aside after which the training stops; there are forty "
        "in a whole training.",
        ge=1,
        le=1000,
        advanced=True,
    )
    devices: int = devices_setting()

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications, as if the training never stopped early."""
        characters = dataset.get("characters")
        if not isinstance(characters, Mapping):
            return None
        kind = tokenizer_kind(self.tokenizer, int(characters["train"]))
        plan = plan_for(self, {"pieces": self.vocabulary, "characters": 600, "bytes": 258}[kind])
        train = int(characters["train"])
        watched = min(_CHECKS, max(1, self.steps // 10)) * min(_CHECKED, train / 60)  # a twentieth, of three characters
        tokens = self.steps * self.batch_size * self.context + watched / 3  # reading takes a third of learning
        seconds = 3e6 * plan.millions * tokens / _RATE / max(cpu_threads, 1)
        held = self.batch_size * self.context / self.accumulation
        cells = held * (3 * plan.vocabulary + self.num_layers * (30 * self.width + 3 * self.num_heads * self.context))
        memory = 350 + (4 * cells + 20 * plan.parameters + 12 * int(characters["train"])) / 2**20
        return Estimate(round(seconds + _EACH + _PER_CHARACTER * train, 1), round(memory), plan.parameters)


def plan_for(params: TextTransformerTrain, vocabulary: int) -> Plan:
    """The network that settings ask for, for so many tokens."""
    key_heads = min(params.key_heads or params.num_heads, params.num_heads)
    return Plan(vocabulary, params.width, params.num_layers, params.num_heads, key_heads, params.context)


class TextTransformerGenerate(WriteWanted):
    """Write texts: after a prompt, with attributes, or freely."""

    model: str = model_input("text_transformer", description="Trained model to use.")

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:
        """As many as texts, candidates included."""
        return int(params.get("count", 8)) * int(params.get("candidates", 1))


class TextTransformerEvaluate(JudgeTexts):
    """Measure a trained model on the test texts of a dataset, beside counts of characters and real texts."""

    model: str = model_input("text_transformer", description="Trained model to use.")


FAMILY = Family(
    name="text_transformer",
    title="Text transformer",
    summary="Writes texts like yours by self-attention, after a prompt or with the attributes you ask for.",
    paper="https://arxiv.org/abs/1706.03762",
    operations={
        "train": TextTransformerTrain,
        "generate": TextTransformerGenerate,
        "evaluate": TextTransformerEvaluate,
    },
    metrics={**JUDGED, **GUIDED},
)
