"""What the README promises, done: its commands, its links, and that both languages say the same."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.acceptance.site import photos, png
from tests.acceptance.test_stack import Up, start, stop

ROOT = Path(__file__).parents[2]
README, CHINESE = (ROOT / name for name in ("README.md", "README.zh-CN.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return [code for kind, code in FENCE.findall(page.read_text()) if kind == language]


def headings(page: Path) -> list[int]:
    """The depth of each heading, in order."""
    prose = FENCE.sub("", page.read_text())
    return [len(line) - len(line.lstrip("#")) for line in prose.splitlines() if line.startswith("#")]


@pytest.mark.checklist(40)
def test_both_languages_have_the_same_parts() -> None:
    assert headings(README) == headings(CHINESE)
    for language in ("bash", "python", "text"):
        assert blocks(README, language) == blocks(CHINESE, language)


@pytest.mark.parametrize("page", sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    inside = [link for link in LINK.findall(page.read_text()) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in inside if not (page.parent / link).exists()] == []


def test_make_knows_the_targets_that_are_named() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in (README, ROOT / "CONTRIBUTING.md"):
        named = {name for code in blocks(page, "bash") for name in re.findall(r"^make ([a-z-]+)", code, re.MULTILINE)}
        named |= set(re.findall(r"`make ([a-z-]+)", page.read_text()))
        assert named
        assert named <= targets


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    started = start(tmp_path_factory.mktemp("readme") / "home")
    yield started
    stop(started)


def write_pictures(path: Path) -> None:
    """A person's own pictures: photos of clothes in two folders."""
    with ZipFile(path, "w") as archive:
        for number, photo in enumerate(photos(80)):
            archive.writestr(f"{'shoes' if number % 2 else 'shirts'}/{number}.png", png(photo[None]))


@pytest.mark.checklist(40)
@pytest.mark.stack
@pytest.mark.timeout(300)
def test_the_commands_on_own_pictures_work(up: Up, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures.zip")
    (shell,) = (code for code in blocks(README, "bash") if "aigc datasets add" in code)
    for line in shell.splitlines():
        program, *arguments = shlex.split(line)
        assert program == ".venv/bin/aigc"
        _run(up, tmp_path, sys.executable, "-m", "aigc", *arguments)


@pytest.mark.checklist(40)
@pytest.mark.stack
@pytest.mark.timeout(300)
def test_the_python_lines_work(up: Up, tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures.zip")
    (lines,) = blocks(README, "python")
    _run(up, tmp_path, sys.executable, "-c", lines)


@pytest.mark.checklist(40)
@pytest.mark.stack
def test_the_curl_line_submits_a_job(up: Up, tmp_path: Path) -> None:
    dataset = up.run("datasets", "list", "--json", "id").split('"')[3]
    (line,) = (code for code in blocks(README, "bash") if code.startswith("curl"))
    line = line.replace("http://127.0.0.1:8000", up.url).replace("ds_…", dataset)
    answer = _run(up, tmp_path, *shlex.split(line.replace("\\\n", "")))
    assert '"state":"queued"' in answer.replace(" ", "")


def _run(up: Up, directory: Path, *command: str) -> str:
    environment = {**os.environ, "AIGC_URL": up.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
