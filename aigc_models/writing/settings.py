"""The settings of writing that families of texts share; no torch, as forms are made from them."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

from aigc_models.base import Fault, Lane, Makes, Params, dataset_input, model_input, setting

TokenizerKind = Literal["auto", "pieces", "characters", "bytes"]
MOST_TEXT = 20_000
# Characters below which single characters are learnt better than pieces of words.
FEW_CHARACTERS = 300_000


class Prompted(Params):
    """Write texts that begin with something, or are to be like something."""

    named_by: ClassVar[tuple[str, ...]] = ("prompt", "attributes")

    model: str = model_input("", description="Trained model to use.")
    prompt: str = setting(
        "",
        title="Prompt",
        description="What the texts begin with; empty lets the model begin.",
        max_length=MOST_TEXT,
    )
    attributes: str = setting(
        "",
        title="Attributes",
        description="What the texts are to be like, such as section=games, tags=2d, arcade; only what the training "
        "texts have can be asked for. The dataset's page lists it.",
        max_length=200,
    )
    candidates: int = setting(
        1,
        title="Candidates",
        unit="for each",
        description="How many texts are written for each one kept; the ranker and the attributes choose the best.",
        ge=1,
        le=64,
    )
    stop: str = setting(
        "",
        title="Stop at",
        description="A text ends before the first of these, one in each line.",
        max_length=2000,
        advanced=True,
    )


class WriteTexts(Params):
    """Write texts."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("", description="Trained model to use.")
    count: int = setting(8, title="Texts", description="How many texts to write.", ge=1, le=10_000)
    max_tokens: int = setting(
        200,
        title="Longest text",
        unit="tokens",
        description="How many tokens a text may have; it may end before.",
        ge=1,
        le=8192,
    )
    temperature: float = setting(
        0.8,
        title="Temperature",
        description="How daring the choice of words is: 0 always takes the likeliest, 1 draws as the texts do.",
        ge=0,
        le=5,
    )
    top_k: int = setting(
        0,
        title="Top k",
        unit="tokens",
        description="Only so many of the likeliest tokens may come next; 0 allows all.",
        ge=0,
        le=100_000,
        advanced=True,
    )
    top_p: float = setting(
        0.95,
        title="Top p",
        description="Only the likeliest tokens that have this share together may come next.",
        gt=0,
        le=1,
        advanced=True,
    )
    repetition_penalty: float = setting(
        1.0,
        title="Repetition penalty",
        description="How much less likely a token becomes that the text has already; 1 changes nothing.",
        ge=1,
        le=5,
        advanced=True,
    )


class WriteWanted(WriteTexts, Prompted):
    """Write texts: after a prompt, with attributes, or freely."""

    def misfits(self, reports: Callable[[str], Mapping[str, Any]]) -> list[Fault]:
        """Attributes that are asked for and that no training text has."""
        if not self.attributes:
            return []
        from aigc_models.writing.vocabulary import attribute_faults  # pages that ask for none need not have it

        return attribute_faults(self.attributes, reports("model"))


class JudgeTexts(Params):
    """Measure a trained model on the test texts of a dataset, beside baselines."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("", description="Trained model to use.")
    dataset: str = dataset_input("text", description="Texts whose test part is used.")


def tokenizer_kind(chosen: TokenizerKind, characters: int) -> Literal["pieces", "characters", "bytes"]:
    """How text is cut where the setting leaves it open."""
    if chosen != "auto":
        return chosen
    return "pieces" if characters >= FEW_CHARACTERS else "characters"
