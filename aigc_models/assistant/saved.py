"""A trained assistant's files: weights, settings, passages, what is searched, and when it refuses."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy import sparse

from aigc_models import training
from aigc_models.assistant.calibration import Calibration
from aigc_models.assistant.networks import Encoder, Plan
from aigc_models.assistant.params import AssistantTrain
from aigc_models.assistant.searching import Encoding
from aigc_models.recommending.saved import code_version
from aigc_models.retrieval import passages as stored_passages
from aigc_models.retrieval.bm25 import Bm25
from aigc_models.retrieval.features import Reader
from aigc_models.retrieval.index import Groups, Index
from aigc_models.retrieval.passages import Passage

WEIGHTS, CONFIG, PASSAGES, WORDS = "weights.safetensors", "config.json", "passages.jsonl", "words.json"
INDEX = "index.safetensors"


@dataclass(frozen=True)
class Saved:
    """A trained assistant, ready to be asked.

    Attributes:
        encoding: The encoder.
        index: What it searches.
        passages: What it cites.
        calibration: When it refuses.
        params: The settings it was trained with.
        weights_sha256: Hash of the weights' file.
    """

    encoding: Encoding
    index: Index
    passages: Sequence[Passage]
    calibration: Calibration
    params: AssistantTrain
    weights_sha256: str


def save(directory: Path, saved: Saved, data: dict[str, int]) -> None:
    """Write the files of a model version."""
    directory.mkdir(parents=True, exist_ok=True)
    network, index = saved.encoding.network, saved.index
    training.save_weights(network, directory / WEIGHTS)
    with (directory / PASSAGES).open("w", encoding="utf-8", newline="\n") as stream:
        for one in saved.passages:
            stream.write(json.dumps(stored_passages.to_json(one), ensure_ascii=False) + "\n")
    (directory / WORDS).write_text(json.dumps(list(index.lexical.vocabulary), ensure_ascii=False), encoding="utf-8")
    arrays = {
        "values": index.lexical.weights.data,
        "columns": index.lexical.weights.indices.astype(np.int32),
        "rows": index.lexical.weights.indptr.astype(np.int64),
        "rarity": index.lexical.rarity,
        "vectors": index.vectors,
        **{f"text_{name}": getattr(index.texts, name) for name in ("order", "starts", "things")},
        **{f"dense_{name}": getattr(index.dense, name) for name in ("order", "starts", "things")},
    }
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, directory / INDEX)
    config = {
        "family": "assistant",
        "code_version": code_version(),
        "params": saved.params.model_dump(mode="json"),
        "plan": {"buckets": network.plan.buckets, "answers": network.plan.answers},
        "weight": index.weight,
        "texts": index.lexical.weights.shape[1],
        "calibration": saved.calibration.to_json(),
        "data": data,
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def load(directory: Path, device: str) -> Saved:
    """Read what :func:`save` wrote."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    params = AssistantTrain.model_validate_json(json.dumps(config["params"]))
    network = Encoder(Plan(config["plan"]["buckets"], params.width, config["plan"]["answers"]))
    training.load_weights(network, directory / WEIGHTS)
    network.to(device).eval().requires_grad_(False)
    with (directory / PASSAGES).open(encoding="utf-8", newline="\n") as stream:
        found = [stored_passages.from_json(json.loads(line)) for line in stream]
    spelled = json.loads((directory / WORDS).read_text(encoding="utf-8"))
    arrays = load_file(directory / INDEX)
    shape = (len(spelled), config["texts"])
    weights = sparse.csr_array((arrays["values"], arrays["columns"], arrays["rows"]), shape=shape)
    lexical = Bm25({word: number for number, word in enumerate(spelled)}, weights, arrays["rarity"])
    groups = {
        kind: Groups(arrays[f"{kind}_order"], arrays[f"{kind}_starts"], arrays[f"{kind}_things"], len(found))
        for kind in ("text", "dense")
    }
    index = Index(lexical, groups["text"], arrays["vectors"], groups["dense"], config["weight"])
    encoding = Encoding(network, Reader(config["plan"]["buckets"]))
    encoding.vectors([["warm"]])  # the first pass prepares kernels
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()
    return Saved(encoding, index, found, Calibration.from_json(config["calibration"]), params, digest)
