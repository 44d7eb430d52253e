"""The Celery application and its settings, nothing else.

``celery -A worker.app worker -Q training.cpu`` is one slot; ``python -m worker.launch`` starts them all.
"""

import logging

import click
from celery import Celery, signals

from jobs import logs
from jobs.dispatch import QUEUES, queues, transport_options
from jobs.settings import Settings

for _name in ("celery.worker.strategy", "celery.app.trace"):
    # They would tell of every token that it came and went, which says nothing about a job.
    logging.getLogger(_name).setLevel(logging.WARNING)


def create_app(settings: Settings) -> Celery:
    """The application: a message is a wake-up, acknowledged at once; the row in SQL decides."""
    app = Celery("aigc", broker=settings.broker_url)
    app.conf.update(
        task_acks_late=False,
        task_reject_on_worker_lost=False,
        task_ignore_result=True,
        result_backend=None,
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_pool="solo",
        worker_concurrency=1,
        task_time_limit=None,
        task_soft_time_limit=None,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options=transport_options(settings, socket_timeout=5),
        task_publish_retry=False,
        accept_content=["json"],
        task_serializer="json",
        event_serializer="json",
        worker_send_task_events=False,
        worker_soft_shutdown_timeout=0,
        worker_enable_remote_control=False,
        task_create_missing_queues=False,
        task_queues=queues(),
        task_default_queue=QUEUES[0],
    )
    if settings.log_format == "json":
        signals.setup_logging.connect(lambda **_: logs.set_up(settings), weak=False)
    app.steps["worker"].add("worker.tasks:SlotStep")
    app.user_options["worker"].add(
        click.Option(["--device"], default="", help="The GPU of this slot, by number or UUID.")
    )
    return app


def __getattr__(name: str) -> Celery:
    """``app``, made when ``celery -A worker.app`` asks for it: importing reads no environment."""
    if name != "app":
        raise AttributeError(name)
    return create_app(Settings())
