"""A real HTTP server on a free port that answers what a test tells it to, and remembers what it was asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    hang_up: bool = False


Play = Callable[[Asked], Answer]


@dataclass
class Scripted:
    url: str
    asked: list[Asked]


def in_turn(*answers: Answer) -> Play:
    """Give the answers one after the other; the last one for ever."""
    left = list(answers)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


@contextmanager
def serving(play: Play) -> Iterator[Scripted]:
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            super().handle_one_request()

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            request = Asked(self.command, self.path, dict(self.headers), self._read(length))
            asked.append(request)
            answer = play(request)
            if answer.hang_up:
                self.close_connection = True
                return
            content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            content = b"" if answer.status in (204, 304) else content
            self.send_response(answer.status)
            kind = "application/problem+json" if answer.status >= 400 else "application/json"
            for name, value in {"Content-Type": kind, **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _read(self, length: int) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(length)
            whole = b""
            while size := int(self.rfile.readline(), 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole

        do_GET = do_POST = do_DELETE = do_PATCH = respond  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def job(state: str = "succeeded", **more: Any) -> dict[str, Any]:
    """A job as the API shows it."""
    return {
        "id": "job_" + "0" * 26,
        "object": "job",
        "task": "image_gan.train",
        "name": "a job",
        "state": state,
        "params": {"epochs": 3},
        "progress": {"step": 3, "total": 10, "percent": 30.0, "phase": "training", "eta_seconds": 7.0, "rate": 5.0},
        "metrics": {"g_loss": 0.5},
        "created_at": "2026-01-31T12:00:00Z",
        "links": {"web": "http://127.0.0.1/jobs/job_1"},
        **more,
    }


def problem(status: int, detail: str, **more: Any) -> Answer:
    """A refusal as the API words it."""
    body = {"status": status, "title": "Refused", "detail": detail, "code": "refused", "request_id": "r1", **more}
    headers = more.pop("headers", {})
    body.pop("headers", None)
    return Answer(status, body, headers)
