"""A trained recommender's files: weights, settings, names, and what each user had, to recommend from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from torch import nn

from aigc_models import training
from aigc_models.base import Params
from aigc_models.data.interaction_splits import ItemLists, Split
from aigc_models.data.recommended import Item, save_catalogue
from aigc_models.recommending.trainer import Recommender

P = TypeVar("P", bound=Params)

WEIGHTS, CONFIG, NAMES, HISTORIES = "weights.safetensors", "config.json", "names.json", "histories.safetensors"


@dataclass(frozen=True)
class Saved:
    """A trained recommender, ready to use.

    Attributes:
        recommender: Scores items.
        params: The settings it was trained with.
        users: The users' ids.
        items: The items' ids.
        titles: What items are called; empty where nothing is known.
        histories: All events of each user, the test's too: they happened, so lists start from them.
        cold: Items nobody had in the part it learnt from, bool (I,); they are never recommended.
        weights_sha256: Hash of the weights' file.
    """

    recommender: Recommender
    params: Params
    users: Sequence[str]
    items: Sequence[str]
    titles: Sequence[str]
    histories: ItemLists
    cold: NDArray[np.bool_]
    weights_sha256: str

    @cached_property
    def user_numbers(self) -> Mapping[str, int]:
        """Users by their ids."""
        return {name: number for number, name in enumerate(self.users)}

    @cached_property
    def item_numbers(self) -> Mapping[str, int]:
        """Items by their ids."""
        return {name: number for number, name in enumerate(self.items)}

    def item(self, number: int) -> Item:
        """An item with its title."""
        return Item(self.items[number], self.titles[number])


def learns_again(params: Any) -> bool:
    """Whether a training is followed by a second one; users who are only asked about are never learnt from."""
    return bool(getattr(params, "refit", False)) and params.split != "strong"


def save(directory: Path, network: nn.Module, params: Params, split: Split, family: str) -> None:
    """Write the files of a model version."""
    directory.mkdir(parents=True, exist_ok=True)
    training.save_weights(network, directory / WEIGHTS)
    data = split.data
    learnt = np.bincount(split.learnt(again=learns_again(params)).items, minlength=len(data.item_names))
    arrays = {"items": data.items, "starts": data.starts.astype(np.int64), "cold": learnt == 0}
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, directory / HISTORIES)
    names = {"users": list(data.user_names), "items": list(data.item_names), "titles": list(data.item_titles)}
    (directory / NAMES).write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")
    save_catalogue(zip(data.item_names, data.item_titles, learnt.tolist(), strict=True), directory)
    config = {
        "family": family,
        "code_version": code_version(),
        "params": params.model_dump(mode="json"),
        "data": {"users": len(data.user_names), "items": len(data.item_names), "events": len(data)},
    }
    (directory / CONFIG).write_text(json.dumps(config, indent=1, ensure_ascii=False), encoding="utf-8")


def read_params(directory: Path, kind: type[P]) -> P:
    """The settings a model was trained with."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    return kind.model_validate_json(json.dumps(config["params"]))


def read_items(directory: Path) -> int:
    """How many items a model's catalogue has."""
    config = json.loads((directory / CONFIG).read_text(encoding="utf-8"))
    return int(config["data"]["items"])


def open_saved(directory: Path, recommender: Recommender, params: Params) -> Saved:
    """Read what goes with a model's weights."""
    names = json.loads((directory / NAMES).read_text(encoding="utf-8"))
    arrays = load_file(directory / HISTORIES)
    digest = hashlib.sha256((directory / WEIGHTS).read_bytes()).hexdigest()
    histories = ItemLists(arrays["items"], arrays["starts"])
    recommender.score(histories.take(slice(0, 1)))  # the first pass prepares kernels
    return Saved(
        recommender, params, names["users"], names["items"], names["titles"], histories, arrays["cold"], digest
    )


def code_version() -> str:
    """The installed version of this software."""
    try:
        return version("aigc-foundry")
    except PackageNotFoundError:
        return "unknown"
