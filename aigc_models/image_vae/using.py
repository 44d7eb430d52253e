"""The two tiers of trained networks behind one face: draw pictures, rebuild them, measure the bound."""

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.image_vae import objective
from aigc_models.image_vae.networks import Vae
from aigc_models.image_vae.plan import TokenPlan
from aigc_models.image_vae.prior import TokenPrior
from aigc_models.image_vae.tokens import TokenAutoencoder
from aigc_models.pictures import from_bytes, to_bytes

BATCH = 250  # pictures encoded or measured at once
_ACTIVE = 0.01
# Few pictures are wanted fast; each is always computed in a chunk of this size.
CHUNK = 16


class ImageModel(Protocol):
    """Networks that are ready to use."""

    @property
    def networks(self) -> nn.Module:
        """What is saved as the model's weights."""

    def draw(self, seeds: Sequence[int], temperature: float = 1.0, chunk: int = CHUNK) -> Tensor:
        """A picture for each seed, bytes (N, C, H, W); it depends on its seed (and the chunk's size) alone."""

    def rebuild(self, images: Tensor, chunk: int = BATCH) -> Tensor:
        """Pictures (N, C, H, W) encoded and decoded again, as bytes."""

    def bound(self, images: Tensor, seed: int, chunk: int = BATCH) -> dict[str, float]:
        """Evidence lower bound in nats for each picture, its KL part, and the squared error of rebuilding."""


def seeds_from(seed: int, count: int) -> list[int]:
    """The seeds of a number of items: seed, seed + 1, ..."""
    return [(seed + index) % 2**31 for index in range(count)]


class PlainModel:
    """Latent numbers with a normal prior."""

    def __init__(self, vae: Vae, likelihood: str) -> None:
        self.networks, self._likelihood = vae.eval(), likelihood
        self.latent_dim = vae.plan.latent_dim

    @torch.inference_mode()
    def decode(self, z: Tensor, chunk: int = CHUNK) -> Tensor:
        """Shape: latent numbers (N, Z) to bytes (N, C, H, W)."""

        def to_pictures(part: Tensor) -> Tensor:
            return objective.picture(self.networks.decode(part), self._likelihood)

        return _in_chunks(to_pictures, z.to(_device(self.networks)), chunk)

    def draw(self, seeds: Sequence[int], temperature: float = 1.0, chunk: int = CHUNK) -> Tensor:
        """A picture for each seed."""
        return self.decode(training.item_noise(seeds, self.latent_dim) * temperature, chunk)

    @torch.inference_mode()
    def _posteriors(self, images: Tensor, chunk: int = BATCH) -> tuple[Tensor, Tensor]:
        device = _device(self.networks)
        parts = [self.networks.encode(from_bytes(part).to(device)) for part in images.split(chunk)]
        return torch.cat([mean for mean, _ in parts]), torch.cat([log_variance for _, log_variance in parts])

    def rebuild(self, images: Tensor, chunk: int = BATCH) -> Tensor:
        """Decode the means of the pictures' posteriors."""
        return self.decode(self._posteriors(images, chunk)[0], chunk)

    def information(self, images: Tensor) -> list[float]:
        """Mean KL in nats of each latent number over pictures: how much it tells about them."""
        kl = objective.kl_to_prior(*self._posteriors(images))
        return [float(value) for value in kl.mean(0)]

    @torch.inference_mode()
    def bound(self, images: Tensor, seed: int, chunk: int = BATCH) -> dict[str, float]:
        """The bound with one draw per picture, and how many latent numbers vary."""
        mean, log_variance = self._posteriors(images, chunk)
        noise = training.item_noise(seeds_from(seed, len(images)), self.latent_dim).to(mean.device)
        z, kl = mean + noise * (0.5 * log_variance).exp(), objective.kl_to_prior(mean, log_variance).double()
        rated = _log_likelihoods(self.networks.decode, self._likelihood, (images, z), chunk)
        return {
            "elbo": float((rated - kl.sum(1)).mean()),
            "kl": float(kl.sum(1).mean()),
            "active_units": float(active_units(mean)),
            "reconstruction_error": squared_error(self.rebuild(images, chunk), images),
        }


class TokenNetworks(nn.Module):
    """The autoencoder and the prior over its tokens."""

    def __init__(self, plan: TokenPlan) -> None:
        super().__init__()
        self.plan, self.autoencoder, self.prior = plan, TokenAutoencoder(plan), TokenPrior(plan)


