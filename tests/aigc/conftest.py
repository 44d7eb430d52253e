"""The real application on a free port, for the client and the command to talk to."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from tests.web.conftest import app, client, empty_database, engine, settings, worker

__all__ = ["app", "client", "empty_database", "engine", "settings", "worker"]


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where the application serves."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dataset(client: FlaskClient, worker: object) -> str:
    """A dataset that was uploaded and checked."""
    from tests.web.acting import ActingWorker, ready_dataset

    assert isinstance(worker, ActingWorker)
    return ready_dataset(client, worker)
