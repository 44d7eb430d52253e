"""What setting up says while it takes its minutes, and when it stops; pip is played."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIP = """#!/bin/bash
echo "PIP_QUIET=$PIP_QUIET $*" >> "$(dirname "$0")/calls"
if [[ "$*" == *"$BROKEN"* ]]; then echo "ERROR: no room left" >&2; exit 1; fi
"""


def test_each_step_is_told_and_errors_stay_visible(tmp_path: Path) -> None:
    played = tmp_path / "bin" / "python"
    played.parent.mkdir()
    played.write_text(PIP, encoding="utf-8")
    played.chmod(0o755)

    def set_up(broken: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "VENV": str(tmp_path), "BROKEN": broken}
        command = ["bash", "scripts/setup.sh", "dev"]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    stopped = set_up("worker,postgres")
    assert stopped.returncode == 1
    assert "PyTorch (1 of 4)" in stopped.stdout
    assert stopped.stderr.startswith("ERROR: no room left\n")
    assert "Run it again: what is there already stays." in stopped.stderr
    done = set_up("nothing at all")
    assert done.returncode == 0, done.stderr
    assert all(f"({step} of 4)" in done.stdout for step in range(1, 5))
    assert "PIP_QUIET=1" in (tmp_path / "bin" / "calls").read_text(encoding="utf-8")
