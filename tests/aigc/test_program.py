"""Commands that are named in messages can be typed where they are read."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from aigc import program
from aigc.cli.root import COMMANDS
from jobs import program as server_side

ROOT = Path(__file__).parents[2]


def script(folder: Path) -> Path:
    """A command of that folder."""
    folder.mkdir(parents=True)
    made = folder / "aigc"
    made.write_text("#!/bin/sh\n")
    made.chmod(0o755)
    return made


def test_every_command_is_known() -> None:
    assert set(program.COMMANDS) == set(COMMANDS)
    assert program.PASSED_ON == server_side.PASSED_ON


def test_a_command_on_the_path_has_its_plain_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = script(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(made.parent))
    assert program.name_of([str(made), "up"], tmp_path) == "aigc"
    link = tmp_path / "link" / "aigc"
    link.parent.mkdir()
    link.symlink_to(made)
    assert program.name_of([str(link)], tmp_path) == "aigc", "as pipx and uv link it"


def test_in_a_clone_it_is_named_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath)
    monkeypatch.chdir(tmp_path)
    made = script(tmp_path / ".venv" / "bin")
    assert program.name_of([".venv/bin/aigc"], tmp_path) == ".venv/bin/aigc"
    assert program.name_of([str(made)], tmp_path) == ".venv/bin/aigc"
    elsewhere = tmp_path / "data"
    elsewhere.mkdir()
    assert program.name_of([str(made)], elsewhere) == str(made)
    started = str(tmp_path / "aigc" / "__main__.py")
    assert program.name_of([started], tmp_path, str(made.with_name("python"))) == ".venv/bin/aigc"
    assert program.name_of([started], elsewhere, "/opt/python") == "/opt/python -m aigc"


def test_another_program_names_it_plainly(tmp_path: Path) -> None:
    for arguments in ([], [""], ["-c"], ["train.py"], ["/usr/bin/ipython"]):
        assert program.name_of(arguments, tmp_path) == "aigc"


def test_only_commands_are_renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "called", lambda: ".venv/bin/aigc")
    words = "Start one with: aigc up (aigc is at /opt/aigc up there; `aigc token create`; my-aigc up; aigc upward)"
    assert program.here(words) == (
        "Start one with: .venv/bin/aigc up (aigc is at /opt/aigc up there; `.venv/bin/aigc token create`;"
        " my-aigc up; aigc upward)"
    )


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ``.venv`` whose command is that of this working tree, as setting up a clone makes it."""
    folder = tmp_path_factory.mktemp("clone")
    venv.create(folder / ".venv", system_site_packages=False, with_pip=False)
    site = next((folder / ".venv" / "lib").glob("python*/site-packages"))
    paths = [str(ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))]
    (site / "foundry.pth").write_text("\n".join(paths) + "\n")
    command = folder / ".venv" / "bin" / "aigc"
    command.write_text(f"#!{folder}/.venv/bin/python\nfrom aigc.__main__ import main\nmain()\n")
    command.chmod(0o755)
    return folder


def typed(clone: Path, *words: str) -> str:
    """What the command of a clone says, without being on the PATH."""
    environment = {"PATH": os.defpath, "HOME": str(clone), "AIGC_HOME": str(clone / "state"), "LANG": "C.UTF-8"}
    command = [".venv/bin/aigc", *words]
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_a_clone_says_what_can_be_typed_there(clone: Path) -> None:
    away = ["--url", "http://127.0.0.1:9"]
    assert "Start one with: .venv/bin/aigc up\n" in typed(clone, "jobs", "list", *away)
    said = typed(clone, "doctor", *away)
    assert "Run: .venv/bin/aigc migrate\n" in said
    assert "Start everything with: .venv/bin/aigc up" in said
    assert " aigc " not in said.replace(".venv/bin/aigc ", "")


def test_the_parts_that_the_command_becomes_say_it_too(clone: Path) -> None:
    (clone / "state").mkdir(exist_ok=True)
    assert "Run: .venv/bin/aigc migrate\n" in typed(clone, "token", "list")
