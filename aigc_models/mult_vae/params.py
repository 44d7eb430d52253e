"""What can be set when a Mult-VAE is trained or used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Estimate, Family, Lane, Makes, Params, dataset_input, devices_setting, model_input, setting
from aigc_models.mult_vae.plan import Plan
from aigc_models.recommending.figures import RANKING_METRICS
from aigc_models.recommending.settings import Evaluate, Recommend

# Multiplications a second of one CPU thread in training.
_RATE = 20e9


class MultVaeTrain(Params):
    """Train a variational autoencoder on the sets of items that users have."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {"quick": {"epochs": 15, "hidden_dim": 200}, "balanced": {}, "best": {"epochs": 100, "patience": 30}}
    )

    dataset: str = dataset_input("interactions", description="Interactions to learn from.")
    epochs: int = setting(
        40,
        title="Epochs",
        description="Most passes over the users; the best one by the validation events is kept.",
        ge=1,
        le=100_000,
    )
    batch_size: int = setting(
        32, title="Batch size", unit="users", description="Users per training step.", ge=2, le=8192
    )
    learning_rate: float = setting(
        0.003, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    hidden_dim: int = setting(300, title="Hidden numbers", description="Numbers of each hidden layer.", ge=4, le=8192)
    latent_dim: int = setting(
        100, title="Latent numbers", description="How many numbers describe a user.", ge=2, le=2048
    )
    dropout: float = setting(
        0.7,
        title="Dropout",
        description="Share of a user's items that the network does not get to see in training, so that it learns to "
        "fill in what is missing.",
        ge=0,
        le=0.95,
    )
    beta: float = setting(
        0.2,
        title="Beta",
        description="Weight of the KL term once it is warmed up; below 1 recommendations are better and the latent "
        "numbers less tidy.",
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
    prior: Literal["normal", "composite"] = setting(
        "composite",
        title="Prior",
        description="What the KL term compares with: normal as in Mult-VAE, or composite as in RecVAE, which also "
        "holds on to what was learnt in the pass before.",
        advanced=True,
    )
    beta_by_user: bool = setting(
        True,
        title="Beta by user",
        description="Whether the KL term weighs more for users with more events, as in RecVAE.",
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
    refit: bool = setting(
        True,
        title="Learn again",
        description="Whether the training is followed by another, as long as was best, that learns from the validation "
        "events as well. With the split strong there is none.",
        advanced=True,
    )
    patience: int = setting(
        15,
        title="Patience",
        unit="epochs",
        description="Passes without a better NDCG on the validation events after which the training stops.",
        ge=1,
        le=100_000,
        advanced=True,
    )
    split: Literal["share", "strong", "leave_one_out", "time"] = setting(
        "share",
        title="Split",
        description="Which events test the model: share some of each user's, strong those of users it never learns "
        "from, leave_one_out each user's last, time the last of all.",
        advanced=True,
    )
    test_percent: int = setting(
        25,
        title="Test share",
        unit="%",
        description="Percent of the events (with strong, of the users) that test the model; leave_one_out takes one "
        "event of each user.",
        ge=1,
        le=40,
        advanced=True,
    )
    devices: int = devices_setting()

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications, as if the training never stopped early."""
        if not dataset.get("users"):
            return None
        plan, users = plan_for(self, int(dataset["items"])), int(dataset["users"])
        seconds = self.epochs * (1 + self.refit) * users * 3e6 * plan.millions / _RATE / max(cpu_threads, 1)
        memory = 350 + (4 * self.batch_size * plan.items * 6 + 24 * plan.parameters) / 2**20
        return Estimate(round(seconds + 8, 1), round(memory), plan.parameters)


def plan_for(params: MultVaeTrain, items: int) -> Plan:
    """The networks that settings ask for, for a catalogue of so many items."""
    return Plan(items, params.hidden_dim, params.latent_dim, params.prior == "composite")


class MultVaeRecommend(Recommend):
    """Say which items users will want, from the set of items they have, and for which of them."""

    model: str = model_input("mult_vae", description="Trained model to use.")
    reasons: Literal["leave_one_out", "none"] = setting(
        "leave_one_out",
        title="Reasons",
        description="How it is found what an item is recommended for: leave_one_out takes each item out of the history "
        "and looks how much the score falls.",
    )


class MultVaeEvaluate(Evaluate):
    """Measure a trained model on the test events of a dataset, beside the baselines."""

    model: str = model_input("mult_vae", description="Trained model to use.")


FAMILY = Family(
    name="mult_vae",
    title="Mult-VAE",
    summary="Recommends items that go with those a user has, whatever their order, by a variational autoencoder.",
    paper="https://arxiv.org/abs/1802.05814",
    operations={"train": MultVaeTrain, "recommend": MultVaeRecommend, "evaluate": MultVaeEvaluate},
    metrics=RANKING_METRICS,
)
