"""A real receiver of webhooks on loopback: plain or TLS, obliging or not, remembering all it was sent."""

import contextlib
import json
import shutil
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "hooks.test"


@dataclass(frozen=True)
class Got:
    """A request as it came."""

    line: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


Play = Callable[[Got, socket.socket], None]


def answering(status: int = 204, body: bytes = b"", *headers: str) -> Play:
    """Give always the same answer."""
    lines = [f"HTTP/1.1 {status} whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    said = "\r\n".join(lines).encode() + body
    return lambda _got, link: link.sendall(said)


def in_turn(*plays: Play) -> Play:
    """One behaviour after the other; the last one for ever."""
    left = list(plays)

    def play(got: Got, link: socket.socket) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(got, link)

    return play


@dataclass(frozen=True)
class Certificate:
    """A certificate for :data:`NAME` and 127.0.0.1, and its key."""

    chain: Path
    key: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificate":
        """Made by openssl, which every machine that runs tests has."""
        program = shutil.which("openssl")
        assert program, "openssl is not installed"
        made = cls(folder / "cert.pem", folder / "key.pem")
        command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        command += ["-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME},IP:127.0.0.1"]
        command += ["-addext", "basicConstraints=critical,CA:TRUE"]
        subprocess.run([*command, "-keyout", made.key, "-out", made.chain], check=True, capture_output=True)
        return made

    def of_server(self) -> ssl.SSLContext:
        """What the receiver shows."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context

    def of_client(self) -> ssl.SSLContext:
        """What trusts it."""
        return ssl.create_default_context(cafile=str(self.chain))


@dataclass
class Receiver:
    """One that runs."""

    port: int
    scheme: str
    got: list[Got] = field(default_factory=list)
    connections: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)

    def url(self, host: str = "127.0.0.1", path: str = "/in") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def hang(self, _got: Got, _link: socket.socket) -> None:
        """Say nothing until the test is over."""
        self.ended.wait()


@contextlib.contextmanager
def receiving(
    play: Play | None = None, certificate: Certificate | None = None, host: str = "127.0.0.1"
) -> Iterator[Receiver]:
    """Run a receiver during the block; without a behaviour it hangs."""
    context = certificate.of_server() if certificate else None

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            receiver.connections.append(self.client_address[0])
            with self._link() as link:
                got = _read(link)
                if got is not None:
                    receiver.got.append(got)
                    (play or receiver.hang)(got, link)

        def _link(self) -> socket.socket:
            link: socket.socket = self.request
            return context.wrap_socket(link, server_side=True) if context else link

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads, block_on_close, allow_reuse_address = True, False, True
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

        def server_bind(self) -> None:
            if ":" in host:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # hears IPv4 as well
            super().server_bind()

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A caller that goes away is what many of the tests are about."""

    with Server((host, 0), Handler) as server:
        receiver = Receiver(server.server_address[1], "https" if certificate else "http")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.ended.set()
            server.shutdown()
            thread.join()


def _read(link: socket.socket) -> Got | None:
    data = b""
    while b"\r\n\r\n" not in data:
        some = link.recv(65_536)
        if not some:
            return None
        data += some
    head, _, body = data.partition(b"\r\n\r\n")
    line, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (one.split(": ", 1) for one in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += link.recv(65_536)
    return Got(line, headers, body)
