"""``python -m benchmarks.http_load ADDRESS [BODY]``: the same request again and again over connections that stay open.

With a body it posts that JSON. Without one it asks whether what it read at first has changed (``If-None-Match``).

One thread and bare sockets, so that the client takes as little of the machine as Python can. The
last line is JSON: requests per second, and the 50th and 99th percentile of their times in milliseconds.
"""

import argparse
import json
import selectors
import socket
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import urlopen

END_OF_HEAD = b"\r\n\r\n"


class UnexpectedReply(RuntimeError):
    """The server did not answer as it should."""


@dataclass(slots=True)
class Client:
    """One connection with one request under way."""

    link: socket.socket
    request: bytes
    began: float = 0.0
    received: bytes = b""

    def send(self) -> None:
        """Begin the next request."""
        self.received = b""
        self.began = time.perf_counter()
        self.link.sendall(self.request)

    def take(self) -> bool:
        """Read what is there; whether the reply is whole.

        Raises:
            UnexpectedReply: It is no success.
        """
        chunk = self.link.recv(1 << 16)
        self.received += chunk
        head, found, body = self.received.partition(END_OF_HEAD)
        if not chunk or (found and not head.startswith((b"HTTP/1.1 2", b"HTTP/1.1 304"))):
            raise UnexpectedReply(self.received.decode(errors="replace"))
        return bool(found) and len(body) >= _length(head)


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or 0)  # a 304 has none


def post(address: str, body: str) -> bytes:
    """A request that sends a body."""
    parts = urlsplit(address)
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def poll(address: str) -> bytes:
    """A request that asks whether something is still as it is now."""
    parts = urlsplit(address)
    with urlopen(address, timeout=30) as reply:  # an address of this machine
        tag = reply.headers["ETag"]
    return f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nIf-None-Match: {tag}\r\n\r\n".encode()


def load(address: str, request: bytes, clients: int, seconds: float) -> dict[str, float]:
    """Keep every client busy for some time."""
    parts = urlsplit(address)
    times: list[float] = []
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            link = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(link, selectors.EVENT_READ, Client(link, request))
        began = time.perf_counter()
        for key in list(selector.get_map().values()):
            key.data.send()
        while (now := time.perf_counter()) < began + seconds:
            for key, _ in selector.select(began + seconds - now):
                client: Client = key.data
                if client.take():
                    times.append(time.perf_counter() - client.began)
                    client.send()
        passed = time.perf_counter() - began
        for key in list(selector.get_map().values()):
            key.data.link.close()
    cuts = statistics.quantiles(times, n=100)
    return {"per_s": len(times) / passed, "p50_ms": 1000 * cuts[49], "p99_ms": 1000 * cuts[98]}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("body", nargs="?")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    request = post(options.address, options.body) if options.body else poll(options.address)
    print(json.dumps(load(options.address, request, options.clients, options.seconds)))


if __name__ == "__main__":
    main()
