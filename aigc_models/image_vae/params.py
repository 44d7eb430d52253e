"""What can be set when an image VAE is trained or used."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from aigc_models.base import Family, Lane, Makes, MetricInfo, Params, dataset_input, model_input, setting


class ImageVaeTrain(Params):
    """Train an encoder and a decoder that describe images by a few independent numbers."""

    lane: ClassVar[Lane] = "training"
    makes: ClassVar[Makes] = "model"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
        {
            "quick": {"epochs": 12, "width": 24},
            "balanced": {"epochs": 60, "width": 32},
            "best": {"epochs": 200, "width": 64, "latent_dim": 64},
        }
    )

    dataset: str = dataset_input("images", description="Images to learn from.")
    epochs: int = setting(60, title="Epochs", description="Passes over the training images.", ge=1, le=10_000)
    batch_size: int = setting(
        128, title="Batch size", unit="images", description="Images per training step.", ge=2, le=4096
    )
    learning_rate: float = setting(
        0.001, title="Learning rate", description="Largest step size of the optimiser.", gt=0, le=0.1
    )
    latent_dim: int = setting(
        32,
        title="Latent numbers",
        description="How many numbers describe an image.",
        ge=2,
        le=512,
    )
    beta: float = setting(
        1.0,
        title="Beta",
        description="Weight of the KL term; above 1 the numbers become more independent and images more blurred.",
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
        description="Kind of networks: conv for quality, mlp (one hidden layer) for small images and speed.",
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
        "logistic",
        title="Likelihood",
        description="How pixels are scored: logistic is a distribution over the 256 levels with a learnt scale, "
        "bernoulli the classic cross-entropy of the brightness.",
        advanced=True,
    )


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
        "active_units": MetricInfo(
            "Active units", "higher", "Latent numbers whose mean varies over the test images by more than 0.01."
        ),
        "domain_fid": MetricInfo(
            "Domain-FID",
            "lower",
            "Distance between drawn and test images in the features of the bundled network.",
            "domain_fid_baseline",
        ),
    },
)
