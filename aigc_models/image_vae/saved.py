"""A trained model's files: weights, and what is needed to build the networks again."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from aigc_models import training
from aigc_models.image_vae.networks import Vae
from aigc_models.image_vae.params import ImageVaeTrain, plan_for

WEIGHTS = "weights.safetensors"
CONFIG = "config.json"


@dataclass(frozen=True, slots=True)
class Saved:
    """A trained model, ready to use.

    Attributes:
        vae: The averaged networks.
        params: The settings it was trained with.
        information: Mean KL in nats of each latent number over the test pictures.
        weights_sha256: Hash of the weights' file.
    """

    vae: Vae
    params: ImageVaeTrain
    information: Sequence[float]
    weights_sha256: str


def save(
    directory: Path, vae: Vae, params: ImageVaeTrain, classes: Sequence[str], information: Sequence[float]
) -> None:
    """Write the files of a model version."""
    training.save_weights(vae, directory / WEIGHTS)
    plan = vae.plan
    config: dict[str, Any] = {
        "family": "image_vae",
        "code_version": code_version(),
        "params": params.model_dump(mode="json"),
        "data": {
            "channels": plan.channels,
            "height": plan.height,
            "width": plan.width,
            "classes": list(classes),
        },
        "information": list(information),
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def load(directory: Path, device: str) -> Saved:
    """Build the networks again and read their weights."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    params = ImageVaeTrain.model_validate_json(json.dumps(config["params"]))
    data = config["data"]
    vae = Vae(plan_for(params, data["channels"], data["height"], data["width"]))
    training.load_weights(vae, directory / WEIGHTS)
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()
    return Saved(vae.to(device).eval().requires_grad_(False), params, config["information"], digest)


def code_version() -> str:
    """The installed version of this software."""
    try:
        return version("aigc-foundry")
    except PackageNotFoundError:
        return "unknown"
