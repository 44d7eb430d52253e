import os
import signal
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests.worker.driving import give, hear, of_kind
from worker.runner_pool import Runner


def test_a_training_reports_and_leaves_its_files(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path, params={"steps": 5})
    heard = hear(warm_runner)
    assert [message["name"] for message in of_kind(heard, "phase")] == ["training", "saving"]
    assert of_kind(heard, "progress")[-1]["step"] == 5
    assert of_kind(heard, "preview")[0]["name"] == "samples"
    assert heard[-1]["outcome"] == "succeeded"
    assert list(heard[-1]["metrics"]) == ["sum"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"model", "samples.png"}


def test_cancel_is_seen_at_the_next_report(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path, params={"gate": str(tmp_path / "never")})
    hear(warm_runner, "progress")
    warm_runner.send("cancel")
    assert hear(warm_runner)[-1]["outcome"] == "cancelled"


def test_a_pause_writes_a_checkpoint_that_continues_bit_for_bit(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path / "whole", params={"steps": 30, "seed": 4})
    assert hear(warm_runner)[-1]["outcome"] == "succeeded"
    give(warm_runner, "train", tmp_path / "first", params={"steps": 30, "seed": 4, "gate": str(tmp_path / "never")})
    while of_kind(hear(warm_runner, "progress"), "progress")[-1]["step"] < 15:
        continue
    os.kill(warm_runner.pid, signal.SIGTERM)  # means the same as the message
    heard = hear(warm_runner)
    assert heard[-1]["outcome"] == "paused"
    assert of_kind(heard, "saving")[0]["step"] == 15
    saved = of_kind(heard, "checkpoint")[0]
    give(warm_runner, "train", tmp_path / "second", params={"steps": 30, "seed": 4}, resume_from=saved["path"])
    heard = hear(warm_runner)
    assert {"kind": "log", "line": "resumed after step 15"} in heard
    weights = "out/model/weights.safetensors"
    assert (tmp_path / "second" / weights).read_bytes() == (tmp_path / "whole" / weights).read_bytes()
    assert load_file(tmp_path / "second" / weights)["total"].any()


def test_checkpoints_are_written_when_due(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path, params={"steps": 4}, checkpoint_seconds=0.0)
    heard = hear(warm_runner)
    assert [message["step"] for message in of_kind(heard, "checkpoint")] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("input", "invalid_data"),
        ("memory", "host_out_of_memory"),
        ("device_memory", "out_of_memory"),
        ("diverged", "diverged"),
        ("disk_full", "disk_full"),
        ("error", "internal"),
    ],
)
def test_what_goes_wrong_becomes_a_code_and_the_runner_lives(
    warm_runner: Runner, tmp_path: Path, fault: str, code: str
) -> None:
    give(warm_runner, "train", tmp_path, params={"fault": fault})
    end = hear(warm_runner)[-1]
    assert (end["outcome"], end["code"]) == ("failed", code)
    assert end["faults"]
    for said in end["faults"]:
        said["message"].format(**said["values"])
    assert warm_runner.alive()


def test_adjustments_reach_the_operation(warm_runner: Runner, tmp_path: Path) -> None:
    gently = {"micro_batches": 4, "learning_rate_factor": 0.5, "of_a_later_version": True}
    give(warm_runner, "train", tmp_path, params={"steps": 1}, adjustments=gently)
    assert {"kind": "log", "line": "batches in 4 parts, rate times 0.5"} in hear(warm_runner)


def test_faults_travel_as_data(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path, params={"fault": "input"})
    assert hear(warm_runner)[-1]["faults"] == [
        {"message": "Row {row} is odd.", "values": {"row": 3}, "pointer": "", "where": {"row": 3}, "code": "odd"}
    ]


def test_settings_are_validated_again(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path, params={"steps": 0, "stepz": 1})
    end = hear(warm_runner)[-1]
    assert end["code"] == "invalid_data"
    assert [said["pointer"] for said in end["faults"]] == ["/steps", "/stepz"]


def test_printing_cannot_disturb_the_protocol_and_the_last_of_it_is_kept(runner: Runner, tmp_path: Path) -> None:
    give(runner, "train", tmp_path / "noise", params={"fault": "noise"})
    assert hear(runner)[-1]["outcome"] == "succeeded"
    give(runner, "train", tmp_path / "error", params={"fault": "error"})
    assert hear(runner)[-1]["outcome"] == "failed"
    runner.kill()
    runner.tail.wait(10)
    tail = runner.tail.text()
    assert "noise 19999" in tail
    assert tail.endswith("ValueError: a secret of the program\n")
    assert len(tail) <= 64 * 1024


def test_a_figure_that_is_no_number_is_left_out(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path, params={"fault": "nan"})
    assert list(hear(warm_runner)[-1]["metrics"]) == ["sum"]


def test_a_model_stays_loaded_between_runs(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "train", tmp_path / "train")
    hear(warm_runner)
    model = tmp_path / "train" / "out" / "model"
    key = tmp_path / "mdl_1"
    model.rename(key)
    ends = []
    for place in ("a", "b"):
        give(warm_runner, "generate", tmp_path / place, params={"model": None}, inputs={"model": str(key)})
        ends.append(hear(warm_runner)[-1])
    assert ends[0]["metrics"] == ends[1]["metrics"]
    assert ends[1]["warm"] == ["mdl_1"]


def test_it_leaves_when_its_supervisor_is_gone(runner: Runner, tmp_path: Path) -> None:
    give(runner, "train", tmp_path, params={"fault": "hang"})
    hear(runner, "phase")
    runner._commands.close()
    assert runner.process.wait(10) == 0


def test_torch_computes_with_the_threads_it_was_given(warm_runner: Runner) -> None:
    environment = Path(f"/proc/{warm_runner.pid}/environ").read_bytes().split(b"\0")
    assert b"OMP_NUM_THREADS=1" in environment


def test_the_kernel_would_kill_it_first(warm_runner: Runner, tmp_path: Path) -> None:
    give(warm_runner, "generate", tmp_path)
    hear(warm_runner)
    assert Path(f"/proc/{warm_runner.pid}/oom_score_adj").read_text().strip() == "800"
