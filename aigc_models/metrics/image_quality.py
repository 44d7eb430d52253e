"""Every figure of a set of generated pictures, each with the trivial baseline and the best one could hope for."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.data.images import ImageSet
from aigc_models.judging import MetricInfo
from aigc_models.metrics import image_classifier, image_distance
from aigc_models.metrics.image_figures import IMAGE_METRICS

# More than these change a figure less than another seed does.
MOST_COMPARED, MOST_TAUGHT = 10_000, 10_000


@dataclass(frozen=True, slots=True)
class Generated:
    """Pictures a model made, bytes (N, C, H, W), and what it was asked for (N,) or None."""

    pictures: Tensor
    labels: Tensor | None


def wanted(data: ImageSet) -> int:
    """How many generated pictures the figures of a dataset are made with."""
    return max(min(MOST_TAUGHT, 2 * len(data.train)), len(data.test))


def picture_metrics(generated: Generated, data: ImageSet, seed: int) -> dict[str, float]:
    """Compare generated pictures with a dataset's held-out ones.

    Train-on-synthetic figures need labels on both sides.
    """
    real, count = data.test[:MOST_COMPARED], min(MOST_COMPARED, len(data.test), len(generated.pictures))
    if count < image_distance.FEWEST:
        return {}
    sample = training.seeded(seed, "metrics")
    others = data.train[torch.randperm(len(data.train), generator=sample)[: len(real)]]
    marginals = image_distance.marginal_pictures(data.train, len(real), seed)
    metrics = {
        "domain_fid": image_distance.domain_fid(real, _pick(generated.pictures, len(real), sample)),
        "domain_fid_baseline": image_distance.domain_fid(real, marginals),
        "domain_fid_floor": image_distance.domain_fid(real, others),
    }
    if generated.labels is None or data.train_labels is None or data.test_labels is None:
        return metrics
    return metrics | _taught(generated.pictures, generated.labels, data, seed)


def _pick(pictures: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return pictures[torch.randperm(len(pictures), generator=generator)[:count]]


def _taught(pictures: Tensor, labels: Tensor, data: ImageSet, seed: int) -> dict[str, float]:
    assert data.train_labels is not None
    assert data.test_labels is not None
    classes, steps = len(data.classes), image_classifier.steps_for(len(data.train))

    def taught_by(images: Tensor, names: Tensor) -> float:
        assert data.test_labels is not None
        model = image_classifier.train_classifier(images, names, classes, seed, steps)
        return image_classifier.accuracy(model, data.test, data.test_labels)

    return {
        "tstr_accuracy": taught_by(pictures, labels),
        "trtr_accuracy": taught_by(data.train, data.train_labels),
        "tstr_baseline": image_classifier.majority_accuracy(data.train_labels, data.test_labels),
    }


def verdict(metrics: Mapping[str, float], figures: Mapping[str, MetricInfo] = IMAGE_METRICS) -> list[str]:
    """Plain sentences on figures that are not better than their baselines."""
    lines = []
    for name, info in figures.items():
        if info.baseline is not None and info.judge(name, metrics) == "worse":
            figure, baseline = metrics[name], metrics[info.baseline]
            lines.append(f"{info.title} {figure:.3g} is not better than the trivial baseline {baseline:.3g}.")
    return lines
