"""What a fresh clone does: `make demo` from nothing to pictures, and `make test` that says how each part went."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
LAST = re.compile(r"job (job_[0-9a-v]{26}) succeeded, samples: (/.+\.png)")
ADDRESS = re.compile(r"^Job +(http://127\.0\.0\.1:\d+/jobs/(job_[0-9a-v]{26}))$", re.MULTILINE)
PNG = b"\x89PNG\r\n\x1a\n"
MINUTES = 25


OTHERS = {"VENV", "PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"}


def own_environment(**more: str) -> Mapping[str, str]:
    """Nothing of this machine's installation, nor of a make that runs this; pip keeps its cache."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIGC_")}
    return {name: value for name, value in kept.items() if name not in OTHERS} | more


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed here."""
    folder = tmp_path_factory.mktemp("fresh") / "foundry"
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder)], check=True, timeout=120)
    return folder


@pytest.mark.long
@pytest.mark.stack
@pytest.mark.timeout(MINUTES * 60)
@pytest.mark.checklist(36)
def test_make_demo_from_nothing_ends_with_a_job_its_address_and_a_sample(clone: Path) -> None:
    assert not (clone / ".venv").exists()
    began = time.monotonic()
    done = subprocess.run(
        ["make", "demo", "ONCE=1"],
        cwd=clone,
        env=own_environment(),
        capture_output=True,
        text=True,
        timeout=MINUTES * 60,
        check=False,
    )
    took = time.monotonic() - began
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    last = LAST.fullmatch(said.rstrip("\n").splitlines()[-1])
    assert last, said[-2_000:]
    job, sample = last[1], Path(last[2])
    address = ADDRESS.search(said)
    assert address
    assert address[2] == job
    assert sample.is_relative_to(clone)
    assert sample.read_bytes().startswith(PNG)
    for words in ("Installing", "ready", "Training", "Figures on held-out pictures", "Generating 64 pictures"):
        assert words in said, words
    installed, played = (int(found) for found in re.findall(r"(?:Installed in|Done after) (\d+) s", said))
    assert installed > 0
    assert played > 0
    assert installed + played <= took + 2, "the times that are printed are times that passed"
    check_the_job_is_there(clone, job)


def check_the_job_is_there(clone: Path, job: str) -> None:
    """Start the clone's stack again and open the job's page."""
    command = [str(clone / ".venv" / "bin" / "aigc"), "up", "--no-open", "--port", "0"]
    stack = subprocess.Popen(
        command, cwd=clone, env=own_environment(), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert stack.stdout is not None
    try:
        url = next(line.split()[1] for line in stack.stdout if line.startswith("Open http"))
        assert httpx.get(f"{url}/jobs/{job}", timeout=30).status_code == 200
        assert httpx.get(f"{url}/api/v1/jobs/{job}", timeout=30).json()["state"] == "succeeded"
    finally:
        stack.send_signal(signal.SIGINT)
        stack.communicate(timeout=60)


PYTHON = """#!/usr/bin/env bash
# Stands in for pytest and the chaos run: notes what it was asked, and fails where it is told to.
echo "$*" >> "$0.asked"
case "$FAILS: $*" in
    "tests: "*loadgroup*) exit 1;;
    "in company: "*--last-failed*) ;;
    "in company: "*loadgroup*) exit 1;;
    "whole stack: "*"-m stack"*) exit 1;;
    "chaos: "*tests.chaos*) exit 1;;
esac
"""
PARTS = ("style, types, layers", "browser for the tests", "tests", "tests with the whole stack", "chaos, short")
CALLED = {"setup.sh": "setup", "setup_browser.sh": "browser", "lint.sh": "lint"}


def run_parts(folder: Path, fails: str) -> tuple[int, str, list[str]]:
    """Run the real `scripts/test.sh` with stand-ins for what it calls."""
    scripts, tools = folder / "scripts", folder / "venv" / "bin"
    for made in (scripts, tools):
        made.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "scripts" / "test.sh", scripts)
    for file, name in CALLED.items():
        (scripts / file).write_text(f'#!/usr/bin/env bash\n[ "$FAILS" != "{name}" ]\n')
        (scripts / file).chmod(0o755)
    (tools / "python").write_text(PYTHON)
    (tools / "python").chmod(0o755)
    asked = tools / "python.asked"
    asked.write_text("", encoding="utf-8")
    done = subprocess.run(
        [str(scripts / "test.sh")],
        env=own_environment(VENV="venv", FAILS=fails),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout, asked.read_text().splitlines()


@pytest.mark.checklist(36)
def test_make_test_says_how_long_each_part_took_and_ends_green(tmp_path: Path) -> None:
    code, said, asked = run_parts(tmp_path, fails="")
    assert code == 0, said
    for part in ("setup", *PARTS):
        assert f"== {part}\n" in said
        assert re.search(rf"^ +\d+ s  {re.escape(part)}$", said, re.MULTILINE), part
    assert said.endswith("All parts passed.\n")
    assert len(asked) == 3, "two runs of pytest and the chaos run, nothing twice"


@pytest.mark.checklist(36)
@pytest.mark.parametrize(
    ("fails", "part"), list(zip(("lint", "browser", "tests", "whole stack", "chaos"), PARTS, strict=True))
)
def test_make_test_ends_red_when_a_part_is_red_and_still_runs_the_others(tmp_path: Path, fails: str, part: str) -> None:
    code, said, asked = run_parts(tmp_path, fails)
    assert code == 1
    assert said.endswith(f"FAILED: {part}\n")
    assert said.count("FAILED:") == 1
    for name in PARTS:
        assert re.search(rf"^ +\d+ s  {re.escape(name)}$", said, re.MULTILINE), name
    assert any("tests.chaos" in one for one in asked)


@pytest.mark.checklist(36)
def test_what_fails_only_in_company_is_run_once_more_alone(tmp_path: Path) -> None:
    code, said, asked = run_parts(tmp_path, fails="in company")
    (alone,) = (one for one in asked if "--last-failed" in one)
    assert alone.endswith("-n 0")
    assert "again, alone: what failed" in said
    assert code == 0


@pytest.mark.checklist(36)
def test_make_test_ends_at_once_where_nothing_could_be_set_up(tmp_path: Path) -> None:
    code, said, asked = run_parts(tmp_path, fails="setup")
    assert (code, asked) == (1, [])
    assert "FAILED: setup\n" in said
