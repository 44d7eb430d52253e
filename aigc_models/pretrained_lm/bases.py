"""The directory of pretrained models that an operator keeps, and what a folder in it must hold; no torch.

The directory is named by ``AIGC_PRETRAINED``. Nothing is fetched from anywhere, and nothing in a folder is run or
unpickled.
"""

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from aigc_models.base import Fault, InputError

VARIABLE = "AIGC_PRETRAINED"
CONFIG = "config.json"
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
_KEPT = (".json", ".safetensors", ".model", ".txt", ".jinja")
_PICKLED = (".bin", ".pt", ".pth", ".ckpt")
_LISTED = 20
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class Base:
    """A folder with a pretrained language model.

    Attributes:
        name: Its path below the directory of pretrained models.
        path: Where it lies here.
        config: What its ``config.json`` says.
    """

    name: str
    path: Path
    config: dict[str, Any]

    @property
    def files(self) -> list[Path]:
        """What it is made of, in the order of their names."""
        return sorted(file for file in self.path.iterdir() if file.is_file() and file.suffix in _KEPT)

    @property
    def bytes(self) -> int:
        """Bytes of its weights."""
        return sum(file.stat().st_size for file in self.files if file.suffix == ".safetensors")

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


def find_base(name: str) -> Base:
    """The folder of that name; for an empty name the only one there is.

    Raises:
        InputError: There is none, or what is in it cannot be used.
    """
    root = _root()
    folders = _folders(root)
    name = name or (folders[0] if len(folders) == 1 else "")
    path = root / name
    if not name or not path.resolve().is_relative_to(root.resolve()) or not path.is_dir():
        sentence = "There is no folder {name} in the directory of pretrained models. It holds: {folders}."
        raise _fault(sentence, "base-missing", name=name or "-", folders=", ".join(folders) or "-")
    base = Base(name, path, _config(path, name))
    _check(base)
    return base


def known_parameters(name: str) -> int:
    """About how many numbers a base has; 0 where the directory cannot be seen from here."""
    try:
        return find_base(name).parameters
    except (InputError, OSError):
        return 0


def _root() -> Path:
    named = os.environ.get(VARIABLE, "")
    if not named or not Path(named).is_dir():
        sentence = (
            "No directory of pretrained models is set where this job runs. Put the model's folder into one, name the "
            "directory by {variable}, and start the workers again."
        )
        raise _fault(sentence, "base-missing", variable=VARIABLE)
    return Path(named)


def _folders(root: Path) -> Sequence[str]:
    found = sorted(
        str(file.parent.relative_to(root)) for depth in ("*", "*/*") for file in root.glob(f"{depth}/{CONFIG}")
    )
    return found[:_LISTED]


def _config(path: Path, name: str) -> dict[str, Any]:
    try:
        config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict) or "model_type" not in config:
        sentence = "The folder {name} holds no model: it has no config.json that says of which kind one is."
        raise _fault(sentence, "base-unusable", name=name)
    return config


def _check(base: Base) -> None:
    names = {file.name for file in base.path.iterdir()}
    kinds = [str(kind) for kind in base.config.get("architectures") or []]
    if not any(kind.endswith(("ForCausalLM", "LMHeadModel")) for kind in kinds):
        sentence = "The model in {name} does not write: its config.json names {kinds}, and none of them is a causal LM."
        raise _fault(sentence, "base-unusable", name=base.name, kinds=", ".join(kinds) or "-")
    if not any(file.endswith(".safetensors") for file in names):
        pickled = ", ".join(sorted(file for file in names if file.endswith(_PICKLED)))
        sentence = (
            "The folder {name} has no weights in safetensors ({found}). Pickled weights can run code and are not read: "
            "convert them first."
        )
        raise _fault(sentence, "base-unusable", name=base.name, found=pickled or "-")
    if not any(file in names for file in _TOKENIZERS):
        sentence = "The folder {name} has no tokenizer: {wanted} is missing. Copy the tokenizer's files into it, too."
        raise _fault(sentence, "base-unusable", name=base.name, wanted=_TOKENIZERS[0])


def _fault(sentence: str, code: str, **values: str) -> InputError:
    return InputError(Fault(sentence, values, "/base", code=code))
