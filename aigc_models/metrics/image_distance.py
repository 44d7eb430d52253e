"""How far generated pictures are from real ones: the Frechet distance in the features of our own network.

Not comparable with Inception FID; compare figures of this network with each other, and
with the two figures reported beside: another real sample, and pictures of independent pixels.
"""

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.metrics.feature_net import features

# A handful of pictures gives no covariance worth the name.
FEWEST = 2


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of two samples taken as normal distributions.

    Shape: a (N, D), b (M, D). Source: Heusel et al. 2017, equation 6; the trace of the
    matrix root is the sum of the roots of the eigenvalues of ``A^.5 B A^.5``, which stays real.
    """
    mean = (a.mean(0) - b.mean(0)).square().sum()
    first, second = covariance(a), covariance(b)
    values, vectors = torch.linalg.eigh(first)
    root = (vectors * _roots(values)) @ vectors.T
    cross = _roots(torch.linalg.eigvalsh(root @ second @ root)).sum()
    return max(0.0, float(mean + first.trace() + second.trace() - 2 * cross))


def _roots(eigenvalues: Tensor) -> Tensor:
    """Square roots; what is zero but for rounding counts as zero, or its root would be noise that is not small."""
    real = eigenvalues > eigenvalues.max() * 1e-10
    return torch.where(real, eigenvalues, 0.0).sqrt()


def covariance(x: Tensor) -> Tensor:
    """Shape: x (N, D) to (D, D)."""
    centred = x - x.mean(0)
    return centred.T @ centred / max(len(x) - 1, 1)


def domain_fid(real: Tensor, generated: Tensor) -> float:
    """Frechet distance between pictures in the shipped network's features (lower is better).

    Shape: both (N, C, H, W), bytes or floats in [-1, 1]; sizes and counts may differ.
    """
    return round(frechet(features(real), features(generated)), 3)


def marginal_pictures(images: Tensor, count: int, seed: int) -> Tensor:
    """Pictures where every pixel comes from a real picture of its own: right marginals, no structure.

    Shape: images (N, C, H, W) to (count, C, H, W).
    """
    rows = torch.randint(len(images), (count, *images.shape[1:]), generator=training.seeded(seed, "marginals"))
    return images.gather(0, rows)
