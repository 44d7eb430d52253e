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
PATIENCE, LATE = 10.0, 0.5
LOST = -1


@dataclass(slots=True)
class Poller:
    """One tab of a browser."""

    host: str
    path: str
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
        """Read what has come; the status once the reply is whole, 0 before, LOST without a connection."""
        assert self.link is not None
        try:
            chunk = self.link.recv(1 << 16)
        except OSError:
            chunk = b""
        if not chunk:
            return LOST
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


class Round:
    """All pollers, for some time."""

    def __init__(self, url: str, paths: Sequence[str], pollers: int) -> None:
        parts = urlsplit(url)
        self.address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.began = time.perf_counter()
        self.waiting = [
            (self.began + number / pollers, number, Poller(parts.netloc, paths[number % len(paths)]))
            for number in range(pollers)
        ]
        self.selector = selectors.DefaultSelector()
        self.times, self.statuses, self.late = list[float](), Counter[int](), 0

    def run(self, seconds: float) -> Polls:
        """Ask until the time is over and everything is answered."""
        while self.waiting or self.selector.get_map():
            self._ask_what_is_due()
            pause = self.waiting[0][0] - time.perf_counter() if self.waiting else 1.0
            for key, _ in self.selector.select(min(1.0, max(0.0, pause))):
                if status := key.data[2].take():
                    self._answered(key.data, status, seconds)
            now = time.perf_counter()
            for turn in [key.data for key in self.selector.get_map().values()]:
                if now - turn[2].asked > PATIENCE:
                    self._answered(turn, LOST, seconds)
        return self._told()

    def _ask_what_is_due(self) -> None:
        while self.waiting and self.waiting[0][0] <= time.perf_counter():
            turn = heapq.heappop(self.waiting)
            self.late += time.perf_counter() - turn[0] > LATE
            self.selector.register(turn[2].ask(self.address), selectors.EVENT_READ, turn)

    def _answered(self, turn: tuple[float, int, Poller], status: int, seconds: float) -> None:
        due, number, poller = turn
        assert poller.link is not None
        self.selector.unregister(poller.link)
        self.statuses[status] += 1
        now = time.perf_counter()
        if status == LOST:
            poller.hang_up()
        else:
            self.times.append(now - poller.asked)
        due = max(due + 1, now)
        if due < self.began + seconds:
            heapq.heappush(self.waiting, (due, number, poller))
        else:
            poller.hang_up()

    def _told(self) -> Polls:
        cuts = statistics.quantiles(self.times, n=100)
        wrong = sum(count for status, count in self.statuses.items() if status not in (200, 304))
        told = {str(status): count for status, count in sorted(self.statuses.items())}
        return Polls(len(self.times), 1000 * cuts[49], 1000 * cuts[98], wrong, self.late, told)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--pollers", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    print(json.dumps(asdict(Round(options.address, options.paths, options.pollers).run(options.seconds))))


if __name__ == "__main__":
    main()
