"""The client's own distribution, built and installed beside httpx alone, talks to a real server."""

import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest

import aigc

ROOT = Path(__file__).parents[2]
NEEDED = "httpx"
HEAVY = ("torch", "numpy", "flask", "sqlalchemy", "celery", "click", "rich", "web", "jobs", "worker", "aigc_models")
PROGRAM = f"""
import importlib.util, sys
import aigc
assert [name for name in {HEAVY} if importlib.util.find_spec(name)] == []
assert "site-packages" in aigc.__file__, aigc.__file__
with aigc.Client() as client:
    task = client.tasks.get("image_gan.train")
    (field,) = task.inputs("dataset")
    job = client.jobs.submit("image_gan.train", {{field: client.datasets.list()[0]}}, epochs=2)
    assert job.cancel().state == "cancelled"
    try:
        job.wait(progress=True)
    except aigc.JobFailed as failed:
        print(job.id, aigc.__version__, failed)
"""


def run(*command: str | Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environ
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def closure(name: str) -> Iterator[Distribution]:
    """A distribution and all it needs, as they are installed here."""
    seen: set[str] = set()
    open_ = [name]
    while open_:
        wanted = open_.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        try:
            found = distribution(wanted)
        except PackageNotFoundError:  # for another Python or another system
            continue
        yield found
        needs = [need for need in found.requires or [] if "extra ==" not in need]
        open_ += [re.split(r"[^A-Za-z0-9._-]", need, maxsplit=1)[0] for need in needs]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this source without asking a package index."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--wheel-dir"]
    built = run(sys.executable, "-m", "pip", "wheel", *options, folder, ROOT / "client")
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with httpx and the wheel, and nothing else."""
    home = tmp_path_factory.mktemp("fresh")
    venv.create(home, with_pip=False)
    (packages,) = home.glob("lib/python*/site-packages")
    for found in closure(NEEDED):
        for file in found.files or []:
            if ".." not in file.parts:
                target = packages / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(file.locate()), target)
    options = ["--no-deps", "--no-index", "--disable-pip-version-check"]
    installed = run(sys.executable, "-m", "pip", "--python", home / "bin" / "python", "install", *options, wheel)
    assert installed.returncode == 0, installed.stderr
    return home / "bin"


def test_the_wheel_holds_the_client_and_nothing_of_the_server(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        about = next(packed.read(name).decode() for name in names if name.endswith("/METADATA"))
    assert {name.split("/")[0] for name in names} == {"aigc", f"aigc_client-{aigc.__version__}.dist-info"}
    assert "aigc/py.typed" in names
    needs = re.findall(r"^Requires-Dist: (.*)$", about, re.MULTILINE)
    assert [need for need in needs if "extra ==" not in need] == ["httpx<1,>=0.28"]


def test_it_talks_to_a_server(fresh: Path, address: str, dataset: str, tmp_path: Path) -> None:
    done = run(fresh / "python", "-P", "-c", PROGRAM, AIGC_URL=address)
    assert done.returncode == 0, done.stderr
    job, version, *words = done.stdout.split()
    assert job.startswith("job_")
    assert version == aigc.__version__
    assert "cancelled" in words[-1]
    assert "Cancelled" in done.stderr  # the bar's words, as plain lines


def test_the_command_says_what_it_lacks(fresh: Path) -> None:
    done = run(fresh / "aigc", "--version")
    assert done.returncode == 1
    assert "pip install 'aigc-client[cli]'" in done.stderr


def test_importing_the_client_is_light() -> None:
    heavy = set(HEAVY) - {"click", "rich"}  # httpx brings its own command along where these are there
    code = f"import sys, aigc; print(sorted({heavy} & set(sys.modules)))"
    assert run(sys.executable, "-c", code, PYTHONPATH=str(ROOT)).stdout == "[]\n"


def test_both_distributions_bring_the_same_version() -> None:
    for project in (ROOT, ROOT / "client"):
        text = (project / "pyproject.toml").read_text(encoding="utf-8")
        assert 'dynamic = ["version"]' in text
        assert "aigc/version.py" in text
