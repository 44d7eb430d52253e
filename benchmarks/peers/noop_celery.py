"""Celery as it comes, with results kept in Redis: the application of ``benchmarks.engine``'s peer.

Everything is Celery's default but for the addresses of broker and results, which come from the
environment. The worker is ``celery -A benchmarks.peers.noop_celery worker -P prefork -c 2``.
"""

import os

from celery import Celery

app = Celery("noop", broker=os.environ["BENCH_BROKER"], backend=os.environ["BENCH_RESULTS"])


@app.task(name="noop")  # type: ignore[untyped-decorator,unused-ignore]
def noop() -> None:
    """Nothing at all."""
