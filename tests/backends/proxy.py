"""A PostgreSQL that can lose its answer to a COMMIT: a relay between two Unix sockets."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

NAME = ".s.PGSQL.5432"


class Relay:
    """Passes bytes on in both directions until it is told to swallow the next answer to a COMMIT."""

    def __init__(self, directory: Path, server: Path) -> None:
        self._server = str(server / NAME)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / NAME))
        self._listener.listen(16)
        self._armed = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self.lost = 0

    def lose_next_reply(self) -> None:
        """Let the next COMMIT reach the server, and cut the line before its answer comes back."""
        self._armed.set()

    def close(self) -> None:
        """Cut every line and stop."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._open:
            _cut(line)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            self._open += [client, server]
            losing = threading.Event()
            for source, target, outward in ((client, server, True), (server, client, False)):
                thread = threading.Thread(target=self._pass, args=(source, target, outward, losing), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, outward: bool, losing: threading.Event) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if outward and self._armed.is_set() and b"COMMIT" in data:
                    self._armed.clear()
                    losing.set()
                elif not outward and losing.is_set():
                    self.lost += 1  # the server has answered, so the COMMIT has happened
                    break
                target.sendall(data)
        _cut(source)
        _cut(target)


def _cut(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)
    line.close()
