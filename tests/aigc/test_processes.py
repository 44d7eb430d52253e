import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from aigc.cli import doctor, run
from aigc.cli.processes import environment
from tests.aigc.scripted import Answer, in_turn, serving
from tests.servers import Valkey


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AIGC_URL", "AIGC_TOKEN", "AIGC_TOKEN_FILE", "AIGC_REDIS_URL", "AIGC_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AIGC_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    given = [sys.executable, "-m", "aigc", *arguments]
    return subprocess.run(given, capture_output=True, text=True, timeout=120, check=False)


def test_the_doctor_names_what_does_not_run_and_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(in_turn(Answer())) as gone:
        pass
    assert run(["doctor", "--url", gone.url]) == 1
    told = capsys.readouterr().out
    assert "✓ Python" in told
    assert f"✕ Server: No server answers at {gone.url}" in told
    assert "✕ Database: SQLite: there is no database file yet\n    Fix: Run: aigc migrate" in told
    assert "✕ Broker: no answer at" in told
    assert "Fix: Start everything with: aigc up" in told


@pytest.mark.checklist(38)
def test_the_doctor_names_a_stopped_redis_and_the_fix(
    valkey: Valkey, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIGC_REDIS_URL", valkey.url)
    assert command("migrate").returncode == 0
    with serving(in_turn(Answer(200, {"status": "ok", "parts": {}}))) as server:
        run(["doctor", "--url", server.url])
        assert "✓ Broker: answers" in capsys.readouterr().out
        valkey.stop()
        assert run(["doctor", "--url", server.url]) == 1
    told = capsys.readouterr().out
    assert "✓ Database" in told
    assert f"✕ Broker: no answer at {valkey.url}\n    Fix: Start everything with: aigc up" in told


@pytest.mark.checklist(38)
def test_the_doctor_names_a_stopped_database_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIGC_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:9/none")
    with serving(in_turn(Answer(200, {"status": "degraded", "parts": {"broker": "down", "database": "ok"}}))) as server:
        assert run(["doctor", "--url", server.url]) == 1
    told = capsys.readouterr().out
    assert "✕ Database: postgresql does not answer" in told
    assert "    Fix: Start the database, or correct AIGC_DATABASE_URL." in told
    assert f"✕ Server: {server.url} answers, but these parts do not work: broker\n    Fix: " in told


def test_the_doctor_looks_at_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("AIGC_PORT", str(taken.getsockname()[1]))
        assert not doctor.port().well
        assert "AIGC_PORT" in doctor.port().fix
    assert doctor.port().well
    monkeypatch.setenv("AIGC_HOST", "203.0.113.1")
    assert not doctor.port().well


@pytest.mark.parametrize(
    ("script", "torch", "well", "words"),
    [
        ("echo 'NVIDIA L4, 23034 MiB'", "2.13.0+cu130", True, "NVIDIA L4"),
        ("echo 'NVIDIA L4, 23034 MiB'", "2.13.0+cpu", False, "built for CPUs"),
        ("echo 'Failed to initialize NVML: Driver/library version mismatch'; exit 18", "", False, "version mismatch"),
        ("exit 9", "", False, "does not answer"),
    ],
)
def test_the_doctor_looks_at_the_gpu(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, torch: str, well: bool, words: str
) -> None:
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\n{script}\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(doctor, "_torch", lambda: torch)
    found = doctor.gpu()
    assert (found.well, bool(found.fix)) == (well, not well)
    assert words in found.detail
    driver.unlink()
    assert doctor.gpu().well  # a machine without one is no fault


def test_the_doctor_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(in_turn(Answer(200, {"status": "ok"}))) as server:
        assert run(["doctor", "--json", "--url", server.url]) == 1
    findings = {finding["what"]: finding["well"] for finding in json.loads(capsys.readouterr().out)}
    assert findings["Server"]
    assert not findings["Database"]


def test_migrate_and_token_work_on_the_home_without_a_server(tmp_path: Path) -> None:
    refused = command("token", "create", "--name", "notebook")
    assert refused.returncode == 1
    assert "aigc migrate" in refused.stderr
    assert command("migrate").returncode == 0
    made = command("token", "create", "--name", "notebook")
    assert made.returncode == 0
    assert made.stdout.startswith("aigc_")
    listed = command("token", "list").stdout.strip().split("\t")
    assert listed[-1] == "notebook"
    assert command("token", "revoke", listed[0]).returncode == 0
    assert command("token", "list").stdout == ""


def test_a_worker_finds_the_queue_of_the_stack_that_runs(tmp_path: Path) -> None:
    run_folder = tmp_path / "home" / "run"
    run_folder.mkdir(parents=True)
    noted = {"pid": os.getpid(), "url": "http://127.0.0.1:1", "redis_url": "redis+socket:///tmp/short/valkey.sock"}
    (run_folder / "up.json").write_text(json.dumps(noted))
    found = environment({"AIGC_HOME": str(tmp_path / "home")})
    assert found["AIGC_REDIS_URL"] == "redis+socket:///tmp/short/valkey.sock"
    assert environment({**found, "AIGC_REDIS_URL": "redis://other"})["AIGC_REDIS_URL"] == "redis://other"


def test_open_prints_the_address_where_there_is_no_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run(["open", "--url", "http://127.0.0.1:8123"]) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:8123/\n"
