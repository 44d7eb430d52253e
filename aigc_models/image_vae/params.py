"""What can be set when an image VAE is trained or used."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Estimate, Family, Lane, Makes, Params, dataset_input, model_input, setting
from aigc_models.image_vae.plan import Plan, TokenPlan, cost, token_cost
from aigc_models.judging import MetricInfo
from aigc_models.metrics.image_figures import IMAGE_METRICS

# Multiplications a second of one CPU thread in training, measured on servers with and without bf16.
_CONV_RATE, _LINEAR_RATE = 25e9, 70e9
# What norms and losses cost for each pixel value and channel, in multiplications.
_PER_PIXEL = 200


class ImageVaeTrain(Params):
    """Train an encoder and a decoder that describe images by a few independent numbers."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {"epochs": 12, "least_steps": 450, "width": 24},
            "balanced": {"epochs": 60, "least_steps": 2000, "width": 32},
            "best": {"epochs": 60, "least_steps": 2000, "prior": "tokens"},
        }
    )

    stands_back: ClassVar[Mapping[str, str]] = MappingProxyType({"least_steps": "epochs"})

    dataset: str = dataset_input("images", description="Images to learn from.")
    epochs: int = setting(60, title="Epochs", description="Passes over the training images.", ge=1, le=10_000)
    least_steps: int = setting(
        2000,
        title="Least steps",
        unit="steps",
        description="Training steps that are taken at least, with the prior tokens by each of the two stages: a small "
        "set is passed over more often than Epochs says. It is 0 where you set Epochs and not this, so that your "
        "number holds.",
        ge=0,
        le=10_000_000,
        advanced=True,
    )
    batch_size: int = setting(
        128, title="Batch size", unit="images", description="Images per training step.", ge=2, le=4096
    )
    learning_rate: float = setting(
        0.001, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    prior: Literal["plain", "tokens"] = setting(
        "plain",
        title="Prior",
        description="How images are described: plain by independent latent numbers, which can be blended and varied; "
        "tokens by a grid of symbols whose order self-attention learns, for sharper new images in twice the time.",
    )
    latent_dim: int = setting(
        16,
        title="Latent numbers",
        description="How many numbers describe an image, with the plain prior.",
        ge=2,
        le=512,
    )
    beta: float = setting(
        1.0,
        title="Beta",
        description="Weight of the KL term, with the plain prior; above 1 the numbers become more independent and "
        "images more blurred.",
        ge=0,
        le=100,
    )
    kl_warmup: float = setting(
        0.2,
        title="KL warm-up",
        description="Share of the training over which the weight of the KL term grows from 0 to beta.",
        ge=0,
        le=1,
        advanced=True,
    )
    free_bits: float = setting(
        0.05,
        title="Free bits",
        unit="nats",
        description="Information in nats that each latent number may carry before the KL term counts, "
        "so that none falls silent.",
        ge=0,
        le=5,
        advanced=True,
    )
    backbone: Literal["conv", "mlp"] = setting(
        "conv",
        title="Backbone",
        description="Kind of networks of the plain prior: conv for quality, mlp (one hidden layer) for small images "
        "and speed.",
    )
    width: int = setting(
        32,
        title="Width",
        description="Channels of the first convolution; the mlp has 12.5 times as many hidden numbers.",
        ge=4,
        le=256,
        advanced=True,
    )
    likelihood: Literal["logistic", "bernoulli"] = setting(
        "bernoulli",
        title="Likelihood",
        description="How pixels are scored: bernoulli is the classic cross-entropy of the brightness, logistic a "
        "distribution over the 256 levels with a learnt scale, which suits photos in colour.",
        advanced=True,
    )

    def estimate(self, dataset: Mapping[str, Any], cpu_threads: int) -> Estimate | None:
        """From the number of multiplications; measured rates differ by a factor of two between machines."""
        if not dataset.get("train"):
            return None
        shape = (dataset["channels"], dataset["height"], dataset["width"])
        parameters, work = self._work(*shape)
        batch = min(self.batch_size, dataset["train"])
        seconds = self.steps(dataset["train"], batch) * batch * work / max(cpu_threads, 1) + 8
        channels, height, width = shape
        pixels = 5 * channels * height * width * dataset["train"]
        activations = self.batch_size * height * width * (16 * self.width + 200 * channels)
        memory = 350 + (pixels + activations + parameters * 4 * 5) / 2**20
        return Estimate(round(seconds, 1), round(memory), parameters)

    def steps(self, images: int, batch_size: int) -> int:
        """Training steps, with the prior tokens of each stage, for so many images in batches of so many."""
        return max(1, self.least_steps, math.ceil(self.epochs * images / batch_size))

    def _work(self, channels: int, height: int, width: int) -> tuple[int, float]:
        """Trainable numbers, and seconds of one thread for one image, forward and back."""
        convolving = _PER_PIXEL * channels * height * width * self.width / _CONV_RATE
        if self.prior == "tokens":
            autoencoder, prior = token_cost(token_plan_for(self, channels, height, width))
            work = 3e6 * autoencoder.millions / _CONV_RATE + convolving + 3e6 * prior.millions / _LINEAR_RATE
            return autoencoder.parameters + prior.parameters, work
        costs = cost(plan_for(self, channels, height, width))
        if self.backbone == "conv":
            return costs.parameters, 3e6 * costs.millions / _CONV_RATE + convolving
        return costs.parameters, 4e6 * costs.millions / _LINEAR_RATE


def plan_for(params: ImageVaeTrain, channels: int, height: int, width: int) -> Plan:
    """The networks that settings ask for, for pictures of this shape."""
    return Plan(params.backbone, channels, height, width, params.width, params.latent_dim, _outputs(params))


def token_plan_for(params: ImageVaeTrain, channels: int, height: int, width: int) -> TokenPlan:
    """The networks of the tokens tier, for pictures of this shape."""
    return TokenPlan(channels, height, width, params.width, _outputs(params))


def _outputs(params: ImageVaeTrain) -> int:
    return 2 if params.likelihood == "logistic" else 1  # a scale beside each mean


class _UseModel(Params):
    lane: ClassVar[Lane] = "generation"
    makes: ClassVar[Makes] = "files"

    model: str = model_input("image_vae", description="Trained model to use.")


class ImageVaeGenerate(_UseModel):
    """Draw new images."""

    count: int = setting(16, title="Images", unit="images", description="How many images to draw.", ge=1, le=10_000)
    temperature: float = setting(
        1.0,
        title="Temperature",
        description="Spread of the random draw; below 1 images are more typical and less varied.",
        gt=0,
        le=2,
    )

    @classmethod
    def items(cls, params: Mapping[str, Any]) -> int | None:
        """As many as pictures."""
        return int(params.get("count", 16))


class ImageVaeEvaluate(_UseModel):
    """Measure a trained model on the test images of a dataset."""

    dataset: str = dataset_input("images", description="Dataset whose test images are used.")


class ImageVaeReconstruct(_UseModel):
    """Encode test images and decode them again, to see what the model keeps of them."""

    dataset: str = dataset_input("images", description="Dataset whose test images are used.")
    count: int = setting(
        16, title="Images", unit="images", description="How many test images to rebuild.", ge=1, le=1000
    )


class ImageVaeInterpolate(_UseModel):
    """Walk between pairs of random images in equal steps."""

    count: int = setting(8, title="Walks", description="How many pairs to walk between.", ge=1, le=100)
    steps: int = setting(
        10, title="Steps", unit="images", description="Images of each walk, both ends included.", ge=3, le=64
    )


class ImageVaeTraverse(_UseModel):
    """Change one latent number at a time, to see what each one stands for."""

    dimensions: int = setting(
        10,
        title="Latent numbers",
        description="How many latent numbers to show, those that carry most information first.",
        ge=1,
        le=64,
    )
    steps: int = setting(9, title="Steps", unit="images", description="Images for each latent number.", ge=3, le=33)
    span: float = setting(
        3.0,
        title="Span",
        description="Largest value of the latent number, in standard deviations of the prior.",
        gt=0,
        le=10,
    )


FAMILY = Family(
    name="image_vae",
    title="Image VAE",
    summary="Learns to describe images by a few numbers: draws new ones, rebuilds, blends and varies them.",
    paper="https://arxiv.org/abs/1312.6114",
    operations={
        "train": ImageVaeTrain,
        "generate": ImageVaeGenerate,
        "evaluate": ImageVaeEvaluate,
        "reconstruct": ImageVaeReconstruct,
        "interpolate": ImageVaeInterpolate,
        "traverse": ImageVaeTraverse,
    },
    metrics={
        "elbo": MetricInfo(
            "ELBO",
            "higher",
            "Lower bound in nats on the log-likelihood of a test image, under the likelihood it was trained with.",
            "elbo_baseline",
        ),
        "bits_per_dim": MetricInfo(
            "Bits per dimension",
            "lower",
            "The same bound as bits needed for each pixel value of a test image.",
            "bits_per_dim_baseline",
        ),
        "elbo_baseline": MetricInfo(
            "ELBO of independent pixels",
            "higher",
            "Log-likelihood in nats when every pixel is drawn for itself.",
            of="independent pixels",
        ),
        "bits_per_dim_baseline": MetricInfo(
            "Bits of independent pixels",
            "lower",
            "Bits for each pixel value when every pixel is drawn for itself.",
            of="independent pixels",
        ),
        "kl": MetricInfo(
            "KL divergence", "none", "Information in nats that the latent numbers carry about a test image."
        ),
        "active_units": MetricInfo(
            "Active units", "higher", "Latent numbers whose mean varies over the test images by more than 0.01."
        ),
        "codes_used": MetricInfo(
            "Symbols in use", "higher", "How many different symbols the test images are described by."
        ),
        "reconstruction_error": MetricInfo(
            "Reconstruction error",
            "lower",
            "Mean squared difference of a rebuilt test image, with pixels from -1 to 1; beside it the average image's.",
            "reconstruction_error_baseline",
        ),
        "reconstruction_error_baseline": MetricInfo(
            "Error of the average image",
            "lower",
            "Mean squared difference between test images and the average image.",
            of="the average image",
        ),
        **{name: IMAGE_METRICS[name] for name in ("domain_fid", "domain_fid_baseline", "domain_fid_floor")},
    },
)
