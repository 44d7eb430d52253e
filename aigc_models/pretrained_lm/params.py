"""What can be set when a pretrained language model is taught or used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from aigc_models.base import Estimate, Family, Lane, Makes, Params, dataset_input, model_input, setting
from aigc_models.judging import MetricInfo
from aigc_models.pretrained_lm.bases import known_parameters
from aigc_models.writing.figures import GUIDED, JUDGED
from aigc_models.writing.settings import JudgeTexts, WriteWanted

_RATE = 40e9  # multiplications a second of one CPU thread
_JUDGED = 130_000  # tokens that are read and written to judge a model


class PretrainedLmTrain(Params):
    """Teach a pretrained language model your kind of texts by LoRA: few numbers are learnt, its own stay."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {"steps": 60, "batch_size": 4, "context": 128, "rank": 8},
            "balanced": {},
            "best": {"steps": 3000, "batch_size": 16, "context": 512, "rank": 32},
        }
    )

    dataset: str = dataset_input("text", description="Texts to learn from.")
    uploaded: str | None = dataset_input(
        "language_model",
        title="Uploaded model",
        description="Pretrained model that was uploaded as a dataset of the kind language model; empty takes one that "
        "lies on the workers.",
        optional=True,
    )
    base: str = setting(
        "",
        title="Pretrained model",
        description="Where none was uploaded: folder of the model below the directory of pretrained models "
        "(AIGC_PRETRAINED), in the format of Hugging Face with safetensors; empty takes the only one there is.",
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99})?)?$",
    )
    steps: int = setting(
        400,
        title="Steps",
        description="Most steps of the training; it stops before when nothing gets better.",
        ge=1,
        le=1_000_000,
    )
    batch_size: int = setting(
        8, title="Batch size", unit="texts", description="Pieces of text per training step.", ge=1, le=4096
    )
    learning_rate: float = setting(
        0.0005, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    context: int = setting(
        256,
        title="Context",
        unit="tokens",
        description="How far the model looks back when it writes the next token.",
        ge=8,
        le=8192,
    )
    rank: int = setting(
        16, title="LoRA rank", description="How much can be learnt: the width of LoRA's narrow matrices.", ge=1, le=512
    )
    dropout: float = setting(
        0.0,
        title="Dropout",
        description="Share of the numbers left out at random in training; helps where there is little text.",
        ge=0,
        le=0.9,
        advanced=True,
    )
    weight_decay: float = setting(
        0.0,
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

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the size of the base, where it can be seen from here."""
        numbers = 0 if self.uploaded else known_parameters(self.base)
        if not numbers or not isinstance(dataset.get("characters"), Mapping):
            return None
        learnt = self.steps * self.batch_size * self.context
        seconds = numbers * (2.5 * learnt + _JUDGED) / _RATE / max(cpu_threads, 1)
        memory = 700 + (5 * numbers + 60 * numbers**0.5 * self.batch_size * self.context) / 2**20
        return Estimate(round(seconds + 8.0, 1), round(memory), round(30 * self.rank * numbers**0.5))


class PretrainedLmGenerate(WriteWanted):
    """Write texts with a taught model: after a prompt, with attributes, or freely."""

    model: str = model_input("pretrained_lm", description="Trained model to use.")


class PretrainedLmEvaluate(JudgeTexts):
    """Measure a taught model on the test texts of a dataset, beside itself before it was taught."""

    model: str = model_input("pretrained_lm", description="Trained model to use.")


FAMILY = Family(
    name="pretrained_lm",
    title="Pretrained language model",
    summary="Teaches a language model that you have your kind of texts by LoRA, and writes more of them.",
    paper="https://arxiv.org/abs/2106.09685",
    operations={
        "train": PretrainedLmTrain,
        "generate": PretrainedLmGenerate,
        "evaluate": PretrainedLmEvaluate,
    },
    needs="pretrained",
    needs_data="language_model",
    metrics={
        **JUDGED,
        **GUIDED,
        "perplexity": MetricInfo(
            "Perplexity",
            "lower",
            "Among how many tokens, equally likely, the model seems to choose in test texts; beside it the same before "
            "it was taught.",
            "perplexity_before",
        ),
        "perplexity_before": MetricInfo(
            "Perplexity before", "lower", "Perplexity of the pretrained model as it came, on the same test texts."
        ),
    },
)
