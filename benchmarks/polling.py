"""``python -m benchmarks.polling ADDRESS PATH...``: many browsers that look at pages' live parts again and again.

Each poller has a connection of its own that stays open, asks for one of the paths at its own moment of every
second, and says which version it has, as a browser does. One thread and bare sockets, so that the client takes
as little of the machine as Python can. The last line is JSON.
"""

import argparse
import heapq
import json
import selectors
import socket
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

HEAD_ENDS = b"\r\n\r\n"
PATIENCE = 10.0


@dataclass(slots=True)
class Poller:
    """One tab of a browser."""

    host: str
    path: str
    due: float
    link: socket.socket | None = None
    tag: str = ""
    asked: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def ask(self, address: tuple[str, int]) -> socket.socket:
        """Send the request, over a new connection where there is none."""
        if self.link is None:
            self.link = socket.create_connection(address, PATIENCE)
            self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        known = f"If-None-Match: {self.tag}\r\n" if self.tag else ""
        self.received.clear()
        self.asked = time.perf_counter()
        self.link.sendall(f"GET {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{known}\r\n".encode())
        return self.link

    def take(self) -> int:
        """Read what has come; the status once the reply is whole, 0 before, -1 where the connection was lost."""
        assert self.link is not None
        try:
            chunk = self.link.recv(1 << 16)
        except OSError:
            chunk = b""
        if not chunk:
            return -1
        self.received += chunk
        head, found, body = bytes(self.received).partition(HEAD_ENDS)
        if not found:
            return 0
        headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")[1:])
        status = int(head.split(b" ", 2)[1])
        if status != 304 and len(body) < int(headers.get("Content-Length", "0")):
            return 0
        self.tag = headers.get("ETag", self.tag)
        return status

    def hang_up(self) -> None:
        """Close the connection."""
        if self.link is not None:
            self.link.close()
            self.link = None


@dataclass(frozen=True, slots=True)
class Polls:
    """What came of it.

    Attributes:
        requests: Replies that came, with their statuses in ``statuses``.
        errors: Lost connections, replies that did not come in ten seconds, and statuses other than 200 and 304.
        late: Requests sent more than half a second after their time: then the client was the bottleneck.
    """

    requests: int
    p50_ms: float
    p99_ms: float
    errors: int
    late: int
    statuses: dict[str, int]


def poll(url: str, paths: Sequence[str], pollers: int, seconds: float) -> Polls:
    """Let each poller ask once a second for some time."""
    parts = urlsplit(url)
    address, host = (parts.hostname or "127.0.0.1", parts.port or 80), parts.netloc
    began = time.perf_counter()
    every = [Poller(host, paths[n % len(paths)], began + n / pollers) for n in range(pollers)]
    waiting = [(one.due, n) for n, one in enumerate(every)]
    heapq.heapify(waiting)
    times, statuses, late = list[float](), Counter[int](), 0
    with selectors.DefaultSelector() as selector:
        while waiting or selector.get_map():
            now = time.perf_counter()
            while waiting and waiting[0][0] <= now:
                one = every[heapq.heappop(waiting)[1]]
                late += now - one.due > 0.5
                selector.register(one.ask(address), selectors.EVENT_READ, one)
            pause = waiting[0][0] - now if waiting else PATIENCE
            ready = selector.select(min(PATIENCE, max(0.0, pause)))
            lost = [key.data for key in selector.get_map().values() if now - key.data.asked > PATIENCE]
            for one, status in [*((key.data, key.data.take()) for key, _ in ready), *((one, -1) for one in lost)]:
                if status == 0 or one.link is None:
                    continue
                selector.unregister(one.link)
                statuses[status] += 1
                if status > 0:
                    times.append(time.perf_counter() - one.asked)
                else:
                    one.hang_up()
                one.due = max(one.due + 1, time.perf_counter())
                if one.due < began + seconds:
                    heapq.heappush(waiting, (one.due, every.index(one)))
        for one in every:
            one.hang_up()
    cuts = statistics.quantiles(times, n=100)
    wrong = sum(count for status, count in statuses.items() if status not in (200, 304))
    told = {str(status): count for status, count in sorted(statuses.items())}
    return Polls(len(times), 1000 * cuts[49], 1000 * cuts[98], wrong, late, told)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--pollers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    print(json.dumps(asdict(poll(options.address, options.paths, options.pollers, options.seconds))))


if __name__ == "__main__":
    main()
