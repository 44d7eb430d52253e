import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from aigc.address import Running, home_directory, running_stack, server_url
from aigc.stack import broker, ports
from aigc.stack.child import Child, Role
from aigc.stack.home import Home, StackError


def test_only_one_stack_holds_a_home(tmp_path: Path) -> None:
    first = Home(tmp_path / "state")
    first.open()
    first.note(Running(os.getpid(), "http://127.0.0.1:8123", ""))
    with pytest.raises(StackError, match=rf"process {os.getpid()} at http://127\.0\.0\.1:8123") as refused:
        Home(tmp_path / "state").open()
    assert "stop it with Ctrl-C there or with: aigc down" in str(refused.value)
    first.close()
    again = Home(tmp_path / "state")
    again.open()
    again.close()


def test_what_a_killed_stack_left_behind_is_no_obstacle(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.open()
    home.close()
    (home.run / "up.json").write_text('{"pid": 1, "url": "http://127.0.0.1:1", "redis_url": ""}')
    (home.run / "valkey.sock").touch()
    again = Home(tmp_path)
    again.open()
    assert running_stack(tmp_path) is None
    again.close()


def test_the_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.open()
    assert home.run.stat().st_mode & 0o777 == 0o700
    home.close()


def test_a_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="Choose another with --home or AIGC_HOME"):
        Home(tmp_path / "file").open()


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aigc.stack.home.LEAST_FREE", 2**62)
    home = Home(tmp_path)
    with pytest.raises(StackError, match=r"has only \d+ MiB left"):
        home.open()
    home.close()


def test_a_deep_home_gets_a_short_private_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/tmp")
    deep = Home(tmp_path / ("d" * 60) / ("e" * 60))
    listen = deep.socket()
    try:
        assert len(str(listen)) < 108
        assert listen.parent.stat().st_mode & 0o777 == 0o700
        assert listen == deep.socket()
        listen.parent.chmod(0o755)
        with pytest.raises(StackError, match="belongs to somebody else"):
            deep.socket()
    finally:
        listen.parent.rmdir()


def test_the_running_stack_is_found_and_only_here_believed(tmp_path: Path) -> None:
    environ = {"AIGC_HOME": str(tmp_path)}
    assert home_directory(environ) == tmp_path
    assert server_url(environ=environ) == "http://127.0.0.1:8000"
    (tmp_path / "run").mkdir()
    noted = tmp_path / "run" / "up.json"
    noted.write_text(f'{{"pid": {os.getpid()}, "url": "http://127.0.0.1:8123", "redis_url": ""}}')
    assert server_url(environ=environ) == "http://127.0.0.1:8123"
    assert server_url("http://other/", environ) == "http://other"
    assert server_url(environ={**environ, "AIGC_URL": "http://set"}) == "http://set"
    noted.write_text(f'{{"pid": {os.getpid()}, "url": "http://evil.example", "redis_url": ""}}')
    assert server_url(environ=environ) == "http://127.0.0.1:8000"


def test_ports() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        assert not ports.is_free("127.0.0.1", number)
        with pytest.raises(StackError, match=f"Port {number} on 127.0.0.1 is taken"):
            ports.choose("127.0.0.1", number)
    assert ports.choose("127.0.0.1", 0) == 0
    assert ports.choose("127.0.0.1", None) >= 8000
    with pytest.raises(StackError, match="Nothing can listen on"):
        ports.choose("203.0.113.1", 8000)


def test_a_server_is_found() -> None:
    said = subprocess.run([broker.find_server(), "--version"], capture_output=True, text=True, check=True)
    assert "server" in said.stdout.lower()


def test_a_queue_server_that_does_not_answer_is_named_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StackError) as refused:
        broker.check(f"redis://user:secret@127.0.0.1:{port}/0")
    assert f"127.0.0.1 port {port}" in str(refused.value)
    assert "secret" not in str(refused.value)
    with pytest.raises(StackError, match=r"at /nowhere/valkey\.sock"):
        broker.check("redis+socket:///nowhere/valkey.sock")


def child(tmp_path: Path, code: str) -> Child:
    return Child(Role("part", [sys.executable, "-c", code]), tmp_path / "part.log", dict(os.environ))


def await_ready(part: Child) -> str:
    while part.alive:
        said = part.ready()
        if said is not None:
            return said
    raise AssertionError(part.last_lines())


def test_a_child_is_ready_when_it_says_so_and_ends_when_asked(tmp_path: Path) -> None:
    part = child(tmp_path, "import time; print('ready not yet', end='\\nready at 7\\n', flush=True); time.sleep(60)")
    part.start()
    assert await_ready(part) == "not yet"
    assert part.stop(10)
    assert part.exit_code == -signal.SIGTERM


def test_a_child_that_does_not_listen_is_made_to_end(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
    part = child(tmp_path, deaf)
    part.start()
    await_ready(part)
    assert not part.stop(0.01)
    assert part.exit_code == -signal.SIGKILL


def test_the_log_of_an_earlier_life_is_not_read_as_this_one(tmp_path: Path) -> None:
    part = child(tmp_path, "import sys; sys.exit('boom')")
    part.log.write_text("ready before\n")
    part.start()
    assert part.process is not None
    assert part.process.wait() == 1
    assert part.ready() is None
    assert part.last_lines() == "boom"


def test_a_child_that_keeps_dying_is_started_later_and_later(tmp_path: Path) -> None:
    part = child(tmp_path, "pass")
    part.start()
    pauses = [part.plan_restart() for _ in range(9)]
    assert pauses == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    part.kill()


def test_the_death_of_the_starter_is_the_end(tmp_path: Path) -> None:
    """A real process starts a child and is killed; the child's end closes the pipe it inherited."""
    starter = (
        "import sys, time, os; from pathlib import Path; from aigc.stack.child import Child, Role\n"
        "part = Child(Role('p', [sys.executable, '-c', 'import time; print(\"ready\", flush=True); time.sleep(60)']),"
        f" Path({str(tmp_path / 'p.log')!r}), dict(os.environ)); part.start()\n"
        "while part.ready() is None: pass\n"
        "print(part.process.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    descriptor = os.pidfd_open(pid)
    process.kill()
    process.communicate()
    import select

    assert select.select([descriptor], [], [], 20)[0]
    os.close(descriptor)
