"""The producer on a real broker: alive, frozen, dead, back without its data."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from jobs.dispatch import QUEUES, CeleryDispatcher, transport_options
from jobs.settings import Settings
from tests.servers import Valkey

ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(valkey: Valkey, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url, key_prefix="test:")


@pytest.fixture
def producer(settings: Settings) -> Iterator[CeleryDispatcher]:
    made = CeleryDispatcher(settings)
    yield made
    made.close()


@pytest.fixture
def client(valkey: Valkey) -> Iterator[Any]:
    with redis.Redis(unix_socket_path=str(valkey.socket)) as connected:
        yield connected


def awake(producer: CeleryDispatcher) -> None:
    """Skip the pause that follows a failure."""
    producer._silent_until = 0.0


def test_a_message_names_the_task_and_carries_nothing(producer: CeleryDispatcher, client: Any) -> None:
    assert producer.announce("training", "cpu")
    assert all(key.startswith(b"test:") for key in client.scan_iter())
    (raw,) = client.lrange("test:training.cpu", 0, -1)
    message = json.loads(raw)
    assert message["headers"]["task"] == "jobs.run"
    assert message["content-type"] == "application/json"
    assert message["headers"]["argsrepr"] == "()"
    assert message["headers"]["kwargsrepr"] == "{}"


def test_every_lane_has_its_queue(producer: CeleryDispatcher) -> None:
    for queue in QUEUES:
        lane, kind = queue.split(".")
        assert producer.announce(lane, kind)
        assert producer.announce(lane, kind)
        assert producer.waiting(lane, kind) == 2


def test_a_queue_that_does_not_exist_is_refused(producer: CeleryDispatcher, client: Any) -> None:
    assert not producer.announce("training", "tpu")
    assert client.llen("test:training.tpu") == 0


def test_a_frozen_broker_does_not_hold_anybody(producer: CeleryDispatcher, valkey: Valkey) -> None:
    assert producer.announce("training", "cpu")
    assert valkey.process is not None
    valkey.process.send_signal(signal.SIGSTOP)
    try:
        assert not producer.announce("training", "cpu")
        assert not producer.announce("training", "cpu")  # at once, without asking again
        assert producer.waiting("training", "cpu") is None
        assert not producer.alive()
    finally:
        valkey.process.send_signal(signal.SIGCONT)
    awake(producer)
    assert producer.announce("training", "cpu")


def test_a_broker_that_comes_back_empty_is_used_again(producer: CeleryDispatcher, valkey: Valkey) -> None:
    assert producer.announce("training", "cpu")
    assert producer.alive()
    valkey.kill()
    assert not producer.announce("training", "cpu")
    assert not producer.alive()
    valkey.start()
    awake(producer)
    assert producer.alive()
    assert producer.waiting("training", "cpu") == 0
    assert producer.announce("training", "cpu")
    assert producer.waiting("training", "cpu") == 1


def test_a_broker_that_restarts_between_two_messages_takes_both(producer: CeleryDispatcher, valkey: Valkey) -> None:
    assert producer.announce("training", "cpu")
    valkey.kill()
    valkey.start()
    results = [producer.announce("training", "cpu")]
    awake(producer)
    results.append(producer.announce("training", "cpu"))
    assert results[-1]
    assert producer.waiting("training", "cpu") == sum(results)


def test_a_full_broker_is_told_apart(producer: CeleryDispatcher, client: Any) -> None:
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    assert not producer.announce("training", "cpu")
    client.config_set("maxmemory", "0")
    awake(producer)
    assert producer.announce("training", "cpu")


def test_a_forked_child_connects_anew(producer: CeleryDispatcher) -> None:
    assert producer.announce("training", "cpu")
    child = os.fork()
    if child == 0:
        os._exit(0 if producer.announce("training", "cpu") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert producer.announce("training", "cpu")
    assert producer.waiting("training", "cpu") == 3


def test_the_web_process_gives_up_after_a_second() -> None:
    web, worker = transport_options(Settings(), 1.0), transport_options(Settings(), 5.0)
    assert (web["socket_timeout"], web["max_retries"]) == (1.0, 0)
    assert (worker["socket_timeout"], worker["max_retries"]) == (5.0, 1)
    shared = ("global_keyprefix", "visibility_timeout", "unacked_restore_interval", "unacked_restore_throttle")
    assert {name: web[name] for name in shared} == {name: worker[name] for name in shared}


def test_the_engine_imports_neither_worker_nor_flask() -> None:
    script = "import sys, jobs.engine, jobs.submit, jobs.lifecycle, jobs.repository, jobs.scheduler\n"
    script += "print([name for name in ('flask', 'numpy', 'torch', 'web', 'worker') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
