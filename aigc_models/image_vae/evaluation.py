"""What a trained VAE is worth on pictures it has never seen, each figure beside a trivial baseline."""

import math

import torch
from torch import Tensor

from aigc_models import training
from aigc_models.base import Metrics
from aigc_models.data.images import ImageSet
from aigc_models.image_vae import objective
from aigc_models.image_vae.networks import Vae
from aigc_models.metrics.image_quality import MOST_COMPARED, Generated, picture_metrics
from aigc_models.pictures import from_bytes, to_bytes

_BATCH = 250
_DRAWN = 16
_ACTIVE = 0.01


@torch.inference_mode()
def evaluate(vae: Vae, images: ImageSet, likelihood: str, seed: int) -> Metrics:
    """Measure on the test part.

    The bound takes one draw per picture; each picture's draw depends on the seed and its place alone.
    """
    found = bound(vae, images.test, likelihood, seed)
    baseline = baseline_log_likelihood(images, likelihood)
    count = min(len(images.test), MOST_COMPARED)
    drawn = decode_all(vae, draw_latent(seed, count, vae.plan.latent_dim), likelihood)
    average = from_bytes(images.train).mean(0)
    return {
        **found,
        "elbo_baseline": baseline,
        "bits_per_dim": objective.bits_per_dimension(found["elbo"], vae.plan.dimensions),
        "bits_per_dim_baseline": objective.bits_per_dimension(baseline, vae.plan.dimensions),
        "reconstruction_error_baseline": float((from_bytes(images.test) - average).square().mean()),
        **picture_metrics(Generated(drawn, None), images, seed),
    }


def draw_latent(seed: int, count: int, width: int) -> Tensor:
    """Latent numbers from the prior (count, Z); each row depends on its own seed (seed, seed + 1, ...) alone."""
    return training.item_noise(seeds_from(seed, count), width)


def seeds_from(seed: int, count: int) -> list[int]:
    """The seeds of a number of items."""
    return [(seed + index) % 2**31 for index in range(count)]


@torch.inference_mode()
def bound(vae: Vae, images: Tensor, likelihood: str, seed: int) -> dict[str, float]:
    """Evidence lower bound in nats for each picture, its KL part, active units and squared error."""
    device = next(vae.parameters()).device
    likelihoods, kls, means, error = [], [], [], 0.0
    for start in range(0, len(images), _BATCH):
        x = from_bytes(images[start : start + _BATCH]).to(device)
        mean, log_variance = vae.encode(x)
        noise = draw_latent(seed + start, len(x), vae.plan.latent_dim).to(device)
        output = vae.decode(mean + noise * (0.5 * log_variance).exp())
        likelihoods.append(objective.log_likelihood(x, output, likelihood).double())
        kls.append(objective.kl_to_prior(mean, log_variance).double())
        means.append(mean)
        rebuilt = objective.picture(vae.decode(mean), likelihood)
        error += float((rebuilt - x).square().sum())
    kl = torch.cat(kls)
    return {
        "elbo": float((torch.cat(likelihoods) - kl.sum(1)).mean()),
        "kl": float(kl.sum(1).mean()),
        "active_units": float(active_units(torch.cat(means))),
        "reconstruction_error": error / images.numel(),
    }


def active_units(means: Tensor) -> int:
    """Latent numbers whose posterior mean varies over the data by more than 0.01.

    Shape: (N, Z). Source: Burda et al. 2016, section 5.2.
    """
    return int((means.var(0, correction=0) > _ACTIVE).sum())


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


@torch.inference_mode()
def information(vae: Vae, images: Tensor) -> list[float]:
    """Mean KL in nats of each latent number over pictures: how much it tells about them."""
    device = next(vae.parameters()).device
    parts = [objective.kl_to_prior(*vae.encode(from_bytes(part).to(device))).cpu() for part in images.split(_BATCH)]
    return [float(value) for value in torch.cat(parts).mean(0)]


@torch.inference_mode()
def rebuild(vae: Vae, images: Tensor, likelihood: str) -> Tensor:
    """Pictures (N, C, H, W) as bytes, encoded to the mean of their posterior and decoded again."""
    device = next(vae.parameters()).device
    means = [vae.encode(from_bytes(part).to(device))[0].cpu() for part in images.split(_BATCH)]
    return decode_all(vae, torch.cat(means), likelihood)


@torch.inference_mode()
def decode_all(vae: Vae, z: Tensor, likelihood: str) -> Tensor:
    """Pictures as bytes (N, C, H, W) of latent numbers (N, Z).

    Decoded in chunks of one size, the last one filled up, so that a picture's numbers never
    depend on how many others were asked for.
    """
    device = next(vae.parameters()).device
    parts = []
    for part in z.split(_DRAWN):
        filled = torch.cat([part, part.new_zeros(_DRAWN - len(part), part.shape[1])])
        output = vae.decode(filled.to(device))[: len(part)]
        parts.append(to_bytes(objective.picture(output, likelihood)).cpu())
    return torch.cat(parts)