class TokenModel:
    """Discrete tokens with a learnt prior."""

    def __init__(self, networks: TokenNetworks, likelihood: str) -> None:
        self.networks, self._likelihood = networks.eval(), likelihood

    @torch.inference_mode()
    def decode(self, tokens: Tensor, chunk: int = CHUNK) -> Tensor:
        """Shape: token numbers (N, T) to bytes (N, C, H, W)."""

        def to_pictures(part: Tensor) -> Tensor:
            return objective.picture(self.networks.autoencoder.decode_tokens(part), self._likelihood)

        return _in_chunks(to_pictures, tokens.to(_device(self.networks)), chunk)

    @torch.inference_mode()
    def draw(self, seeds: Sequence[int], temperature: float = 1.0, chunk: int = CHUNK) -> Tensor:
        """A picture for each seed."""
        length = self.networks.plan.tokens
        generator = torch.Generator()
        uniform = torch.stack([torch.rand(length, generator=generator.manual_seed(seed)) for seed in seeds])
        parts = uniform.to(_device(self.networks)).split(chunk)
        drawn = [self.networks.prior.draw(_filled(part, chunk), temperature)[: len(part)] for part in parts]
        return self.decode(torch.cat(drawn), chunk)

    @torch.inference_mode()
    def tokens(self, images: Tensor, chunk: int = BATCH) -> Tensor:
        """Shape: pictures (N, C, H, W) to token numbers (N, T)."""
        device, autoencoder = _device(self.networks), self.networks.autoencoder
        return torch.cat([autoencoder.tokens(from_bytes(part).to(device)) for part in images.split(chunk)])

    def rebuild(self, images: Tensor, chunk: int = BATCH) -> Tensor:
        """Decode the pictures' tokens."""
        return self.decode(self.tokens(images, chunk), chunk)

    @torch.inference_mode()
    def bound(self, images: Tensor, seed: int, chunk: int = BATCH) -> dict[str, float]:
        """The bound: a picture's tokens are certain, so the KL is what the prior needs to name them."""
        tokens = self.tokens(images, chunk)
        named = torch.cat([self.networks.prior.log_likelihood(part) for part in tokens.split(chunk)]).double()
        decode = self.networks.autoencoder.decode_tokens
        rated = _log_likelihoods(decode, self._likelihood, (images, tokens), chunk)
        return {
            "elbo": float((rated + named).mean()),
            "kl": float(-named.mean()),
            "codes_used": float(tokens.unique().numel()),
            "reconstruction_error": squared_error(self.rebuild(images, chunk), images),
        }


def active_units(means: Tensor) -> int:
    """Latent numbers whose posterior mean varies over the data by more than 0.01.

    Shape: (N, Z). Source: Burda et al. 2016, section 5.2.
    """
    return int((means.var(0, correction=0) > _ACTIVE).sum())


def squared_error(rebuilt: Tensor, images: Tensor) -> float:
    """Mean squared difference of pictures given as bytes, on the scale from -1 to 1."""
    return float((from_bytes(rebuilt) - from_bytes(images)).square().mean())


def _log_likelihoods(
    decode: Callable[[Tensor], Tensor], likelihood: str, coded: tuple[Tensor, Tensor], chunk: int
) -> Tensor:
    """log p(x|z) of pictures under their codes."""
    images, codes = coded
    found = []
    for part, code in zip(images.split(chunk), codes.split(chunk), strict=True):
        x = from_bytes(part).to(codes.device)
        found.append(objective.log_likelihood(x, decode(code), likelihood).double())
    return torch.cat(found)


def _in_chunks(to_pictures: Callable[[Tensor], Tensor], codes: Tensor, chunk: int) -> Tensor:
    """Pictures as bytes, computed in chunks of one size, so that none depends on how many were asked for."""
    parts = [to_bytes(to_pictures(_filled(part, chunk))[: len(part)]).cpu() for part in codes.split(chunk)]
    return torch.cat(parts)


def _filled(part: Tensor, chunk: int) -> Tensor:
    return torch.cat([part, part.new_zeros(chunk - len(part), part.shape[1])])


def _device(module: nn.Module) -> torch.device:
    return next(module.parameters()).device
