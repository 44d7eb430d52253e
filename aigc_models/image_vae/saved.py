"""A trained model's files: weights, and what is needed to build the networks again."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aigc_models import training
from aigc_models.data.images import ImageSet
from aigc_models.image_vae.networks import Vae
from aigc_models.image_vae.params import ImageVaeTrain, plan_for, token_plan_for
from aigc_models.image_vae.using import ImageModel, PlainModel, TokenModel, TokenNetworks

WEIGHTS = "weights.safetensors"
CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """A trained model, ready to use.

    Attributes:
        model: The averaged networks.
        params: The settings it was trained with.
        shape: Channels, height and width of its pictures.
        information: Mean KL in nats of each latent number over the test pictures; empty for tokens.
        weights_sha256: Hash of the weights' file.
    """

    model: ImageModel
    params: ImageVaeTrain
    shape: tuple[int, int, int]
    information: Sequence[float]
    weights_sha256: str


def save(directory: Path, model: ImageModel, params: ImageVaeTrain, images: ImageSet) -> None:
    """Write the files of a model version."""
    training.save_weights(model.networks, directory / WEIGHTS)
    channels, height, width = images.shape
    config: dict[str, Any] = {
        "family": "image_vae",
        "code_version": code_version(),
        "params": params.model_dump(mode="json"),
        "data": {"channels": channels, "height": height, "width": width, "classes": list(images.classes)},
        "information": model.information(images.test) if isinstance(model, PlainModel) else [],
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def load(directory: Path, device: str) -> Saved:
    """Build the networks again and read their weights."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    params = ImageVaeTrain.model_validate_json(json.dumps(config["params"]))
    data = config["data"]
    shape = (data["channels"], data["height"], data["width"])
    model = _build(params, shape)
    training.load_weights(model.networks, directory / WEIGHTS)
    model.networks.to(device).requires_grad_(False)
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()
    model.draw([0])  # the first pass prepares kernels
    return Saved(model, params, shape, config["information"], digest)


def _build(params: ImageVaeTrain, shape: tuple[int, int, int]) -> ImageModel:
    if params.prior == "tokens":
        return TokenModel(TokenNetworks(token_plan_for(params, *shape)), params.likelihood)
    return PlainModel(Vae(plan_for(params, *shape)), params.likelihood)


def code_version() -> str:
    """The installed version of this software."""
    try:
        return version("aigc-foundry")
    except PackageNotFoundError:
        return "unknown"
