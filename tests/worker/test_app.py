import subprocess
import sys
from pathlib import Path

import pytest
from celery import Celery

from jobs.settings import Settings
from worker.app import create_app


@pytest.fixture(scope="module")
def app() -> Celery:
    return create_app(Settings.model_validate({"redis_url": "redis://broker.example:6379/3", "key_prefix": "us:"}))


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("task_acks_late", False),
        ("task_reject_on_worker_lost", False),
        ("task_ignore_result", True),
        ("result_backend", None),
        ("worker_prefetch_multiplier", 1),
        ("worker_disable_prefetch", True),
        ("worker_pool", "solo"),
        ("worker_max_tasks_per_child", None),
        ("task_time_limit", None),
        ("task_soft_time_limit", None),
        ("worker_cancel_long_running_tasks_on_connection_loss", False),
        ("broker_connection_retry_on_startup", True),
        ("broker_connection_max_retries", None),
        ("task_publish_retry", False),
        ("accept_content", ["json"]),
        ("task_serializer", "json"),
        ("event_serializer", "json"),
        ("worker_send_task_events", False),
        ("worker_soft_shutdown_timeout", 0),
        ("worker_enable_remote_control", False),
        ("task_create_missing_queues", False),
        ("broker_url", "redis://broker.example:6379/3"),
    ],
)
def test_a_setting_is_what_the_engine_rests_on(app: Celery, setting: str, value: object) -> None:
    assert app.conf[setting] == value


def test_the_transport_neither_keeps_messages_long_nor_waits_long(app: Celery) -> None:
    assert app.conf.broker_transport_options == {
        "global_keyprefix": "us:",
        "visibility_timeout": 120,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "max_retries": 1,
        "interval_start": 0,
        "interval_step": 0.1,
        "interval_max": 0.2,
    }


def test_there_are_four_queues(app: Celery) -> None:
    assert list(app.amqp.queues) == ["training.cpu", "training.gpu", "generation.cpu", "generation.gpu"]


def test_nothing_light_imports_torch_or_reads_the_environment() -> None:
    code = (
        "import sys\n"
        "import worker.app, worker.tasks, worker.launch, worker.slot, worker.supervisor\n"
        "assert 'app' not in vars(worker.app)\n"
        "assert not {'torch', 'numpy', 'pandas', 'pynvml'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-Q", "training.cpu,generation.cpu"], "A slot serves one queue"),
        (["-Q", "training.cpu", "-P", "threads"], "A slot needs the pool `solo`"),
        (["-Q", "training.gpu", "--device", "GPU-none"], "There is no device called GPU-none"),
    ],
)
def test_a_slot_that_cannot_be_says_why(tmp_path: Path, arguments: list[str], said: str) -> None:
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker", *arguments]
    environment = {"PATH": "/usr/bin", "AIGC_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr
