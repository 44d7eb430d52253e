"""A trained assistant's files: weights, settings, passages, what is searched, and when it refuses."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from scipy import sparse

from aigc_models import training
from aigc_models.assistant.calibration import Calibration
from aigc_models.assistant.networks import Encoder, Plan
from aigc_models.assistant.params import AssistantTrain
from aigc_models.assistant.searching import Encoding, spoken, tongues_of
from aigc_models.recommending.saved import code_version
from aigc_models.retrieval import passages as stored_passages
from aigc_models.retrieval.bm25 import Bm25
from aigc_models.retrieval.features import Reader
from aigc_models.retrieval.index import Groups, Index, Mix
from aigc_models.retrieval.passages import Passage

WEIGHTS, CONFIG, PASSAGES, WORDS = "weights.safetensors", "config.json", "passages.jsonl", "words.json"
INDEX = "index.safetensors"
_GROUP = ("order", "starts", "things")


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

    @cached_property
    def common(self) -> frozenset[str]:
        """What several documents say word for word: it answers no question in particular."""
        return stored_passages.said_alike(self.passages)


def save(directory: Path, saved: Saved, data: dict[str, int]) -> None:
    """Write the files of a model version."""
    directory.mkdir(parents=True, exist_ok=True)
    network, index = saved.encoding.network, saved.index
    training.save_weights(network, directory / WEIGHTS)
    with (directory / PASSAGES).open("w", encoding="utf-8", newline="\n") as stream:
        for one in saved.passages:
            stream.write(json.dumps(stored_passages.to_json(one), ensure_ascii=False) + "\n")
    arrays = {
        "vectors": index.vectors,
        "document": index.document,
        **{f"text_{name}": getattr(index.texts, name) for name in _GROUP},
        **{f"dense_{name}": getattr(index.dense, name) for name in _GROUP},
    }
    spelled = {}
    for name, part in (("lexical", index.lexical), ("context", index.context)):
        spelled[name] = list(part.vocabulary)
        arrays |= {
            f"{name}_values": part.weights.data,
            f"{name}_columns": part.weights.indices.astype(np.int32),
            f"{name}_rows": part.weights.indptr.astype(np.int64),
            f"{name}_rarity": part.rarity,
        }
    (directory / WORDS).write_text(json.dumps(spelled, ensure_ascii=False), encoding="utf-8")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, directory / INDEX)
    config = {
        "family": "assistant",
        "code_version": code_version(),
        "params": saved.params.model_dump(mode="json"),
        "plan": {"buckets": network.plan.buckets, "answers": network.plan.answers},
        "mix": {"near": index.mix.near, "around": index.mix.around},
        "texts": {"lexical": index.lexical.weights.shape[1], "context": index.context.weights.shape[1]},
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
    exact = {name: _exact(name, spelled[name], arrays, config["texts"][name]) for name in ("lexical", "context")}
    groups = {
        kind: Groups(arrays[f"{kind}_order"], arrays[f"{kind}_starts"], arrays[f"{kind}_things"], len(found))
        for kind in ("text", "dense")
    }
    near = (arrays["vectors"], groups["dense"])
    index = Index(
        exact["lexical"],
        groups["text"],
        *near,
        exact["context"],
        arrays["document"],
        Mix(**config["mix"]),
        *tongues_of(spoken(found)),
    )
    encoding = Encoding(network, Reader(config["plan"]["buckets"]))
    encoding.vectors([["warm"]])  # the first pass prepares kernels
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()
    return Saved(encoding, index, found, Calibration.from_json(config["calibration"]), params, digest)


def _exact(name: str, spelled: Sequence[str], arrays: Mapping[str, NDArray[Any]], texts: int) -> Bm25:
    parts = (arrays[f"{name}_values"], arrays[f"{name}_columns"], arrays[f"{name}_rows"])
    weights = sparse.csr_array(parts, shape=(len(spelled), texts))
    return Bm25({word: number for number, word in enumerate(spelled)}, weights, arrays[f"{name}_rarity"])
