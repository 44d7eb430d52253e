"""Messages written without Celery: a real Celery worker runs them, and a bad broker holds nobody."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from jobs.dispatch import CeleryDispatcher
from jobs.settings import Settings
from tests.servers import Valkey
from web.wakeups import SocketDispatcher, dispatcher, parse

WORKER = """
import sys
from pathlib import Path
from celery import Celery
from jobs.dispatch import TASK, queues, transport_options
from jobs.settings import Settings

settings = Settings(home=Path(sys.argv[1]), redis_url=sys.argv[2], key_prefix="test:")
app = Celery(broker=settings.broker_url)
app.conf.update(broker_transport_options=transport_options(settings, 5), task_queues=queues(), result_backend=None,
                task_default_queue="training.cpu", task_create_missing_queues=False, accept_content=["json"])

@app.task(name=TASK)
def run():
    with open(sys.argv[3], "a") as file:
        file.write("ran\\n")

app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=ERROR"])
"""


@pytest.fixture
def settings(valkey: Valkey, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url, key_prefix="test:")


@pytest.fixture
def producer(settings: Settings) -> Iterator[SocketDispatcher]:
    made = dispatcher(settings)
    assert isinstance(made, SocketDispatcher)
    yield made
    made.close()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[Any]:
    with redis.Redis(unix_socket_path=str(valkey.socket)) as connected:
        yield connected


def test_a_celery_worker_runs_what_is_announced(producer: SocketDispatcher, settings: Settings, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    assert producer.announce("training", "cpu")
    assert producer.announce("generation", "cpu")
    arguments = [sys.executable, "-c", WORKER, str(tmp_path), settings.redis_url, str(ran)]
    worker = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 60
        while not (ran.exists() and ran.read_text() == "ran\nran\n"):
            assert time.monotonic() < deadline, "the worker did not run the messages"
            assert worker.poll() is None
            time.sleep(0.05)
        assert producer.waiting("training", "cpu") == 0
    finally:
        worker.kill()
        worker.wait()


def test_the_message_is_celerys_own(producer: SocketDispatcher, settings: Settings, client: Any) -> None:
    celery = CeleryDispatcher(settings)
    assert celery.announce("training", "gpu")
    celery.close()
    assert producer.announce("training", "gpu")
    ours, theirs = (json.loads(raw) for raw in client.lrange("test:training.gpu", 0, -1))
    for same in ("body", "content-encoding", "content-type"):
        assert ours[same] == theirs[same]
    assert set(ours["headers"]) <= set(theirs["headers"])
    assert set(ours["properties"]) == set(theirs["properties"])
    assert ours["properties"]["delivery_info"] == theirs["properties"]["delivery_info"]
    for name in ("task", "argsrepr", "kwargsrepr", "lang", "retries", "ignore_result", "eta", "timelimit"):
        assert ours["headers"][name] == theirs["headers"][name]


def test_lengths_and_liveness(producer: SocketDispatcher) -> None:
    assert producer.alive()
    assert producer.waiting("training", "cpu") == 0
    assert producer.announce("training", "cpu")
    assert producer.waiting("training", "cpu") == 1


def test_a_restarted_broker_is_found_again(producer: SocketDispatcher, valkey: Valkey) -> None:
    assert producer.announce("training", "cpu")
    valkey.kill()
    valkey.start()
    assert producer.announce("training", "cpu")


def test_a_dead_broker_is_no_fault(producer: SocketDispatcher, valkey: Valkey) -> None:
    valkey.kill()
    assert not producer.announce("training", "cpu")
    assert producer.waiting("training", "cpu") is None
    assert not producer.alive()


def test_a_frozen_broker_holds_nobody_twice(producer: SocketDispatcher, valkey: Valkey) -> None:
    assert producer.announce("training", "cpu")
    assert valkey.process is not None
    valkey.process.send_signal(signal.SIGSTOP)
    try:
        assert not producer.announce("training", "cpu")
        assert not producer.announce("training", "cpu")
    finally:
        valkey.process.send_signal(signal.SIGCONT)


def test_a_full_broker_takes_nothing(producer: SocketDispatcher, client: Any) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)
    assert not producer.announce("training", "cpu")


def test_passwords_and_databases(valkey: Valkey, client: Any, tmp_path: Path) -> None:
    client.config_set("requirepass", "open: sesame")
    client.auth("open: sesame")
    url = f"redis+socket://:open%3A%20sesame@{valkey.socket}?virtual_host=3"
    made = dispatcher(Settings(home=tmp_path, redis_url=url, key_prefix="test:"))
    assert made.announce("training", "cpu")
    client.select(3)
    assert client.llen("test:training.cpu") == 1
    wrong = dispatcher(Settings(home=tmp_path, redis_url=valkey.url, key_prefix="test:"))
    assert not wrong.announce("training", "cpu")
    for each in (made, wrong):
        assert isinstance(each, SocketDispatcher)
        each.close()


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://localhost", ("localhost", 6379)),
        ("redis://:pw@10.0.0.1:7000/2", ("10.0.0.1", 7000)),
        ("redis+socket:///run/valkey.sock", "/run/valkey.sock"),
    ],
)
def test_addresses(url: str, place: object) -> None:
    address = parse(url)
    assert address is not None
    assert address.place == place


@pytest.mark.parametrize("url", ["rediss://host", "sentinel://a;sentinel://b", "redis://host?ssl_cert_reqs=none"])
def test_what_needs_more_goes_through_celery(url: str, tmp_path: Path) -> None:
    assert parse(url) is None
    assert isinstance(dispatcher(Settings(home=tmp_path, redis_url=url)), CeleryDispatcher)
