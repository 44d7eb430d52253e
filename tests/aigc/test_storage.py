"""``aigc backup``, ``restore``, ``verify`` and ``gc`` as typed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aigc.address import Running
from aigc.stack.home import Home


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIGC_URL", "AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_REDIS_URL", "AIGC_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIGC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def aigc(*arguments: str) -> "subprocess.CompletedProcess[str]":
    given = [sys.executable, "-m", "aigc", *arguments]
    return subprocess.run(given, capture_output=True, text=True, timeout=120, check=False)


def test_there_and_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert aigc("migrate").returncode == 0
    assert aigc("token", "create", "--name", "notebook").returncode == 0
    saved = aigc("backup", "saved")
    assert (saved.returncode, saved.stderr) == (0, "")
    assert saved.stdout.startswith("Backed up to saved: 0 jobs, ")
    refused = aigc("restore", "saved")
    assert refused.returncode == 1
    assert "The database holds 1 tokens, which a restore replaces. Add --force" in refused.stderr
    assert aigc("restore", "saved", "--force").returncode == 0
    monkeypatch.setenv("AIGC_HOME", str(tmp_path / "new"))
    assert aigc("restore", "saved").returncode == 0
    assert aigc("token", "list").stdout.endswith("\tnotebook\n")
    assert aigc("verify").stdout.endswith("Everything is sound.\n")
    assert json.loads(aigc("verify", "--deep", "--json").stdout)["sound"] is True
    collected = aigc("gc", "--dry-run")
    assert (collected.returncode, collected.stdout.splitlines()[0]) == (
        0,
        "Would remove 0 files, 0 bytes, that nothing names any more",
    )


def test_a_stack_that_runs_is_in_the_way_of_a_restore(tmp_path: Path) -> None:
    assert aigc("migrate").returncode == 0
    assert aigc("backup", "saved.tar").returncode == 0
    home = Home(tmp_path / "home")
    home.open()
    home.note(Running(os.getpid(), "http://127.0.0.1:8123", ""))
    refused = aigc("restore", "saved.tar", "--force")
    home.close()
    assert refused.returncode == 1
    assert f"A stack already runs on {home.path}: process {os.getpid()} at http://127.0.0.1:8123." in refused.stderr
    assert "Stop it (Ctrl-C there), then restore" in refused.stderr
    assert aigc("restore", "saved.tar", "--force").returncode == 0


def test_a_stack_cannot_start_during_a_restore(tmp_path: Path) -> None:
    """The lock goes over to the program that restores, and ends with it."""
    assert aigc("migrate").returncode == 0
    script = """
import sys
from pathlib import Path
from aigc.stack.home import Home
import os
home = Home(Path(sys.argv[1]))
home.open()
home.hand_on()
home.close()
os.execv(sys.executable, [sys.executable, "-c", "print('held', flush=True); input()"])
"""
    command = [sys.executable, "-c", script, str(tmp_path / "home")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as restoring:
        assert restoring.stdout is not None
        assert restoring.stdout.readline() == "held\n"
        refused = aigc("restore", "nowhere")
        assert "A stack already runs" in refused.stderr
        restoring.communicate("\n")
    assert "There is no backup at" in aigc("restore", "nowhere").stderr


def test_every_command_says_how_it_is_used() -> None:
    for name in ("backup", "restore", "verify", "gc"):
        told = aigc(name, "--help")
        assert told.returncode == 0
        assert told.stdout.startswith(f"usage: aigc {name}")
    assert aigc("backup").returncode == 2
