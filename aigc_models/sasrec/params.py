"""What can be set when a SASRec is trained or used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Estimate, Family, Lane, Makes, Params, dataset_input, devices_setting, model_input, setting
from aigc_models.recommending.figures import RANKING_METRICS
from aigc_models.recommending.settings import Evaluate, Recommend
from aigc_models.sasrec.plan import MOST_FULL, Plan

# Multiplications a second of one CPU thread in training.
_RATE = 9e9


class SasrecTrain(Params):
    """Train self-attention on what users did in order, to say what each does next."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"quick": {"epochs": 8, "max_length": 50}, "balanced": {}, "best": {"epochs": 60, "patience": 15}}
    )

    dataset: str = dataset_input("interactions", description="Interactions to learn from.")
    epochs: int = setting(
        30,
        title="Epochs",
        description="Most passes over the events; the training stops before it overfits.",
        ge=1,
        le=10_000,
    )
    batch_size: int = setting(
        32,
        title="Batch size",
        unit="histories",
        description="Histories, or pieces of long ones, per training step.",
        ge=2,
        le=4096,
    )
    learning_rate: float = setting(
        0.002, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    max_length: int = setting(
        100,
        title="History length",
        unit="events",
        description="How many of a user's newest events are looked at.",
        ge=2,
        le=1024,
    )
    width: int = setting(64, title="Width", description="Numbers that describe an item.", ge=4, le=1024, multiple_of=4)
    num_layers: int = setting(
        2, title="Layers", description="Blocks of self-attention, one after the other.", ge=1, le=12, advanced=True
    )
    num_heads: Literal[1, 2, 4] = setting(
        2,
        title="Heads",
        description="Attentions side by side in each block; the width is shared out among them.",
        advanced=True,
    )
    dropout: float = setting(
        0.3,
        title="Dropout",
        description="Share of the numbers left out at random in training, so that no history is learnt by heart.",
        ge=0,
        le=0.9,
    )
    label_smoothing: float = setting(
        0.0,
        title="Label smoothing",
        description="Share of the target that is spread over all items, where all are compared.",
        ge=0,
        le=0.5,
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
    loss: Literal["auto", "full", "sampled"] = setting(
        "auto",
        title="Loss",
        description="Whether each target is compared with all items (full) or with some drawn at random (sampled); "
        f"auto compares with all up to {MOST_FULL} items.",
        advanced=True,
    )
    negatives: int = setting(
        1024,
        title="Negatives",
        unit="items",
        description="How many items are drawn at each step where not all are compared.",
        ge=1,
        le=100_000,
        advanced=True,
    )
    patience: int = setting(
        8,
        title="Patience",
        unit="epochs",
        description="Passes without a better NDCG on the validation events after which the training stops.",
        ge=1,
        le=10_000,
        advanced=True,
    )
    split: Literal["leave_one_out", "time"] = setting(
        "leave_one_out",
        title="Split",
        description="Which events test the model: leave_one_out each user's last, time the last of all.",
        advanced=True,
    )
    test_percent: int = setting(
        10,
        title="Test share",
        unit="%",
        description="Percent of the events that test the model, where the split is by time.",
        ge=1,
        le=40,
        advanced=True,
    )
    devices: int = devices_setting()

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications, as if the training never stopped early."""
        if not dataset.get("events"):
            return None
        plan, compared = plan_for(self, int(dataset["items"])), compared_items(self, int(dataset["items"]))
        work = 3e6 * plan.millions(compared) / _RATE * int(dataset["events"]) / max(cpu_threads, 1)
        places = self.batch_size * min(self.max_length, max(int(dataset["events"]) // max(int(dataset["users"]), 1), 1))
        cells = places * (3 * compared + self.num_layers * (20 * self.width + 3 * self.num_heads * self.max_length))
        memory = 350 + (4 * cells + 20 * plan.parameters + 16 * int(dataset["events"])) / 2**20
        return Estimate(round(self.epochs * work + 10, 1), round(memory), plan.parameters)


def plan_for(params: SasrecTrain, items: int) -> Plan:
    """The network that settings ask for, for a catalogue of so many items."""
    return Plan(items, params.width, params.num_layers, params.num_heads, params.max_length)


def compared_items(params: SasrecTrain, items: int) -> int:
    """With how many items each target is compared."""
    full = params.loss == "full" or (params.loss == "auto" and items <= MOST_FULL)
    return items if full else min(params.negatives, items)


class SasrecRecommend(Recommend):
    """Say what users will want next, from what they did in order, and for which of it."""

    model: str = model_input("sasrec", description="Trained model to use.")
    reasons: Literal["leave_one_out", "attention", "none"] = setting(
        "leave_one_out",
        title="Reasons",
        description="How it is found what an item is recommended for: leave_one_out takes each item out of the history "
        "and looks how much the score falls, attention tells what the network looked at.",
    )


class SasrecEvaluate(Evaluate):
    """Measure a trained model on the test events of a dataset, beside the baselines."""

    model: str = model_input("sasrec", description="Trained model to use.")


FAMILY = Family(
    name="sasrec",
    title="SASRec",
    summary="Recommends what comes next by self-attention over what each user did, in order.",
    paper="https://arxiv.org/abs/1808.09781",
    operations={"train": SasrecTrain, "recommend": SasrecRecommend, "evaluate": SasrecEvaluate},
    metrics=RANKING_METRICS,
)
