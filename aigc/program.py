"""How the command is called where its reader sits: ``aigc``, or ``.venv/bin/aigc`` where that is not on the PATH."""

import os
import re
import shutil
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

NAME = "aigc"
PASSED_ON = "AIGC_PROGRAM"  # to the parts that the command becomes
COMMANDS = (
    "up", "down", "demo", "submit", "tasks", "jobs", "datasets", "models", "workers", "queues", "webhooks", "open",
    "token", "worker", "scheduler", "migrate", "backup", "restore", "verify", "gc", "doctor", "scale", "completion",
)  # fmt: skip
_TYPED = re.compile(rf"(?<![\w/.-]){NAME} (?=(?:{'|'.join(COMMANDS)})\b)")


def here(words: str) -> str:
    """Words that name commands, such that they can be typed as they stand."""
    name = called()
    return words if name == NAME else _TYPED.sub(lambda _: f"{name} ", words)


@cache
def called() -> str:
    """The name of the command that runs; a program that imports the client gets the plain one."""
    return os.environ.get(PASSED_ON) or name_of(sys.argv, Path.cwd())


def name_of(arguments: Sequence[str], folder: Path, python: str = sys.executable) -> str:
    """What to type for the command that was started with these arguments.

    Args:
        arguments: As in ``sys.argv``.
        folder: Where it was started.
        python: The interpreter that runs it.
    """
    started = Path(arguments[0] if arguments else "")
    if started.name == "__main__.py" and started.parent.name == NAME:  # python -m aigc
        script = Path(python).parent / NAME
        return _shortest(script, folder) if script.exists() else f"{_shortest(Path(python), folder)} -m {NAME}"
    return _shortest(started, folder) if started.stem == NAME and started.exists() else NAME


def _shortest(file: Path, folder: Path) -> str:
    """Its bare name if a shell finds it so, else its path from the folder if it lies below, else its whole path."""
    found = shutil.which(file.name)
    if found and Path(found).exists() and Path(found).samefile(file):
        return file.stem if file.suffix == ".exe" else file.name
    whole = folder / file
    inside = whole.relative_to(folder) if whole.is_relative_to(folder) else whole
    return str(inside)
