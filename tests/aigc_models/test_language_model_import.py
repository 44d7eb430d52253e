"""Uploads of pretrained language models: what is kept of an archive, what is refused, and a training from one."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from aigc_models.base import Fault, InputError
from aigc_models.data import kinds
from aigc_models.data.language_model_decoding import read_upload
from aigc_models.data.safetensors_header import tensors
from aigc_models.dataset.language_model_params import DatasetImportLanguageModel
from aigc_models.dataset.model import import_language_model
from aigc_models.standalone import LocalRun

CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 2, "vocab_size": 320}
Files = dict[str, bytes]
Bring = Callable[..., tuple[Path, dict[str, Any]]]


def weights(folder: Path) -> bytes:
    save_file({"a": torch.zeros(3, 5), "b": torch.ones(4, dtype=torch.bfloat16)}, folder / "made.safetensors")
    return (folder / "made.safetensors").read_bytes()


@pytest.fixture
def model(tmp_path: Path) -> Files:
    """The files of a model with 19 numbers."""
    return {
        "config.json": json.dumps(CONFIG).encode(),
        "model.safetensors": weights(tmp_path),
        "tokenizer.json": b"{}",
    }


@pytest.fixture
def bring(tmp_path: Path) -> Bring:
    """Reads files as an uploaded archive, in this process; gives the dataset and its report."""

    def go(files: Files, kind: str = "language_model") -> tuple[Path, dict[str, Any]]:
        file, out = tmp_path / "my-model.zip", tmp_path / "out"
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        assert kinds.precheck(file, file.name, kind) == "language_model"
        read_upload({"file": str(file), "out": str(out), "params": {}}, lambda *_: None)
        return out / "dataset", json.loads((out / "dataset" / "dataset.json").read_text(encoding="utf-8"))

    return go


def faults_of(bring: Bring, files: Files) -> list[Fault]:
    with pytest.raises(InputError) as refused:
        bring(files)
    return refused.value.faults


def test_what_a_model_is_made_of_is_kept_and_the_rest_is_named(bring: Bring, model: Files) -> None:
    rest = {
        "pytorch_model.bin": b"\x80\x02.",
        "modeling.py": b"print()",
        "onnx/model.safetensors": b"",
        "README.md": b"",
    }
    packed = {f"hub/my-model/{name}": content for name, content in (model | rest).items()}
    dataset, report = bring(packed | {"__MACOSX/._config.json": b"", "other.txt": b"x"}, kind="")
    assert {file.name for file in (dataset / "model").iterdir()} == set(model)
    assert (dataset / "model" / "model.safetensors").read_bytes() == model["model.safetensors"]
    assert report["folder"] == "my-model"
    assert (report["parameters"], report["layers"], report["vocabulary"], report["context"]) == (19, 2, 320, 0)
    assert set(report["left_out"]) == {*(f"hub/my-model/{name}" for name in rest), "other.txt"}


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"model.safetensors": None, "pytorch_model.bin": b"\x80\x02."}, "base-unusable", "(pytorch_model.bin)"),
        ({"tokenizer.json": None}, "base-unusable", "tokenizer.json is missing"),
        ({"config.json": b"["}, "base-unusable", "no config.json"),
        ({"config.json": b'{"model_type": "bert", "architectures": 7}'}, "base-unusable", "does not write"),
        ({"config.json": None}, "base-unusable", "found: 0"),
        ({"b/config.json": b"{}", "b/model.safetensors": b""}, "base-unusable", "found: 2"),
        ({"model.safetensors.index.json": b'{"weight_map": {"c": "../c.safetensors"}}'}, "base-unusable", "../c.safe"),
        ({"model.safetensors.index.json": b"no"}, "base-unusable", "model.safetensors.index.json"),
        ({"../outside.txt": b"x"}, "unsafe-archive", "leads out of its folder"),
    ],
)
def test_what_is_no_model_is_refused(
    bring: Bring, model: Files, change: dict[str, bytes | None], code: str, words: str
) -> None:
    files = {name: content for name, content in (model | change).items() if content is not None}
    (fault,) = faults_of(bring, files)
    assert (fault.code, fault.pointer) == (code, "")
    assert words in str(fault)


def test_weights_that_are_cut_off_or_lie_are_refused(bring: Bring, model: Files, tmp_path: Path) -> None:
    whole = model["model.safetensors"]
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    overlapping = json.dumps(header | {"c": header["a"]}).encode()
    negative = json.dumps({"a": {"dtype": "F32", "shape": [-1, -15], "data_offsets": [0, 60]}}).encode()
    wrong = [
        whole[:-1],
        whole + b"x",
        whole[:6],
        (2**60).to_bytes(8, "little") + whole[8:],
        len(overlapping).to_bytes(8, "little") + overlapping + whole[8 + length :],
        len(negative).to_bytes(8, "little") + negative + bytes(60),
        b"\x80\x04\x95" + whole,
    ]
    for number, content in enumerate(wrong):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(content)
        assert tensors(path) is None, number
    (fault,) = faults_of(bring, model | {"model.safetensors": whole[:-1]})
    assert "its header and its length do not agree" in str(fault)
    assert fault.where == {"file": "model.safetensors"}


def test_a_link_and_a_second_file_of_a_name_are_refused(bring: Bring, model: Files, tmp_path: Path) -> None:
    path = tmp_path / "link.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("config.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="the link"):
        kinds.precheck(path, path.name, "language_model")
    (fault,) = faults_of(bring, {**model, "./config.json": b"{}"})
    assert fault.code == "truncated-file"


def test_the_import_runs_confined(model: Files, tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    with zipfile.ZipFile(upload / "small.zip", "w") as archive:
        for name, content in model.items():
            archive.writestr(name, content)
    run = LocalRun(tmp_path / "out", {"upload": upload})
    assert import_language_model(DatasetImportLanguageModel(), run) == {"parameters": 19.0, "files": 3.0}
    assert sorted(path.name for path in run.out_dir.iterdir()) == ["dataset"]
