"""Fail-points: a process that reaches an armed one is hit, once, and only where the chaos run asked for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.failpoints import KILL, SITE, VARIABLE, Trap

ROOT = Path(__file__).parents[2]
PUT = """
import sys
from pathlib import Path
from jobs.artifacts import LocalStore
LocalStore(Path(sys.argv[1]) / "store").put(Path(sys.argv[2]))
"""


def put(home: Path, **environment: str) -> int:
    """Store a file in another process; its exit status."""
    site = home / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(SITE)
    own = os.environ | {"PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])} | environment
    return subprocess.run([sys.executable, "-c", PUT, str(home), __file__], env=own, check=False).returncode


@pytest.mark.parametrize(("point", "stored"), [("before_rename", 0), ("after_rename", 1)])
def test_an_armed_point_kills_once(tmp_path: Path, point: str, stored: int) -> None:
    trap = Trap(tmp_path / "trap")
    armed = trap.arm(point, KILL)
    assert put(tmp_path) == 0, "nobody asked this process"
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            path.unlink()
    assert put(tmp_path, **{VARIABLE: str(trap.directory)}) == -signal.SIGKILL
    assert not armed.exists()
    assert len(trap.deaths()) == 1
    kept = [path for path in (tmp_path / "store").rglob("*") if path.is_file() and len(path.name) == 64]
    assert len(kept) == stored
    assert put(tmp_path, **{VARIABLE: str(trap.directory)}) == 0
