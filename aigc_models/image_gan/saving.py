"""A trained image GAN as files, and back."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from aigc_models import training
from aigc_models.image_gan.networks import build
from aigc_models.image_gan.plan import Plan
from aigc_models.image_gan.trainer import draw
from aigc_models.pictures import to_bytes

# Few pictures are wanted fast, many at the best rate; each picture is always drawn in a chunk of one size.
CHUNK = 16


@dataclass(frozen=True, slots=True)
class TrainedGan:
    """A generator ready to draw, and what it was trained on."""

    generator: nn.Module
    plan: Plan
    classes: tuple[str, ...]
    device: str
    weights_sha256: str = ""

    def draw(self, seeds: Sequence[int], labels: Tensor | None, truncation: float = 1.0, chunk: int = CHUNK) -> Tensor:
        """One picture for each seed; the same seed (and label) gives the same picture in any company.

        With another chunk a device may round the last bit another way, which a byte of a pixel seldom shows.

        Shape: returns bytes (N, C, side, side) on the CPU.
        """
        return self.draw_noise(self.noise(seeds, truncation), labels, chunk)

    def noise(self, seeds: Sequence[int], truncation: float = 1.0) -> Tensor:
        """The numbers that pictures are drawn from, a row for each seed; (N, Z)."""
        return training.item_noise(seeds, self.plan.latent_dim) * truncation

    def draw_noise(self, noise: Tensor, labels: Tensor | None, chunk: int = CHUNK) -> Tensor:
        """As :meth:`draw`, from the rows of :meth:`noise`."""
        asked = labels.to(self.device) if self.plan.classes and labels is not None else None
        return to_bytes(draw(self.generator, noise.to(self.device), asked, chunk)).cpu()

    def labels_in_turn(self, count: int, chosen: Sequence[int] = ()) -> Tensor | None:
        """The classes one after the other, or None where the model knows none."""
        if not self.plan.classes:
            return None
        among = torch.tensor(list(chosen) or list(range(self.plan.classes)))
        return among[torch.arange(count) % len(among)]


def save_gan(generator: nn.Module, discriminator: nn.Module, config: dict[str, Any], directory: Path) -> None:
    """Write both networks and what is needed to build them again."""
    training.save_weights(generator, directory / "weights.safetensors")
    training.save_weights(discriminator, directory / "discriminator.safetensors")
    text = json.dumps(config, indent=2, ensure_ascii=False)
    (directory / "config.json").write_text(text, encoding="utf-8")


def describe(plan: Plan, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """What ``config.json`` holds."""
    return {
        "family": "image_gan",
        "code_version": code_version(),
        "params": params,
        "data": data,
        "plan": asdict(plan),
    }


def code_version() -> str:
    """The installed version of this software."""
    try:
        return version("aigc-foundry")
    except PackageNotFoundError:
        return "unknown"


def load_gan(directory: Path, device: str = "cpu") -> TrainedGan:
    """Read what :func:`save_gan` wrote, ready to draw."""
    config = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    plan = Plan(**config["plan"])
    generator = build(plan)[0]
    training.load_weights(generator, directory / "weights.safetensors")
    generator.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    generator.eval().requires_grad_(False)
    sha256 = hashlib.sha256((directory / "weights.safetensors").read_bytes()).hexdigest()
    trained = TrainedGan(generator, plan, tuple(config["data"]["classes"]), device, sha256)
    trained.draw([0], trained.labels_in_turn(1))  # the first pass prepares kernels
    return trained
