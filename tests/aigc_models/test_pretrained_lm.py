"""Pretrained language models: what is taken and what is refused, that teaching helps, and what is kept."""

import json
import shutil
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from aigc_models.base import InputError, Params
from aigc_models.data.language_model_decoding import read_upload
from aigc_models.pretrained_lm.bases import find_base
from aigc_models.pretrained_lm.hub import open_hub
from aigc_models.pretrained_lm.networks import PretrainedNetwork, Taught, build
from aigc_models.pretrained_lm.saved import load
from aigc_models.registry import task
from aigc_models.standalone import perform
from aigc_models.writing.speaking import Manner, load_speaker
from aigc_models.writing.tokenizers import END, MARKS
from tests.aigc_models.conftest import RecordingRun
from tests.aigc_models.tiny_texts import write_texts


@pytest.fixture(autouse=True)
def _directory(pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGC_PRETRAINED", str(pretrained))


def settings(operation: str, **values: Any) -> Params:
    inputs = {"train": {"dataset": "ds_" + "0" * 26}, "generate": {"model": "mdl_" + "0" * 26}}
    return task(f"pretrained_lm.{operation}").model_validate_json(json.dumps(inputs[operation] | values))


@pytest.fixture(scope="module")
def taught(pretrained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[RecordingRun, Mapping[str, float]]:
    """A brief training and its figures."""
    torch.set_num_threads(1)
    home = tmp_path_factory.mktemp("taught")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIGC_PRETRAINED", str(pretrained))
        run = RecordingRun(home / "out", {"dataset": write_texts(home / "dataset")})
        chosen = {"steps": 60, "batch_size": 8, "context": 32, "rank": 4, "learning_rate": 0.03}
        return run, perform("pretrained_lm", "train", settings("train", base="tiny", **chosen), run)


def test_teaching_helps_and_only_what_was_learnt_is_kept(
    taught: tuple[RecordingRun, Mapping[str, float]], pretrained: Path
) -> None:
    run, figures = taught
    assert figures["perplexity"] < 0.6 * figures["perplexity_before"]
    files = {file.name for file in (run.out_dir / "model").iterdir()}
    assert files == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "attributes.json",
        "config.json",
        "ranker.safetensors",
        "values.json",
    }
    config = json.loads((run.out_dir / "model" / "config.json").read_text())
    assert config["base"] == {"name": "tiny", "sha256": find_base("tiny").sha256, "kind": "llama"}
    assert json.loads((run.out_dir / "report.json").read_text())["base_sha256"] == config["base"]["sha256"]


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # peft's own
def test_peft_reads_what_is_kept(taught: tuple[RecordingRun, Mapping[str, float]], pretrained: Path) -> None:
    model = taught[0].out_dir / "model"
    ours = load(model, "cpu").network
    assert isinstance(ours, PretrainedNetwork)
    hub = open_hub()
    base = hub.transformers.AutoModelForCausalLM.from_pretrained(str(pretrained / "tiny"), local_files_only=True)
    theirs = hub.peft.PeftModel.from_pretrained(base, str(model)).eval()
    tokens = torch.tensor([[70, 80, 90, 100]])
    with torch.inference_mode():
        assert torch.allclose(ours.model(input_ids=tokens).logits, theirs(input_ids=tokens).logits, atol=1e-5)
        with ours.as_it_came():
            untaught = ours.model(input_ids=tokens).logits
        assert not torch.allclose(untaught, theirs(input_ids=tokens).logits, atol=1e-3)


def test_texts_with_attributes_stops_and_the_best_of_several(
    taught: tuple[RecordingRun, Mapping[str, float]], tmp_path: Path
) -> None:
    run = RecordingRun(tmp_path, {"model": taught[0].out_dir / "model"})
    wish = {"prompt": "the fast", "attributes": "section=games", "candidates": 3, "count": 2, "stop": "e"}
    perform("pretrained_lm", "generate", settings("generate", max_tokens=20, **wish), run)
    made = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
    assert all(one["attributes"] == {"section": ["games"]} and "e" not in one["text"] for one in made)
    assert all({"looks_real", "attributes_kept"} == set(one["scores"]) for one in made)


def test_a_cache_changes_nothing_and_no_mark_is_written() -> None:
    network, tokens = build(find_base("tiny"), Taught(2, 0.0, 0, 32), "cpu")
    network.eval()
    row = torch.tensor([[END, *tokens.tokenizer.encode("the fast player sends")]])
    with torch.inference_mode():
        _, whole = network.see(row)
        caches = network.caches(1)
        network.read(row[:, :-1], torch.arange(row.shape[1] - 1)[None], None, caches)
        last = network.scores(network.read(row[:, -1:], torch.tensor([[row.shape[1] - 1]]), None, caches))
    assert torch.allclose(last, whole[:, -1], atol=1e-5)
    assert last[0, [1, MARKS]].tolist() == [-torch.inf] * 2, "neither the begin of a body nor its own end a second time"
    assert torch.isfinite(last[0, END])


@pytest.mark.parametrize("text", ["the fast player", "  two\n\nblanks\t", "中文 and é, 🎲", "<|end|> is text here"])
def test_text_comes_back_as_it_was(text: str) -> None:
    _, tokens = build(find_base(""), Taught(2, 0.0, 0, 32), "cpu")
    cut = tokens.tokenizer.encode(text)
    assert tokens.tokenizer.decode(cut) == text
    assert END not in cut
    assert MARKS not in cut, "what looks like a mark is no mark"


@pytest.mark.parametrize(
    ("harm", "code", "words"),
    [
        ("model.safetensors", "base-unusable", "no weights in safetensors (pytorch_model.bin)"),
        ("tokenizer.json", "base-unusable", "tokenizer.json is missing"),
        ("config.json", "base-unusable", "no config.json"),
        ("architectures", "base-unusable", "BertForMaskedLM"),
        ("model_type", "base-unusable", "cannot be loaded"),
        ("", "base-missing", "There is no folder other"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str, code: str, words: str
) -> None:
    shutil.copytree(pretrained / "tiny", tmp_path / "tiny")
    monkeypatch.setenv("AIGC_PRETRAINED", str(tmp_path))
    config = tmp_path / "tiny" / "config.json"
    changed = {"architectures": ["BertForMaskedLM"], "model_type": "made_up"}
    if harm in changed:
        config.write_text(json.dumps(json.loads(config.read_text()) | {harm: changed[harm]}))
    elif harm:
        (tmp_path / "tiny" / harm).rename(tmp_path / "tiny" / "pytorch_model.bin")
    with pytest.raises(InputError) as refused:
        build(find_base("tiny" if harm else "other"), Taught(2, 0.0, 0, 32), "cpu")
    (fault,) = refused.value.faults
    assert (fault.code, fault.pointer) == (code, "/base")
    assert words in str(fault)


def test_a_way_out_of_the_directory_is_none(pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGC_PRETRAINED", str(tmp_path))
    (tmp_path / "outside").symlink_to(pretrained / "tiny")
    for name in ("../tiny", "outside"):
        with pytest.raises(InputError) as refused:
            find_base(name)
        assert refused.value.faults[0].code == "base-missing"
    monkeypatch.delenv("AIGC_PRETRAINED")
    with pytest.raises(InputError, match="No directory of pretrained models is set"):
        find_base("tiny")


def test_a_base_that_was_changed_is_refused(
    taught: tuple[RecordingRun, Mapping[str, float]],
    pretrained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(pretrained / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny" / "generation_config.json").write_text("{}")
    monkeypatch.setenv("AIGC_PRETRAINED", str(tmp_path))
    with pytest.raises(InputError) as refused:
        load(taught[0].out_dir / "model", "cpu")
    assert refused.value.faults[0].code == "base-changed"


def test_an_uploaded_model_goes_with_what_was_learnt_from_it(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIGC_PRETRAINED")
    with zipfile.ZipFile(tmp_path / "tiny.zip", "w") as archive:
        for file in (pretrained / "tiny").iterdir():
            archive.write(file, f"tiny/{file.name}")
    read_upload({"file": str(tmp_path / "tiny.zip"), "out": str(tmp_path), "params": {}}, lambda *_: None)
    inputs = {"dataset": write_texts(tmp_path / "texts"), "uploaded": tmp_path / "dataset"}
    run = RecordingRun(tmp_path / "out", inputs)
    chosen = {"steps": 2, "batch_size": 2, "context": 16, "rank": 2, "uploaded": "ds_" + "1" * 26}
    perform("pretrained_lm", "train", settings("train", **chosen), run)
    shutil.rmtree(tmp_path / "dataset")
    model = run.out_dir / "model"
    assert json.loads((model / "config.json").read_text())["base"]["name"] == "tiny"
    assert load(model, "cpu").weights_sha256
    (model / "base" / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError) as refused:
        load(model, "cpu")
    assert refused.value.faults[0].code == "base-changed"


def test_without_the_packages_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    open_hub.cache_clear()
    monkeypatch.setitem(sys.modules, "peft", None)
    try:
        with pytest.raises(InputError, match=r"pip install 'aigc-foundry\[llm\]'") as refused:
            open_hub()
    finally:
        open_hub.cache_clear()
    assert refused.value.faults[0].code == "extra-missing"


def test_a_taught_model_words_answers_for_an_assistant(taught: tuple[RecordingRun, Mapping[str, float]]) -> None:
    run, _ = taught
    speaker = load_speaker(run.out_dir / "model", "cpu")
    heard: list[str] = []
    drafts = speaker.speak("User: How?\nAssistant:", Manner([1, 2, 3], 6), heard.append)
    assert len(drafts) == 3
    assert heard[-1] == drafts[0]
    assert (speaker.room, speaker.count("")) == (32, 0)
