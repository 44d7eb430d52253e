"""Lighthouse's own word on the list with 10,000 jobs and on the home page."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance import lighthouse
from tests.web.serving import ROOT

Note = Callable[[str, object], None]


@pytest.mark.browser
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.checklist(22)
def test_lighthouse_finds_the_pages_fast(tmp_path: Path, record_property: Note) -> None:
    reason = lighthouse.missing()
    if reason:
        pytest.skip(reason)
    found = lighthouse.measure(tmp_path)
    for page, scores in found.items():
        record_property(f"lighthouse {page}", scores["performance"])
    assert set(found) == set(lighthouse.PAGES)
    assert {page: scores for page, scores in found.items() if scores["performance"] < lighthouse.LEAST} == {}


def test_a_machine_without_node_is_told(tmp_path: Path) -> None:
    """Nothing is installed, and the status is one that is neither success nor failure."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "dirname", "env"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        ["/usr/bin/bash", str(lighthouse.SETUP)],
        env={"PATH": str(tools)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "needs node and npm" in done.stdout


def test_what_is_installed_stays_out_of_git() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", "build/lighthouse/node_modules/lighthouse"], cwd=ROOT, capture_output=True, check=False
    )
    if (ROOT / ".git").exists():
        assert ignored.returncode == 0
