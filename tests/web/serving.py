"""A real server in a process of its own, on a free port."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 30


@dataclass
class Server:
    """``python -m web``, serving."""

    process: subprocess.Popen[str]
    url: str
    home: Path

    def stop(self, seconds: float = SECONDS) -> int:
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)


def environment(home: Path, **variables: str) -> Mapping[str, str]:
    """Variables of a server of its own: no setting of the machine's leaks in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIGC_")}
    own = {"AIGC_HOME": str(home), "AIGC_PORT": "0", "AIGC_MIN_FREE_DISK": "0", "AIGC_WEB_THREADS": "8"}
    return kept | own | variables


@contextmanager
def serve(home: Path, **variables: str) -> Iterator[Server]:
    """Start a server on a home directory and stop it at the end of the block; its log is ``log`` there."""
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "web"],
            cwd=ROOT,
            env=environment(home, **variables),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("ready http://"), line
        yield Server(process, line.split()[1], home)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


def new_home(directory: Path, database: Path) -> Path:
    """A home directory with a migrated, empty database."""
    home = directory / "home"
    home.mkdir()
    shutil.copy(database, home / "aigc.db")
    return home
