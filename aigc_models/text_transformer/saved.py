"""A trained text transformer's files: weights, settings, tokenizer, what it knows of attributes, and its ranker."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aigc_models import training
from aigc_models.base import Params
from aigc_models.metrics.attribute_reader import AttributeReader
from aigc_models.recommending.saved import CONFIG, WEIGHTS, code_version, read_params
from aigc_models.text_transformer.networks import TextTransformer
from aigc_models.text_transformer.params import TextTransformerTrain, plan_for
from aigc_models.text_transformer.ranker import Ranker
from aigc_models.writing.language_model import LanguageModel
from aigc_models.writing.tokenizers import Tokenizer, load_tokenizer

READER, RANKER = "attributes.json", "ranker.safetensors"


@dataclass(frozen=True)
class Saved:
    """A trained text transformer, ready to use.

    Attributes:
        network: Scores the next token.
        tokenizer: Says what tokens stand for.
        attributes: Names of what can be asked for, in the order in which the network reads them.
        reader: Tells whether a text has what was asked for.
        ranker: Tells real texts from written ones.
        params: The settings it was trained with.
        weights_sha256: Hash of the weights' file.
        begins_freely: Whether it has learnt to say for itself what a text is about.
    """

    network: LanguageModel
    tokenizer: Tokenizer
    attributes: Sequence[str]
    reader: AttributeReader
    ranker: Ranker
    params: Params
    weights_sha256: str
    begins_freely: bool = True


def save(directory: Path, made: Saved, data: dict[str, object]) -> None:
    """Write the files of a model version."""
    directory.mkdir(parents=True, exist_ok=True)
    training.save_weights(made.network, directory / WEIGHTS)
    training.save_weights(made.ranker, directory / RANKER)
    made.tokenizer.save(directory)
    (directory / READER).write_text(json.dumps(made.reader.to_json(), ensure_ascii=False), encoding="utf-8")
    config = {
        "family": "text_transformer",
        "code_version": code_version(),
        "params": _plain(made.params),
        "data": {**data, "vocabulary": made.tokenizer.vocabulary, "attributes": list(made.attributes)},
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def load(directory: Path, device: str) -> Saved:
    """Build a network again and read its weights, and what goes with them."""
    params = read_params(directory, TextTransformerTrain)
    tokenizer = load_tokenizer(directory)
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    network = TextTransformer(plan_for(params, tokenizer.vocabulary))
    training.load_weights(network, directory / WEIGHTS)
    network.to(device).eval().requires_grad_(False)
    ranker = Ranker(params.width)
    training.load_weights(ranker, directory / RANKER)
    return Saved(
        network,
        tokenizer,
        config["data"]["attributes"],
        AttributeReader.from_json(json.loads((directory / READER).read_text(encoding="utf-8"))),
        ranker.eval().requires_grad_(False),
        params,
        hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest(),
    )


def _plain(params: Params) -> dict[str, object]:
    return dict(params.model_dump(mode="json"))
