"""A folder with a pretrained language model, as Hugging Face's packages write one: what it must hold; no torch.

Nothing in such a folder is run or unpickled.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from aigc_models.base import Fault, InputError

CONFIG = "config.json"
WEIGHTS = ".safetensors"
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
KEPT = (".json", WEIGHTS, ".model", ".txt", ".jinja")
PICKLED = (".bin", ".pt", ".pth", ".ckpt")
UNUSABLE = "base-unusable"
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Base:
    """A folder with a pretrained language model.

    Attributes:
        name: What it is called.
        path: Where it lies here.
        config: What its ``config.json`` says.
    """

    name: str
    path: Path
    config: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """What it is made of, in the order of their names."""
        return sorted(file for file in self.path.iterdir() if file.is_file() and file.suffix in KEPT)

    @property
    def bytes(self) -> int:
        """Bytes of its weights."""
        return sum(file.stat().st_size for file in self.files if file.suffix == WEIGHTS)

    @property
    def parameters(self) -> int:
        """About how many numbers it has."""
        stored = str(self.config.get("dtype") or self.config.get("torch_dtype") or "float32")
        return self.bytes // _BYTES.get(stored, 4)

    @property
    def sha256(self) -> str:
        """Hash of all its files and their names."""
        return _hash(tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in self.files))


@lru_cache(maxsize=16)
def _hash(files: tuple[tuple[str, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for name, _, _ in files:
        with Path(name).open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        whole.update(f"{Path(name).name}\0{content}\n".encode())
    return whole.hexdigest()


def open_folder(path: Path, name: str) -> Base:
    """What a folder holds.

    Raises:
        InputError: It holds no causal language model, no weights in safetensors or no tokenizer.
    """
    base = Base(name, path, _config(path, name))
    _check(base)
    return base


def _config(path: Path, name: str) -> dict[str, Any]:
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict) or "model_type" not in config:
        sentence = "The folder {name} holds no model: it has no config.json that says of which kind one is."
        raise _unusable(sentence, name=name)
    return config


def _check(base: Base) -> None:
    names = {file.name for file in base.path.iterdir()}
    listed = base.config.get("architectures")
    kinds = [str(kind) for kind in listed] if isinstance(listed, list) else []
    if not any(kind.endswith(("ForCausalLM", "LMHeadModel")) for kind in kinds):
        sentence = "The model in {name} does not write: its config.json names {kinds}, and none of them is a causal LM."
        raise _unusable(sentence, name=base.name, kinds=", ".join(kinds) or "-")
    if not any(file.endswith(WEIGHTS) for file in names):
        raise without_weights(base.name, names)
    if not any(file in names for file in TOKENIZERS):
        sentence = "The folder {name} has no tokenizer: {wanted} is missing. Copy the tokenizer's files into it, too."
        raise _unusable(sentence, name=base.name, wanted=TOKENIZERS[0])


def without_weights(name: str, files: set[str]) -> InputError:
    """The fault of a folder whose weights are pickled, or that has none."""
    pickled = ", ".join(sorted(file for file in files if file.endswith(PICKLED)))
    sentence = (
        "The folder {name} has no weights in safetensors ({found}). Pickled weights can run code and are not read: "
        "convert them first."
    )
    return _unusable(sentence, name=name, found=pickled or "-")


def _unusable(sentence: str, **values: str) -> InputError:
    return InputError(Fault(sentence, values, "/base", code=UNUSABLE))
