"""Which port the web server takes."""

import errno
import socket

from aigc.stack.home import StackError

DEFAULT_PORT = 8000
TRIED = 100


def choose(host: str, port: int | None) -> int:
    """The port asked for, else 8000 or the next free one; 0 lets the server pick.

    Raises:
        StackError: The port asked for is taken, or the address is not this machine's.
    """
    if port == 0:
        return 0
    if port is not None:
        if not is_free(host, port):
            raise StackError(
                f"Port {port} on {host} is taken by another program. Choose another with --port,"
                " or leave it out and a free one is found."
            )
        return port
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + TRIED):
        if is_free(host, candidate):
            return candidate
    raise StackError(f"All ports from {DEFAULT_PORT} to {DEFAULT_PORT + TRIED - 1} are taken. Choose one with --port.")


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now.

    Raises:
        StackError: The address is not one of this machine's, or the port needs rights we lack.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise StackError(f"Nothing can listen on {host} port {port}: {error.strerror or error}.") from error
    return True
