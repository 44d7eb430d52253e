"""An S3-compatible server for tests, in a thread of the test's own process."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from jobs.settings import Settings
from tests.servers import ServerMissing

BUCKET = "files"


class ObjectServer:
    """moto's S3 on a port of its own; what it holds is the process's, so that it is there after a stop, too."""

    def __init__(self, port: int = 0, address: str = "127.0.0.1") -> None:
        try:
            from moto.server import ThreadedMotoServer
        except ImportError:
            raise ServerMissing("moto, which stands for an S3-compatible store, is not installed") from None
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._make = ThreadedMotoServer
        self._address = address
        self._server = ThreadedMotoServer(ip_address=address, port=port, verbose=False)

    def start(self) -> None:
        """Start, and see that the bucket is there."""
        self._server.start()
        _, self.port = self._server.get_host_and_port()
        self.url = f"http://{self._address}:{self.port}"
        httpx.put(f"{self.url}/{BUCKET}", timeout=30).raise_for_status()

    def stop(self) -> None:
        """Stop answering."""
        self._server.stop()

    def again(self) -> None:
        """Start once more at the same place."""
        self._server = self._make(ip_address=self._address, port=self.port, verbose=False)
        self.start()

    def settings(self, home: Path, **more: object) -> Settings:
        """Settings of an installation that keeps its files here."""
        own = {"store_url": f"s3://{BUCKET}/aigc", "store_endpoint": self.url, "store_key_id": "key"}
        return Settings(home=home, min_free_disk=0, **{**own, "store_secret": "secret", **more})  # type: ignore[arg-type]


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """A running server."""
    server = ObjectServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
