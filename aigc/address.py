"""Where the server is and what opens it: argument, environment, running stack, default - in this order."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DEFAULT_URL = "http://127.0.0.1:8000"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Running:
    """The stack that ``aigc up`` runs on a home directory, as it wrote it down."""

    pid: int
    url: str
    redis_url: str


def home_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of all state: ``AIGC_HOME``, else ``.aigc`` in the current directory."""
    return Path(environ.get("AIGC_HOME") or ".aigc").expanduser().absolute()


def running_stack(home: Path) -> Running | None:
    """The stack that runs on a home directory now, if one does."""
    try:
        noted = json.loads((home / "run" / "up.json").read_text())
        running = Running(int(noted["pid"]), str(noted["url"]), str(noted["redis_url"]))
        os.kill(running.pid, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running


def server_url(url: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """The address to talk to.

    A running stack is believed only on this machine: a file in the current directory must not
    send a token anywhere else.
    """
    chosen = url or environ.get("AIGC_URL", "")
    if not chosen:
        running = running_stack(home_directory(environ))
        chosen = running.url if running and is_loopback(running.url) else DEFAULT_URL
    return chosen.rstrip("/")


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    return urlsplit(url).hostname in LOOPBACK


def access_token(environ: Mapping[str, str] = os.environ) -> str | None:
    """The token from ``AIGC_TOKEN``, else from the file that ``AIGC_TOKEN_FILE`` names."""
    if environ.get("AIGC_TOKEN"):
        return environ["AIGC_TOKEN"].strip()
    if environ.get("AIGC_TOKEN_FILE"):
        return Path(environ["AIGC_TOKEN_FILE"]).expanduser().read_text().strip()
    return None


def plain(value: Any) -> Any:
    """A setting's value as JSON: anything with an ``id`` (a dataset, a model) becomes its id."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return getattr(value, "id", value)
