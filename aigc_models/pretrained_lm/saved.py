"""A taught model's files: what was learnt, which base it goes with, what it knows of attributes, and its ranker."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from aigc_models import training
from aigc_models.base import Fault, InputError
from aigc_models.data.hub_folders import Base
from aigc_models.metrics.attribute_reader import AttributeReader
from aigc_models.pretrained_lm.bases import held_base
from aigc_models.pretrained_lm.networks import PretrainedNetwork, Taught, build, load_adapter, save_adapter
from aigc_models.pretrained_lm.params import PretrainedLmTrain
from aigc_models.recommending.saved import CONFIG, code_version, read_params
from aigc_models.text_transformer.ranker import Ranker
from aigc_models.text_transformer.saved import RANKER, READER, Saved
from aigc_models.writing.vocabulary import Vocabulary

ADAPTER = "adapter_model.safetensors"


def taught_by(params: PretrainedLmTrain) -> Taught:
    """What settings say of the network."""
    return Taught(params.rank, params.dropout, params.seed, params.context)


def save(directory: Path, made: Saved, base: Base, characters: int) -> None:
    """Write the files of a model version; the base stays where it is, unless it is put beside them."""
    assert isinstance(made.network, PretrainedNetwork)
    save_adapter(made.network, directory)
    training.save_weights(made.ranker, directory / RANKER)
    made.vocabulary.save(directory)
    (directory / READER).write_text(json.dumps(made.reader.to_json(), ensure_ascii=False), encoding="utf-8")
    config = {
        "family": "pretrained_lm",
        "code_version": code_version(),
        "params": dict(made.params.model_dump(mode="json")),
        "base": {"name": base.name, "sha256": base.sha256, "kind": base.config["model_type"]},
        "data": {"characters": characters, "attributes": list(made.attributes)},
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def load(directory: Path, device: str) -> Saved:
    """Load the base, which must be the one it was taught from, and what was learnt.

    Raises:
        InputError: The base is not here, or another one.
    """
    params = read_params(directory, PretrainedLmTrain)
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    base = held_base(directory, config["base"]["name"])
    if base.sha256 != config["base"]["sha256"]:
        sentence = (
            "The pretrained model {name} is not the one this model was taught from: its files have changed. Put the "
            "folder with the hash {sha256} there again, or train anew."
        )
        values = {"name": base.name, "sha256": config["base"]["sha256"]}
        raise InputError(Fault(sentence, values, "/model", code="base-changed"))
    network, tokens = build(base, taught_by(params), device)
    load_adapter(network, directory)
    network.eval().requires_grad_(False)
    ranker = Ranker(network.width)
    training.load_weights(ranker, directory / RANKER)
    attributes: Sequence[str] = config["data"]["attributes"]
    reader = AttributeReader.from_json(json.loads((directory / READER).read_text(encoding="utf-8")))
    sha256 = hashlib.sha256((directory / ADAPTER).read_bytes()).hexdigest()
    ranker.eval().requires_grad_(False)
    known = Vocabulary.load(directory)
    return Saved(network, tokens.tokenizer, attributes, reader, ranker, params, sha256, known, begins_freely=False)
