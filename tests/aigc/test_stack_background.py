"""A stack in the background, as processes: it outlives the command that started it, and ``aigc down`` ends it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from aigc.address import Running, running_stack
from aigc.stack import background
from aigc.stack.home import Home, StackError
from tests.aigc import standins

ROOT = Path(__file__).parents[2]


def aigc(
    folder: Path, *arguments: str, programs: Mapping[str, str] = standins.PROGRAMS
) -> subprocess.CompletedProcess[str]:
    """The command, with the stand-ins for the parts of the stack."""
    path = standins.write(folder / "programs", programs)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)])}
    for name in ("AIGC_REDIS_URL", "AIGC_HOME", "AIGC_URL"):
        environment.pop(name, None)
    command = [sys.executable, "-m", "aigc", *arguments]
    return subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def started(tmp_path: Path) -> Iterator[psutil.Process]:
    made = aigc(tmp_path, "up", "--detach", "--port", "0")
    assert made.returncode == 0, made.stderr
    running = running_stack(tmp_path / ".aigc")
    assert running is not None
    assert f"Open {running.url}" in made.stdout
    assert "aigc down)" in made.stdout
    yield psutil.Process(running.pid)
    aigc(tmp_path, "down", "--now")


def test_what_was_started_in_the_background_is_stopped_from_anywhere(tmp_path: Path, started: psutil.Process) -> None:
    parts = [started, *started.children(recursive=True)]
    assert len(parts) == 5
    assert os.getsid(started.pid) == started.pid  # it does not end with the terminal
    done = aigc(tmp_path, "down")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"Stopping process {started.pid}, state in .aigc\nStopped. All state is kept.\n" == done.stderr
    assert not [part for part in parts if part.is_running() and part.status() != psutil.STATUS_ZOMBIE]
    again = aigc(tmp_path, "down")
    assert (again.returncode, again.stderr) == (0, "No stack runs on .aigc.\n")


def test_a_second_one_says_who_is_there(tmp_path: Path, started: psutil.Process) -> None:
    refused = aigc(tmp_path, "up", "--detach", "--port", "0")
    assert refused.returncode == 1
    assert f"A stack already runs on {tmp_path / '.aigc'}: process {started.pid} at http://" in refused.stderr
    assert "aigc down" in refused.stderr
    assert started.is_running()


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = {"web/__main__.py": "print('The port is on fire.'); raise SystemExit(78)\n"}
    failed = aigc(tmp_path, "up", "-d", "--port", "0", programs=broken)
    assert (failed.returncode, failed.stderr) == (78, "Error: The port is on fire.\n")
    assert not background.is_held(tmp_path / ".aigc")


def test_a_number_that_another_process_has_got_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "up.json").write_text(json.dumps({"pid": os.getpid(), "url": "http://x", "redis_url": ""}))
    told: list[Running] = []
    assert background.stop(tmp_path, told.append) is None
    (tmp_path / "run" / "up.lock").touch()
    assert background.stop(tmp_path, told.append, at_once=True) is None
    assert told == []


def test_what_holds_the_home_but_is_no_stack_is_waited_for(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.open()
    with pytest.raises(StackError, match="by no stack"):
        background.stop(tmp_path, lambda _: None)
    home.close()
