"""What can be set when an image GAN is trained or used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Estimate, Family, Lane, Makes, Params, dataset_input, model_input, setting
from aigc_models.image_gan.plan import Plan, cost
from aigc_models.metrics.image_figures import IMAGE_METRICS

# Of one thread of a server CPU with AVX512-BF16: multiplications a second in training; and seconds
# of each step that do not shrink with the networks.
_PER_THREAD, _PER_STEP = 65e9, 0.012


class ImageGanTrain(Params):
    """Train a generator and a discriminator on a set of images."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {
                "epochs": 6,
                "least_steps": 900,
                "width": 16,
                "learning_rate": 0.002,
                "batch_size": 32,
                "ema_half_life": 100.0,
            },
            "balanced": {"epochs": 32, "least_steps": 2500},
            "best": {"epochs": 100, "least_steps": 7500, "width": 48, "augmentation": "adaptive"},
        }
    )

    stands_back: ClassVar[Mapping[str, str]] = MappingProxyType({"least_steps": "epochs"})

    dataset: str = dataset_input("images", description="Images to learn from.")
    epochs: int = setting(32, title="Epochs", description="Passes over the training images.", ge=1, le=10_000)
    least_steps: int = setting(
        2500,
        title="Least steps",
        unit="steps",
        description="Training steps that are taken at least: a small set is passed over more often than Epochs says. "
        "It is 0 where you set Epochs and not this, so that your number holds.",
        ge=0,
        le=10_000_000,
        advanced=True,
    )
    batch_size: int = setting(
        64, title="Batch size", unit="images", description="Images per training step.", ge=2, le=4096
    )
    learning_rate: float = setting(
        0.001, title="Learning rate", description="Step size of both optimisers at the start.", gt=0, le=0.1
    )
    backbone: Literal["mlp", "dcgan", "resnet"] = setting(
        "dcgan",
        title="Backbone",
        description="Kind of networks: dcgan (plain convolutions), resnet (slower, for larger images) or mlp "
        "(no convolutions, as in the first GAN).",
    )
    loss: Literal["relativistic", "non_saturating", "hinge", "wgan_gp"] = setting(
        "relativistic",
        title="Loss",
        description="What the networks play for: relativistic (stable, the default), non_saturating (the classic "
        "of 2014), hinge, or wgan_gp.",
    )
    conditional: Literal["auto", "yes", "no"] = setting(
        "auto",
        title="Learn classes",
        description="Whether images can be asked for by class; auto means yes where the dataset has classes.",
    )
    image_size: int | None = setting(
        None,
        title="Image size",
        unit="pixels",
        description="Side of the square images in pixels, a multiple of 4; empty takes the dataset's size, at most 64.",
        ge=0,
        le=256,
        multiple_of=4,
    )
    attention: bool = setting(
        False,
        title="Self-attention",
        description="Adds a self-attention block to both networks, so that distant parts of an image agree.",
        advanced=True,
    )
    width: int = setting(
        32,
        title="Width",
        unit="channels",
        description="Channels at full resolution; the time of a step grows with its square.",
        ge=4,
        le=256,
        advanced=True,
    )
    latent_dim: int = setting(
        64,
        title="Latent numbers",
        description="How many random numbers an image is made from.",
        ge=2,
        le=1024,
        advanced=True,
    )
    augmentation: Literal["none", "shift", "strong", "adaptive"] = setting(
        "none",
        title="Augmentation",
        description="Changes that real and generated images undergo before they are judged; adaptive adds as much "
        "as overfitting demands, for small datasets and long trainings.",
        advanced=True,
    )
    penalty: float = setting(
        1.0,
        title="Gradient penalty",
        description="Weight of the penalty on steep judgements: R1 and R2, or the WGAN penalty; 0 turns it off.",
        ge=0,
        le=1000,
        advanced=True,
    )
    penalty_every: int = setting(
        8,
        title="Penalty interval",
        unit="steps",
        description="Steps from one gradient penalty to the next; each then weighs as much more.",
        ge=1,
        le=64,
        advanced=True,
    )
    ema_half_life: float = setting(
        500.0,
        title="Averaging",
        unit="steps",
        description="Steps after which old weights count half in the averaged generator that makes the images.",
        ge=1,
        le=100_000,
        advanced=True,
    )

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications; measured rates differ by a factor of two between machines."""
        if not dataset.get("train"):
            return None
        classes = len(dataset["classes"]) if self.conditional != "no" else 0
        plan = plan_for(self, dataset["channels"], max(dataset["height"], dataset["width"]), classes)
        costs = cost(plan)
        images = self.steps(dataset["train"]) * self.batch_size
        work = 4 * costs.generator_millions + 9 * costs.discriminator_millions  # passes of a step, per image
        seconds = images * (work * 1e6 / (_PER_THREAD * max(cpu_threads, 1)) + _PER_STEP / self.batch_size)
        seconds += 20 if classes else 5  # evaluation
        pixels = dataset["train"] * plan.size**2 * plan.channels
        activations = self.batch_size * plan.size**2 * plan.width * 4 * 24
        memory = 350 + (pixels + activations + costs.parameters * 4 * 5) / 2**20
        return Estimate(round(seconds, 1), round(memory), costs.parameters)

    def steps(self, images: int) -> int:
        """Training steps for so many images."""
        return max(1, self.least_steps, self.epochs * images // self.batch_size)


def plan_for(params: ImageGanTrain, channels: int, side: int, classes: int) -> Plan:
    """The networks' shape for a dataset of this kind."""
    size = params.image_size or min(64, -(-max(side, 8) // 4) * 4)
    return Plan(params.backbone, max(size, 8), channels, classes, params.width, params.latent_dim, params.attention)


class ImageGanGenerate(Params):
    """Make new images with a trained generator."""

    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("image_gan", description="Trained model to use.")
    count: int = setting(16, title="Images", unit="images", description="How many images to make.", ge=1, le=10_000)
    classes: str = setting(
        "",
        title="Classes",
        description="Names of the classes to make, separated by commas; empty makes all in turn.",
        max_length=2000,
    )
    truncation: float = setting(
        1.0,
        title="Truncation",
        description="Spread of the random draw; below 1 images are more typical and less varied.",
        gt=0,
        le=2,
    )

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:
        """As many as pictures."""
        return int(params.get("count", 16))


class ImageGanEvaluate(Params):
    """Measure a trained generator against the held-out images of a dataset."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("image_gan", description="Trained model to measure.")
    dataset: str = dataset_input("images", description="Dataset whose held-out images it is compared with.")


FAMILY = Family(
    name="image_gan",
    title="Image GAN",
    summary="Learns from a set of pictures to make new ones like them, by class where there are classes.",
    paper="https://arxiv.org/abs/1406.2661",
    operations={"train": ImageGanTrain, "generate": ImageGanGenerate, "evaluate": ImageGanEvaluate},
    metrics=IMAGE_METRICS,
)
