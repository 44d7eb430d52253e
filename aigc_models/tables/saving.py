"""A trained table model's files: weights, how rows are encoded, and hashes of what must not be made again."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from aigc_models import training
from aigc_models.data.tables import Column
from aigc_models.tables.drawing import Known, Source
from aigc_models.tables.encoding import Encoder, read_encoder
from aigc_models.tables.lesson import Material, Trainer

WEIGHTS, HASHES, CONFIG = "weights.safetensors", "hashes.safetensors", "config.json"


@dataclass(frozen=True, slots=True)
class Stored:
    """What the files of a model say.

    Attributes:
        config: As JSON.
        encoder: How rows are encoded.
        known: What is kept of the training rows.
        directory: Where the weights lie.
    """

    config: Mapping[str, Any]
    encoder: Encoder
    known: Known
    directory: Path


@dataclass(frozen=True, slots=True)
class Trained:
    """A model ready to draw."""

    stored: Stored
    source: Source
    weights_sha256: str


def save(directory: Path, family: str, trainer: Trainer, material: Material, params: Mapping[str, Any]) -> None:
    """Write the files of a model version."""
    training.save_weights(trainer.networks, directory / WEIGHTS)
    encoder, known = material.encoder, material.known
    hashes = {f"identifier.{name}": each for name, each in encoder.hashes.items()}
    arrays = {"rows": known.rows, **{f"identifier.{n}": each for n, each in enumerate(hashes.values())}}
    save_file({name: np.ascontiguousarray(each).view(np.int64) for name, each in arrays.items()}, directory / HASHES)
    config = {
        "family": family,
        "code_version": code_version(),
        "params": dict(params),
        "data": {
            "columns": [asdict(column) for column in encoder.columns],
            "rows": len(material.train),
            "copies_share": known.share,
        },
        "encoder": encoder.told(),
        "identifiers": list(encoder.hashes),
        "more": {**material.more, **trainer.more},
    }
    (directory / CONFIG).write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")


def open_stored(directory: Path) -> Stored:
    """Read what :func:`save` wrote, but for the weights."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    arrays = {name: each.view(np.uint64) for name, each in load_file(directory / HASHES).items()}
    hashes = {name: arrays[f"identifier.{place}"] for place, name in enumerate(config["identifiers"])}
    columns = tuple(Column.read(column) for column in config["data"]["columns"])
    encoder = read_encoder(columns, config["encoder"], hashes)
    return Stored(config, encoder, Known(arrays["rows"], config["data"]["copies_share"]), directory)


def weights_hash(directory: Path) -> str:
    """SHA-256 of the weights' file."""
    return hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()


@cache
def code_version() -> str:
    """The installed version of this software."""
    try:
        return version("aigc-foundry")
    except PackageNotFoundError:
        return "unknown"
