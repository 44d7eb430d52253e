"""A line that fails: a relay between two Unix sockets that loses an answer, breaks, stalls or is slow."""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAME = ".s.PGSQL.5432"
COMMIT = b"COMMIT\x00"  # the statement; "BEGIN ISOLATION LEVEL READ COMMITTED" is none


class Relay:
    """Passes bytes on in both directions, until it is told to do something worse.

    Args:
        directory: Where it listens, under the name the server's socket has.
        server: Directory of the server's socket.
        name: The socket's name in both.
    """

    def __init__(self, directory: Path, server: Path, name: str = NAME) -> None:
        self._server = str(server / name)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / name))
        self._listener.listen(64)
        self._armed = threading.Event()
        self._flowing = threading.Event()
        self._flowing.set()
        self._delay = 0.0
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)
        self.lost = 0

    def lose_next_reply(self) -> None:
        """Let the next COMMIT reach the server, and cut the line before its answer comes back."""
        self._armed.set()

    def cut(self) -> None:
        """Break every line there is; new ones work."""
        for line in list(self._open):
            _shut(line)

    def stall(self) -> None:
        """Pass nothing on and read nothing, as a network that drops every packet, until :meth:`flow`."""
        self._flowing.clear()

    def flow(self, delay: float = 0.0) -> None:
        """Pass bytes on again, each piece after a delay in seconds."""
        self._delay = delay
        self._flowing.set()

    def close(self) -> None:
        """Cut every line and stop."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._flowing.set()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:  # the server is away: so is the client's line
                client.close()
                server.close()
                continue
            self._open |= {client, server}
            losing = threading.Event()
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._start(self._pass, client, server, True, losing)
            self._start(self._pass, server, client, False, losing)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, outward: bool, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flowing.wait()
                if self._delay:
                    time.sleep(self._delay)
                if outward and self._armed.is_set() and COMMIT in data:
                    self._armed.clear()
                    losing.set()
                elif not outward and losing.is_set():
                    self.lost += 1  # the server has answered, so the COMMIT has happened
                    break
                target.sendall(data)
        _shut(source)
        _shut(target)
        # Closed by whoever reads from it, so that no number of a line in use is given away.
        self._open.discard(source)
        source.close()


def _shut(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
