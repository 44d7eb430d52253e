"""Tiny programs in the place of scheduler, worker and web server: what supervision needs and nothing else."""

from collections.abc import Mapping
from pathlib import Path

WAITS = "import os, signal, sys\nprint('ready', flush=True)\nsignal.sigwait({signal.SIGTERM, signal.SIGINT})\n"
SERVES = """
import os, signal, socket, sys
listener = socket.create_server((os.environ["AIGC_HOST"], int(os.environ["AIGC_PORT"])))
print(f"ready http://{listener.getsockname()[0]}:{listener.getsockname()[1]}", flush=True)
signal.sigwait({signal.SIGTERM})
"""
PROGRAMS = {
    "jobs/__init__.py": "",
    "jobs/migrate.py": "print('ready at 1')\n",
    "jobs/scheduler.py": WAITS,
    "worker/__init__.py": "",
    "worker/launch.py": WAITS,
    "web/__init__.py": "",
    "web/__main__.py": SERVES,
}
BLOCK = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})\n"


def write(folder: Path, changed: Mapping[str, str] = PROGRAMS) -> Path:
    """Write the programs, some of them changed."""
    for name, text in {**PROGRAMS, **changed}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BLOCK + text if text else "")
    return folder
