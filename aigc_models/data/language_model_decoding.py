"""Reads an uploaded archive of a language model and writes a dataset; runs as a process of its own with limits.

``python -m aigc_models.data.language_model_decoding REQUEST`` where the request is JSON: ``file``, ``work``, ``out``
(the run's directory) and ``params``. It writes ``dataset/`` below ``out``, and its counts or the faults into ``work``.
Of the archive only what a model is made of is unpacked, by plain names, from the one folder that holds a model;
programs and pickles stay in it.
"""

import json
import re
import sys
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

from aigc_models.base import InputError
from aigc_models.data.archives import is_clutter
from aigc_models.data.hub_folders import CONFIG, KEPT, PICKLED, UNUSABLE, WEIGHTS, Base, open_folder, without_weights
from aigc_models.data.language_models import MODEL, save_report
from aigc_models.data.reading import Beat, refuse
from aigc_models.data.safetensors_header import tensors
from aigc_models.data.sandbox import answer

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_INDEX = ".safetensors.index.json"
_PIECE = 2**22
_MOST_READ = 2**26  # bytes of a file that is read whole
_LISTED = 50
_PACKAGES = ("transformers", "peft")
_FACTS = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "vocabulary": ("vocab_size",),
    "context": ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
}


def read_upload(request: Mapping[str, Any], beat: Beat) -> dict[str, Any]:
    """Unpack what a model is made of, check it, and give its counts.

    Raises:
        InputError: The upload cannot be used; faults name the file.
    """
    file, directory = Path(request["file"]), Path(request["out"]) / "dataset"
    try:
        with zipfile.ZipFile(file) as archive:
            folder, kept, left = _divide(archive.infolist(), file.name)
            _unpack(archive, kept, directory / MODEL, beat)
    except (zipfile.BadZipFile, zlib.error, EOFError, FileExistsError, NotImplementedError, RuntimeError):
        raise refuse(
            "The archive {file} is cut off or damaged. Upload it again.", "truncated-file", file=file.name
        ) from None
    try:
        base = open_folder(directory / MODEL, folder or file.stem)
    except InputError as error:
        raise _of_archive(error, file.name) from None
    counted = _weights(base)
    save_report(_report(base, counted, left), directory)
    return {"parameters": counted, "files": len(kept)}


def _divide(infos: Sequence[zipfile.ZipInfo], filename: str) -> tuple[str, list[zipfile.ZipInfo], list[str]]:
    """The folder that holds a model, what of it is kept, and the names of what is not."""
    files = [one for one in infos if not one.is_dir() and not is_clutter(one.filename)]
    inside: dict[str, list[zipfile.ZipInfo]] = {}
    for one in files:
        inside.setdefault(str(PurePosixPath(one.filename).parent), []).append(one)
    models = [
        folder
        for folder, held in inside.items()
        if CONFIG in (names := {PurePosixPath(one.filename).name for one in held})
        and any(name.endswith((WEIGHTS, *PICKLED)) for name in names)
    ]
    if len(models) != 1:
        sentence = (
            "The archive {file} has to hold one model; found: {count}. Put one model's config.json, its weights in "
            "safetensors and its tokenizer into it."
        )
        raise refuse(sentence, UNUSABLE, file=filename, count=len(models))
    held = inside[models[0]]
    kept = [one for one in held if _is_kept(PurePosixPath(one.filename).name)]
    if not any(one.filename.endswith(WEIGHTS) for one in kept):
        raise _of_archive(without_weights(filename, {PurePosixPath(one.filename).name for one in held}), filename)
    left = [one.filename for one in files if one not in kept]
    return PurePosixPath(models[0]).name, kept, left


def _is_kept(name: str) -> bool:
    return _NAME.fullmatch(name) is not None and PurePosixPath(name).suffix in KEPT


def _unpack(archive: zipfile.ZipFile, kept: Sequence[zipfile.ZipInfo], target: Path, beat: Beat) -> None:
    target.mkdir(parents=True)
    total, done = max(sum(one.file_size for one in kept), 1), 0
    for one in kept:
        with archive.open(one) as packed, (target / PurePosixPath(one.filename).name).open("xb") as stream:
            if not one.filename.endswith(WEIGHTS) and one.file_size > _MOST_READ:
                raise refuse("The file {file} is too large to be read whole.", UNUSABLE, file=one.filename)
            while piece := packed.read(_PIECE):
                stream.write(piece)
                done += len(piece)
                beat(min(done, total), total)


def _weights(base: Base) -> int:
    """Numbers in all files of weights, each of which is whole, and none of which is missing."""
    count = 0
    names = {file.name for file in base.files}
    for file in base.files:
        if file.suffix == WEIGHTS:
            found = tensors(file)
            if found is None:
                sentence = "The file {file} is no whole file of weights: its header and its length do not agree."
                raise refuse(sentence, UNUSABLE, file=file.name)
            count += sum(map(prod, found.values()))
        elif file.name.endswith(_INDEX):
            for missing in sorted(_indexed(file) - names):
                sentence = "The file {file} names weights that are missing: {missing}."
                raise refuse(sentence, UNUSABLE, file=file.name, missing=missing)
    return count


def _indexed(file: Path) -> set[str]:
    """The files that an index of weights names."""
    try:
        return set(map(str, json.loads(file.read_text(encoding="utf-8"))["weight_map"].values()))
    except (AttributeError, KeyError, TypeError, ValueError):
        raise refuse("The file {file} is no index of weights.", UNUSABLE, file=file.name) from None


def _report(base: Base, parameters: int, left: Sequence[str]) -> dict[str, Any]:
    warnings = []
    if any(find_spec(name) is None for name in _PACKAGES):
        sentence = "Teaching it needs the packages of the extra llm, which are not installed where it was checked."
        warnings.append({"message": sentence, "values": {}})
    facts = {
        fact: next((int(base.config[key]) for key in keys if isinstance(base.config.get(key), int)), 0)
        for fact, keys in _FACTS.items()
    }
    return {
        "kind": "language_model",
        "hash": base.sha256,
        "folder": base.name,
        "parameters": parameters,
        "bytes": base.bytes,
        "architecture": str((base.config.get("architectures") or ["-"])[0])[:100],
        "precision": str(base.config.get("dtype") or base.config.get("torch_dtype") or "")[:20],
        **facts,
        "files": [{"name": file.name, "bytes": file.stat().st_size} for file in base.files],
        "left_out": list(left[:_LISTED]),
        "left_out_count": len(left),
        "warnings": warnings,
    }


def _of_archive(error: InputError, file: str) -> InputError:
    return InputError([replace(one, pointer="", where={"file": file}) for one in error.faults])


if __name__ == "__main__":
    answer(json.loads(sys.argv[1]), read_upload)
