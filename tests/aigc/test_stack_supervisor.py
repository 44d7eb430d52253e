import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from aigc.address import running_stack
from aigc.stack.home import StackError
from aigc.stack.supervisor import Stack, Stopped, Wishes
from tests.aigc import standins


def make(folder: Path, told: list[str] | None = None, programs: Mapping[str, str] = standins.PROGRAMS) -> Stack:
    path = standins.write(folder / "programs", programs)
    environment = {**os.environ, "PYTHONPATH": str(path)}
    environment.pop("AIGC_REDIS_URL", None)
    wishes = Wishes(folder / "home", port=0, environment=environment)
    return Stack(wishes, (told if told is not None else []).append)


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = make(tmp_path)
    made.start()
    yield made
    made.stop()


def pids(stack: Stack) -> dict[str, int]:
    return {child.role.name: child.process.pid for child in stack._children if child.process and child.role.lasting}


def test_everything_starts_and_is_written_down(stack: Stack) -> None:
    assert set(pids(stack)) == {"broker", "scheduler", "worker", "web"}
    running = running_stack(stack.home.path)
    assert running is not None
    assert running.url == stack.url
    assert running.redis_url == f"redis+socket://{stack.home.run / 'valkey.sock'}"
    assert running.pid == os.getpid()


def test_nothing_is_left_after_stopping(tmp_path: Path) -> None:
    stack = make(tmp_path)
    stack.start()
    before = pids(stack)
    stack.stop()
    assert not [pid for pid in before.values() if psutil.pid_exists(pid)]
    assert running_stack(stack.home.path) is None
    again = make(tmp_path)
    again.start()
    again.stop()


@pytest.mark.parametrize("name", ["broker", "scheduler", "worker", "web"])
def test_a_killed_part_comes_back_at_the_same_place(tmp_path: Path, name: str) -> None:
    told: list[str] = []
    stack = make(tmp_path, told)
    url = stack.start()
    before = pids(stack)
    os.kill(before[name], signal.SIGKILL)
    while not any(line == f"The {name} is back." for line in told):
        stack.tend()
    after = pids(stack)
    assert {part for part in before if before[part] != after[part]} == {name}
    assert any(f"The {name} ended (exit code -9) and starts again now." in line for line in told)
    child = next(child for child in stack._children if child.role.name == name)
    assert name != "web" or child.ready() == url
    stack.stop()


def test_a_second_stack_is_told_who_has_the_home(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=f"process {os.getpid()} at {stack.url}"):
        make(tmp_path).start()
    assert all(child.alive for child in stack._children if child.role.lasting)


def test_a_database_that_cannot_be_upgraded_ends_the_start(tmp_path: Path) -> None:
    stack = make(tmp_path, programs={"jobs/migrate.py": "exit('The database is newer than this version.')"})
    with pytest.raises(StackError) as failed:
        stack.start()
    assert "called migrate failed (exit code 1)" in str(failed.value)
    assert "The database is newer than this version." in str(failed.value)
    assert str(tmp_path / "home" / "logs" / "migrate.log") in str(failed.value)
    assert pids(stack) == {}


def test_a_part_that_ends_at_once_ends_the_start(tmp_path: Path) -> None:
    stack = make(tmp_path, programs={"web/__main__.py": "print('something broke'); exit(3)"})
    with pytest.raises(StackError, match=r"called web ended at once \(exit code 3\)"):
        stack.start()
    assert pids(stack) == {}


def test_a_part_that_refuses_its_settings_speaks_for_itself(tmp_path: Path) -> None:
    stack = make(tmp_path, programs={"web/__main__.py": "print('Set AIGC_TOKEN first.'); exit(78)"})
    with pytest.raises(StackError, match=r"^Set AIGC_TOKEN first\.$") as refused:
        stack.start()
    assert refused.value.exit_code == 78


def test_damaged_queue_files_are_set_aside(tmp_path: Path) -> None:
    told: list[str] = []
    stack = make(tmp_path, told)
    log = tmp_path / "home" / "broker" / "appendonlydir"
    log.mkdir(parents=True)
    (log / "appendonly.aof.manifest").write_text("this is no manifest\n")
    stack.start()
    assert any("No job is lost" in line for line in told)
    assert len(list((tmp_path / "home").glob("broker-broken-*"))) == 1
    stack.stop()


def test_stopping_while_starting(tmp_path: Path) -> None:
    stack = make(tmp_path)
    stack.stopping.set()
    with pytest.raises(Stopped):
        stack.start()
    assert pids(stack) == {}


def launch(folder: Path, *options: str) -> subprocess.Popen[str]:
    """``aigc up`` as a process, with the stand-ins for its parts."""
    path = standins.write(folder / "programs")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(Path(__file__).parents[2])])}
    environment.pop("AIGC_REDIS_URL", None)
    command = [sys.executable, "-m", "aigc", "up", "--home", str(folder / "home"), "--port", "0", *options]
    return subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    read = ""
    for line in process.stdout:
        read += line
        if text in line:
            return read
    raise AssertionError(read)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_up_stops_cleanly_when_asked(tmp_path: Path, number: signal.Signals) -> None:
    process = launch(tmp_path)
    said = read_until(process, "Open http://127.0.0.1:")
    assert "state in home" in said
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Stopped. All state is kept." in rest
    assert not [child for child in children if child.is_running()]


def test_killing_up_takes_everything_down(tmp_path: Path) -> None:
    process = launch(tmp_path)
    read_until(process, "Open http://127.0.0.1:")
    ends = [os.pidfd_open(child.pid) for child in psutil.Process(process.pid).children(recursive=True)]
    assert len(ends) == 4
    process.kill()
    process.communicate()
    for end in ends:
        assert select.select([end], [], [], 20)[0]
        os.close(end)
    again = launch(tmp_path)  # what the dead one left is no obstacle
    read_until(again, "Open http://127.0.0.1:")
    again.terminate()
    again.communicate(timeout=60)


def test_a_folder_called_web_where_one_stands_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "__main__.py").write_text("raise SystemExit('the wrong one')")
    process = launch(tmp_path)
    read_until(process, "Open http://127.0.0.1:")
    process.terminate()
    process.communicate(timeout=60)
