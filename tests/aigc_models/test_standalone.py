import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from aigc_models.__main__ import main
from aigc_models.base import Cancelled, InputError, Paused
from aigc_models.registry import families, tasks
from aigc_models.standalone import LocalRun, newest_checkpoint, open_dataset, open_model
from tests.corpus.pictures import class_folders, npz, pixels

ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}
SMALL = ["--epochs", "3", "--batch-size", "16", "--width", "4", "--latent-dim", "4"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main(), [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory with a folder of pictures for each class."""
    for name, content in class_folders({"cats": 20, "dogs": 20}).items():
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "pictures"


@pytest.mark.parametrize("task", tasks())
def test_help_names_every_setting_with_its_description(task: str) -> None:
    family, operation = task.split(".")
    result = run(family, operation, "--help")
    assert result.exit_code == 0, result.output
    words = " ".join(result.output.split())
    for name, field in tasks()[task].model_fields.items():
        assert "--" + name.replace("_", "-") in words
        assert (field.description or "").split(".")[0][:30] in words


def test_help_does_not_import_torch() -> None:
    code = "import sys, aigc_models.__main__ as m; m.main(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_train_then_use_a_model_from_a_directory_of_pictures(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("image_vae", "train", "--dataset", folder, "--out", out, "--preset", "quick", *SMALL)
    assert result.exit_code == 0, result.output
    assert "ELBO" in result.output
    assert not (out / "checkpoints").exists()
    config = json.loads((out / "model" / "config.json").read_text())
    report = json.loads((out / "inputs" / "dataset" / "dataset" / "dataset.json").read_text())
    assert config["params"]["dataset"] == "ds_" + report["hash"][:26]
    assert (config["params"]["epochs"], config["params"]["latent_dim"]) == (3, 4)
    result = run("image_vae", "generate", "--model", out, "--count", "5", "--out", tmp_path / "made")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "made" / "samples.zip").is_file()


def test_all_wrong_settings_are_told_at_once(tmp_path: Path) -> None:
    result = run("image_vae", "train", "--dataset", "x", "--out", tmp_path / "o", "--epochs", "0", "--backbone", "big")
    assert result.exit_code == 2
    assert "Epochs must be between 1 and 10000." in result.output
    assert "Backbone must be one of: conv, mlp." in result.output
    assert not (tmp_path / "o").exists()


def test_missing_files_are_told(tmp_path: Path) -> None:
    result = run("image_vae", "train", "--dataset", tmp_path / "no", "--out", tmp_path / "o")
    assert result.exit_code == 1
    assert "There is no file or directory" in result.output
    assert "fashion-mnist" in result.output
    result = run("image_vae", "generate", "--model", tmp_path, "--out", tmp_path / "o")
    assert "There is no trained model" in result.output


def test_import_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(npz(images=pixels(0, 20 * 8, 8).reshape(20, 8, 8)))
    result = run("dataset", "import_images", "--upload", file, "--out", tmp_path / "o", "--image-size", "16")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "o" / "dataset" / "dataset.json").read_text())["height"] == 16


def test_a_starter_a_file_and_an_import_are_datasets(folder: Path, tmp_path: Path) -> None:
    first = open_dataset(str(folder), tmp_path / "in", LocalRun(tmp_path))
    assert open_dataset(str(first), tmp_path / "other", LocalRun(tmp_path)) == first
    assert open_dataset(str(tmp_path / "in"), tmp_path / "other", LocalRun(tmp_path)) == first
    with pytest.raises(InputError):
        open_model(str(first))


def test_only_the_newest_checkpoint_is_kept(tmp_path: Path) -> None:
    run = LocalRun(tmp_path, checkpoints=tmp_path / "c", checkpoint_seconds=0)
    for step in (1, 2, 30):
        run.checkpoint(step, lambda directory: (directory / "state").touch())
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["step-00000030"]
    assert newest_checkpoint(tmp_path / "c") == tmp_path / "c" / "step-00000030"
    assert newest_checkpoint(tmp_path / "none") is None


def test_stopping_writes_a_checkpoint_and_cancelling_does_not(tmp_path: Path) -> None:
    run = LocalRun(tmp_path, checkpoints=tmp_path / "c")
    written: list[Path] = []
    run.checkpoint(1, written.append)
    assert not written
    run.stopping = True
    run.report(2, 9)
    with pytest.raises(Paused):
        run.checkpoint(2, written.append)
    assert len(written) == 1
    run.cancelling = True
    with pytest.raises(Cancelled):
        run.report(3, 9)


def test_warm_loads_once(tmp_path: Path) -> None:
    run = LocalRun(tmp_path)
    calls: list[Path] = []
    assert [run.warm(tmp_path, lambda path: calls.append(path) or len(calls)) for _ in range(3)] == [1, 1, 1]  # type: ignore[func-returns-value]


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_control_c_stops_with_a_checkpoint_and_resume_gives_the_same_model(folder: Path, tmp_path: Path) -> None:
    def command(out: Path, *more: str) -> list[str]:
        start = [sys.executable, "-m", "aigc_models", "image_vae", "train", "--dataset", str(folder)]
        return [*start, "--out", str(out), *SMALL, "--epochs", "60", "--backbone", "mlp", *more]

    assert subprocess.run(command(tmp_path / "whole"), capture_output=True, env=ALONE, check=False).returncode == 0
    broken = tmp_path / "broken"
    process = subprocess.Popen(command(broken), stderr=subprocess.PIPE, text=True, env=ALONE)
    previews = broken / "previews"
    while process.poll() is None and not list(previews.glob("*.png")):
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "--resume" in " ".join(said.split())
    assert newest_checkpoint(broken / "checkpoints") is not None
    done = subprocess.run(command(broken, "--resume"), capture_output=True, env=ALONE, check=False)
    assert done.returncode == 0, done.stderr
    ours, theirs = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "broken"))
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_every_family_has_a_group() -> None:
    assert set(main().commands) == set(families())
