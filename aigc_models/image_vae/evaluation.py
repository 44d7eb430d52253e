"""What a trained VAE is worth on pictures it has never seen, each figure beside a trivial baseline."""

import math

import torch
from torch import Tensor

from aigc_models.base import Adjustments, Metrics
from aigc_models.data.images import ImageSet
from aigc_models.image_vae import objective
from aigc_models.image_vae.using import BATCH, ImageModel, seeds_from
from aigc_models.metrics.image_quality import MOST_COMPARED, Generated, picture_metrics
from aigc_models.pictures import from_bytes

_CHUNK = 100


def evaluate(model: ImageModel, images: ImageSet, likelihood: str, seed: int, adjustments: Adjustments) -> Metrics:
    """Measure on the test part; what is drawn for it depends on the seed alone."""
    found = model.bound(images.test, seed, adjustments.chunk(BATCH))
    baseline = baseline_log_likelihood(images, likelihood)
    count, dimensions = min(len(images.test), MOST_COMPARED), images.test[0].numel()
    drawn = model.draw(seeds_from(seed, count), chunk=adjustments.chunk(_CHUNK))
    average = from_bytes(images.train).mean(0)
    return {
        **found,
        "elbo_baseline": baseline,
        "bits_per_dim": objective.bits_per_dimension(found["elbo"], dimensions),
        "bits_per_dim_baseline": objective.bits_per_dimension(baseline, dimensions),
        "reconstruction_error_baseline": float((from_bytes(images.test) - average).square().mean()),
        **picture_metrics(Generated(drawn, None), images, seed),
    }


def baseline_log_likelihood(images: ImageSet, likelihood: str) -> float:
    """Mean log-likelihood of a test picture when every pixel is on its own, as it was in training."""
    train, test = images.train.flatten(1), images.test.flatten(1)
    if likelihood == "bernoulli":
        mean = (train.double().mean(0) / 255).clamp(1e-4, 1 - 1e-4)
        x = test.double() / 255
        return float((x * mean.log() + (1 - x) * (1 - mean).log()).sum(1).mean())
    return float(_log_shares(train, test).sum(0) / len(test))


def _log_shares(train: Tensor, test: Tensor) -> Tensor:
    """Log-share of each test value among the training values of its pixel, one added to every level's count.

    Shape: (N, D) and (M, D) to (D,), summed over the test pictures.
    """
    sums = []
    for column in range(train.shape[1]):
        counts = torch.bincount(train[:, column].long(), minlength=256).double() + 1
        logs = counts.log() - math.log(float(counts.sum()))
        sums.append(logs[test[:, column].long()].sum())
    return torch.stack(sums)
