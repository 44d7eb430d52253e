"""What can be set when an assistant is trained or asked."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from aigc_models.assistant.figures import ASSISTANT_METRICS
from aigc_models.base import Estimate, Family, Fault, Lane, Makes, Params, dataset_input, model_input, setting
from aigc_models.recommending.settings import Names, names_setting

MOST_QUESTION = 4_000
WRITERS = "text_transformer, pretrained_lm"
# Characters of text that one CPU thread learns from in a second, in a pass at a width of 128.
_RATE = 400_000


class AssistantTrain(Params):
    """Learn to find the passages that answer a question, in help pages and past dialogues."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"quick": {"epochs": 2, "width": 64}, "balanced": {}, "best": {"epochs": 20, "width": 256}}
    )

    dataset: str = dataset_input("text", description="Help pages, texts or dialogues to answer from.")
    dialogues: str | None = dataset_input(
        "text",
        title="Past dialogues",
        description="Dialogues, or questions with answers, to answer from as well.",
        optional=True,
    )
    epochs: int = setting(
        10,
        title="Epochs",
        description="Most passes over all questions and passages; the training stops before it overfits.",
        ge=1,
        le=10_000,
    )
    batch_size: int = setting(
        256,
        title="Batch size",
        unit="questions",
        description="Questions per training step; each is told apart from all other questions' passages.",
        ge=2,
        le=4096,
    )
    learning_rate: float = setting(
        0.003, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    width: int = setting(
        128, title="Width", description="Numbers that describe a question or a passage.", ge=4, le=1024
    )
    temperature: float = setting(
        0.05,
        title="Temperature",
        description="What cosines are divided by in the loss; the lower, the more the nearest wrong passages count.",
        ge=0.01,
        le=1,
        advanced=True,
    )
    dropout: float = setting(
        0.2,
        title="Dropout",
        description="Share of the words and their pieces left out at random in training.",
        ge=0,
        le=0.9,
        advanced=True,
    )
    weight_decay: float = setting(
        0.01,
        title="Weight decay",
        description="How strongly weights are drawn towards zero at each step.",
        ge=0,
        le=1,
        advanced=True,
    )
    buckets: int = setting(
        131_072,
        title="Features",
        description="Most words, pairs and pieces of words that are told apart; rarer ones share a place.",
        ge=64,
        le=2**22,
        advanced=True,
    )
    patience: int = setting(
        4,
        title="Patience",
        unit="epochs",
        description="Passes without a better rank of the validation questions' answers after which the training stops.",
        ge=1,
        le=10_000,
        advanced=True,
    )
    false_refusals: int = setting(
        10,
        title="False refusals",
        unit="%",
        description="Percent of the questions with an answer that may be refused, so that more off-topic ones are; the "
        "validation questions say how strict that allows to be.",
        ge=0,
        le=50,
        advanced=True,
    )

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the characters of the texts, as if the training never stopped early."""
        counted = dataset.get("characters")
        characters = sum(counted.values()) if isinstance(counted, Mapping) else int(counted or 0)
        if not characters:
            return None
        buckets = min(self.buckets, max(64, characters // 4))
        per_pass = characters / _RATE * (0.3 + 0.7 * self.width / 128)
        parameters = buckets * (self.width + 1) + 4 * self.width**2
        return Estimate(
            round(self.epochs * per_pass / max(1, cpu_threads) ** 0.5 + characters / 2e6 + 3, 1),
            round(350 + (24 * parameters + 30 * characters) / 2**20),
            parameters,
        )


def _turns(value: Any) -> Any:
    """Earlier questions as text, the blanks inside each made one."""
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return "\n".join(" ".join(one.split()) for one in value)
    return value


Turns = Annotated[Names, BeforeValidator(_turns)]


class AssistantReply(Params):
    """Answer a question with sentences of the documents, and say where each is from."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"
    named_by: ClassVar[tuple[str, ...]] = ("question",)

    model: str = model_input("assistant", description="Trained assistant to ask.")
    question: str = setting(
        "", title="Question", description="What you want to know, in your words.", max_length=MOST_QUESTION
    )
    history: Turns = names_setting(
        title="Earlier questions",
        description="What was asked before in the same dialogue, the oldest first, one per line.",
    )
    sources: int = setting(
        3, title="Sources", unit="passages", description="Most passages that a reply cites.", ge=1, le=10
    )
    sentences: int = setting(
        5, title="Sentences", unit="sentences", description="Most sentences of a reply.", ge=1, le=40
    )
    writer: str | None = model_input(
        WRITERS,
        title="Writer",
        description="Trained text model that words the answer from the passages that were found; none quotes them.",
        optional=True,
    )
    clarify: bool = setting(
        True,
        title="Ask back",
        description="Whether to ask what is meant when passages on different matters fit equally well.",
        advanced=True,
    )
    strictness: Literal["low", "calibrated", "high"] = setting(
        "calibrated",
        title="Refusal",
        description="How sure the assistant must be: calibrated refuses as few answerable questions as its training "
        "was told to, low refuses less, high more.",
        advanced=True,
    )
    drafts: int = setting(
        4,
        title="Drafts",
        unit="answers",
        description="Answers that the writer words; the one that the passages support best is taken.",
        ge=1,
        le=32,
        advanced=True,
    )
    max_tokens: int = setting(
        160,
        title="Longest answer",
        unit="tokens",
        description="Most tokens of an answer that a writer words; at most half of what it looks back at.",
        ge=1,
        le=4096,
        advanced=True,
    )

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:
        """One question; what a model is to word takes its time, and is carried out by itself."""
        return None if params.get("writer") else 1

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """That nothing is asked."""
        if self.question.strip():
            return []
        return [Fault("Ask something: the question is blank.", pointer="/question", code="blank-question")]


class AssistantSimulate(Params):
    """Make dialogues of documents, to train an assistant or a text model with; they are marked as simulated."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    dataset: str = dataset_input("text", description="Documents with headings to make dialogues of.")
    count: int = setting(
        1_000,
        title="Dialogues",
        unit="dialogues",
        description="Dialogues to make at most; those that say the same are kept once.",
        ge=1,
        le=100_000,
    )
    turns: int = setting(
        3,
        title="Turns",
        unit="questions",
        description="Most questions of a dialogue, each on another section of the same page.",
        ge=1,
        le=20,
    )
    grounded: bool = setting(
        False,
        title="With passages",
        description="Whether the passage stands before each question, as a text model that is to word answers needs "
        "it.",
    )
    writer: str | None = model_input(
        WRITERS,
        title="Writer",
        description="Text model trained on dialogues with passages, which words some of the questions; none uses "
        "patterns alone.",
        optional=True,
    )


class AssistantEvaluate(Params):
    """Measure a trained assistant on the held-out questions of a dataset, beside BM25 alone."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("assistant", description="Trained assistant to measure.")
    dataset: str = dataset_input("text", description="Dataset whose held-out questions are used.")


FAMILY = Family(
    name="assistant",
    title="Assistant",
    summary="Answers questions from your documents and past dialogues, and cites where each sentence is from.",
    paper="https://arxiv.org/abs/2004.04906",
    operations={
        "train": AssistantTrain,
        "reply": AssistantReply,
        "simulate": AssistantSimulate,
        "evaluate": AssistantEvaluate,
    },
    metrics=ASSISTANT_METRICS,
)
