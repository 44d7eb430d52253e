"""``python -m web``: serve pages and API with gunicorn's threads, in one process.

The parent only binds and supervises; the application is built in the child, after the fork,
because neither database connections nor the object store survive one.
"""

import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import sys
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from flask import Flask
from gunicorn import util
from gunicorn.app.base import BaseApplication
from jinja2 import FileSystemBytecodeCache

from jobs import logs
from jobs.settings import Settings
from web.aside import aside
from web.bind_guard import refusal

NOT_CONFIGURED = 78  # EX_CONFIG of sysexits.h
PR_SET_PDEATHSIG = 1
# glibc's mallopt: threads share one heap, large blocks are the system's own, and what is free goes back soon.
MALLOC = {-8: 1, -3: 128 * 1024, -1: 64 * 1024}  # M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD
GRACE_SECONDS = 4
MOMENT_SECONDS = 1.0  # for which requests share what they read of the whole
TOLD_SECONDS = 5.0  # after which the place of a job that is soon its turn is looked up anew; its state is, each time


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn, configured here instead of by files and arguments."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        """Set what we need; everything else is gunicorn's default."""
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        chosen: dict[str, Any] = {
            "bind": f"{host}:{self.settings.port}",
            "workers": 1,
            "worker_class": "gthread",
            "threads": self.settings.web_threads,
            "graceful_timeout": GRACE_SECONDS,
            "keepalive": 30,
            "control_socket_disable": True,
            "loglevel": "warning",
            "limit_request_line": 8190,
            "post_fork": _after_fork,
            "post_worker_init": _announce,
            "proc_name": "aigc-web",
        }
        for name, value in chosen.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Any:
        """Build the application; called in the child."""
        from web import create_app

        logs.set_up(self.settings, text=False)
        util.write_error = _tell_unreadable

        app = create_app(self.settings)
        shared = app.extensions["aigc"]
        shared.moment.seconds, shared.told.seconds = MOMENT_SECONDS, TOLD_SECONDS
        _settle(app)
        return app


def _settle(app: Flask) -> None:
    """Make what is made once before the first reader asks, and give back the memory making it took."""
    from web import openapi
    from web.pages import api_docs

    with TemporaryDirectory() as directory:
        app.jinja_env.bytecode_cache = FileSystemBytecodeCache(directory)
        aside(partial(_load_templates, app))  # compiles them
        _load_templates(app)
        app.jinja_env.bytecode_cache = None
    openapi.as_json()
    api_docs.groups()
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError, OSError):  # only glibc keeps what is freed
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _load_templates(app: Flask) -> bytes:
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)
    return b""


def _after_fork(_arbiter: Any, _worker: Any) -> None:
    """The child never outlives its parent, and asks its allocator to be sparing."""
    die_with_parent(signal.SIGKILL)
    with contextlib.suppress(AttributeError, OSError):  # only glibc takes advice
        glibc = ctypes.CDLL("libc.so.6")
        for option, value in MALLOC.items():
            glibc.mallopt(option, value)


def _tell_unreadable(link: socket.socket, status: int, reason: str, detail: str) -> None:
    """Answer a request that is no HTTP or too large with a problem, too; gunicorn's own answer is a page."""
    help_url = "/docs/problems/bad-request"
    problem = {
        "type": help_url,
        "title": reason,
        "status": status,
        "detail": detail,
        "code": "bad-request",
        "request_id": uuid4().hex,
        "help_url": help_url,
    }
    body = json.dumps(problem).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"X-Request-Id: {problem['request_id']}\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    util.write_nonblock(link, head.encode("latin-1") + body)


def _announce(worker: Any) -> None:
    """Say where it serves, and let streams end when the server stops."""
    worker.wsgi.extensions["aigc"].stopping = lambda: not worker.alive
    host, port = worker.sockets[0].getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"ready http://{shown}:{port}\n")
    sys.stdout.flush()


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel to end this process when its parent ends; only Linux can."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def main() -> int:
    """Serve until a signal says stop."""
    if os.environ.get("AIGC_PARENT_DEATH") == "1":
        die_with_parent(signal.SIGTERM)
    settings = Settings()
    reason = refusal(settings)
    if reason:
        sys.stderr.write(reason + "\n")
        return NOT_CONFIGURED
    Server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
