"""The short form of ``python -m tests.chaos.reuse``, and a check that it would see a collector without care."""

import shutil
import sys
from pathlib import Path

import pytest

from jobs.settings import Settings
from tests.chaos import reuse

ROOT = Path(__file__).parents[2]
PUTS = 150


def test_collecting_never_races_a_reuse(settings: Settings) -> None:
    verdict = reuse.run(settings, PUTS)
    assert verdict.puts == PUTS
    assert verdict.bad_artifacts == 0
    assert verdict.collected > 0, "the collector never came to anything, so nothing was shown"


def test_a_collector_that_does_not_look_again_is_caught(
    home: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutation: bytes are removed first and the row asked afterwards, when somebody has named them.

    It waits with a removal until a writer has named the bytes again, however slow the machine is.
    """
    shutil.copyfile(sqlite_template, home / "aigc.db")
    settings = Settings(home=home, database_url=f"sqlite:///{home / 'aigc.db'}", min_free_disk=0)
    careless = """
import runpy, select, sys
from jobs import collector
from jobs.tables import Blob
remove = collector._remove
def careless(engine, sha256):
    while not select.select([sys.stdin], [], [], 0.001)[0]:  # its input is readable once the writers have ended
        with engine.db.read() as session:
            row = session.get(Blob, sha256)
        if row is None or row.state == "live":
            break
    engine.store.delete(sha256)
    return remove(engine, sha256)
collector._remove = careless
sys.argv = ["reuse", "--collect"]
runpy.run_module("tests.chaos.reuse", run_name="__main__")
"""
    wrapper = settings.home / "python"
    wrapper.write_text(
        f"#!{sys.executable}\nimport os, sys\nargs = sys.argv[1:]\n"
        f'if "--collect" in args: args = ["-c", {careless!r}]\n'
        f"os.execv({sys.executable!r}, [{sys.executable!r}, *args])\n"
    )
    wrapper.chmod(0o700)
    monkeypatch.setattr("tests.chaos.reuse.sys.executable", str(wrapper))
    assert reuse.run(settings, PUTS).bad_artifacts > 0
