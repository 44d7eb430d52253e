"""What the commands of the documentation find on their path where the real thing would be too much for a test.

``aigc``, ``python`` and ``curl`` are the real ones; ``aigc up`` is stopped as soon as it is up (with
``--detach`` it only gets a free port), and ``curl`` fails where the server refuses, unless the page is
about being refused.
``make`` says what it would do, which fails for a target that is not there. ``docker`` is not at
hand: its words are compared with docker-compose.yml.
"""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FLAGS = {"up": {"--detach"}, "build": set[str]()}


def write(directory: Path) -> None:
    """Put the commands into a directory."""
    directory.mkdir(parents=True)
    scripts = {
        "aigc": f'if [ "$*" = up ]; then exec {sys.executable} {__file__} up; fi\n'
        'if [ "$*" = "up --detach" ]; then set -- "$@" --port 0; fi\n'
        f'exec {sys.executable} -m aigc "$@"',
        "python": f'exec {sys.executable} "$@"',
        "curl": f'case "$*" in *other.example*) set -- "$@";; *) set -- --fail-with-body "$@";; esac\n'
        f'exec {shutil.which("curl")} "$@"',
        "docker": f'exec {sys.executable} {__file__} docker "$@"',
        "make": f'exec {shutil.which("make")} -n -C {ROOT} "$@"',
    }
    for name, text in scripts.items():
        file = directory / name
        file.write_text(f"#!/bin/bash\n{text}\n")
        file.chmod(0o755)


def up() -> int:
    """``aigc up``, and Ctrl-C when it is up."""
    command = [sys.executable, "-m", "aigc", "up", "--port", "0", "--no-open"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        if line.startswith("Open http"):
            process.send_signal(signal.SIGINT)
    return process.wait()


def docker(words: list[str]) -> int:
    """``docker compose``: profiles, services and options that are named must exist."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    profiles = {name for service in compose["services"].values() for name in service.get("profiles", [])}
    assert words.pop(0) == "compose"
    while words[0] == "--profile":
        assert words[1] in profiles, words
        del words[:2]
    action, *rest = words
    unknown = [word for word in rest if word not in COMPOSE_FLAGS[action] and word not in compose["services"]]
    assert not unknown, unknown
    return 0


if __name__ == "__main__":
    sys.exit(up() if sys.argv[1] == "up" else docker(sys.argv[2:]))
