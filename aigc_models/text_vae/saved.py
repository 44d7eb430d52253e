"""A trained sentence VAE's files: weights, settings and tokenizer."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from aigc_models import training
from aigc_models.recommending.saved import CONFIG, WEIGHTS, code_version, read_params
from aigc_models.text_vae.networks import TextVae
from aigc_models.text_vae.params import TextVaeTrain, plan_for
from aigc_models.writing.tokenizers import Tokenizer, load_tokenizer


@dataclass(frozen=True)
class Saved:
    """A trained sentence VAE, ready to use."""

    network: TextVae
    tokenizer: Tokenizer
    params: TextVaeTrain
    weights_sha256: str = ""


def save(directory: Path, made: Saved, sentences: int) -> None:
    """Write the files of a model version."""
    directory.mkdir(parents=True, exist_ok=True)
    training.save_weights(made.network, directory / WEIGHTS)
    made.tokenizer.save(directory)
    config = {
        "family": "text_vae",
        "code_version": code_version(),
        "params": made.params.model_dump(mode="json"),
        "data": {"sentences": sentences, "vocabulary": made.tokenizer.vocabulary},
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def load(directory: Path, device: str) -> Saved:
    """Build the networks again and read their weights."""
    params, tokenizer = read_params(directory, TextVaeTrain), load_tokenizer(directory)
    network = TextVae(plan_for(params, tokenizer.vocabulary))
    training.load_weights(network, directory / WEIGHTS)
    network.to(device).eval().requires_grad_(False)
    return Saved(network, tokenizer, params, hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest())
